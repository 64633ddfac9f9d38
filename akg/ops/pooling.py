"""Pools of one to three spatial dimensions: the greatest element or the mean of windows, regular or adaptive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from akg.base.dtype import DType
from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Expr, Var
from akg.ir.te.functions import extreme
from akg.ir.te.tensor import Tensor, shape_text
from akg.ops.registry import operator
from akg.ops.shape import check_dtype, check_tensor, value
from akg.ops.windows import Ints, Padding, Window, check_rank, output_size, padded, paddings, per_dimension

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "global_avg_pool", "global_max_pool", "max_pool1d",
    "max_pool2d", "max_pool3d",
]  # fmt: skip

_SPATIAL = {1: "w", 2: "h, w", 3: "d, h, w"}


def _pool_windows(
    n: int, x: Tensor, kernel: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool
) -> tuple[list[Window], list[Expr]]:
    """The windows, padded so far as they reach, and how many there are in each dimension."""
    sizes = per_dimension(kernel, n, "kernel_size")
    strides = sizes if stride is None else per_dimension(stride, n, "stride")
    dilations = per_dimension(dilation, n, "dilation")
    plain = [Window(k, s, d) for k, s, d in zip(sizes, strides, dilations, strict=True)]
    windows: list[Window] = []
    outputs: list[Expr] = []
    for d, (v, (before, after)) in enumerate(zip(plain, paddings(padding, x.shape[2:], plain), strict=True), 2):
        if max(before, after) * 2 > v.reach and padding != "same":
            raise AkgError(
                "AKG-E284",
                f"padding is {padding!r}",
                because=f"a window that spans {v.reach} elements may lie in padding alone",
                hint="pad by at most half a window",
            )
        v = replace(v, before=before, after=after)
        count = output_size(x.shape[d], v, f"dimension {d} of x")
        if ceil_mode:
            count, v = _rounded_up(x.shape[d], v, count)
        windows.append(v)
        outputs.append(count)
    return windows, outputs


def _rounded_up(extent: Expr, v: Window, count: Expr) -> tuple[Expr, Window]:
    """One more window if one starts inside the input or the padding before it; it reaches over the end."""
    if not isinstance(extent, Const) or not isinstance(count, Const):
        raise AkgError("AKG-E281", "ceil_mode over a symbolic size", hint="give the spatial sizes as integers")
    size = int(extent)
    number = -(-(size + v.before + v.after - v.reach) // v.stride) + 1
    if (number - 1) * v.stride >= size + v.before:
        number -= 1
    return Const(number), replace(v, after=max(v.after, (number - 1) * v.stride + v.reach - size - v.before))


def _window_reduction(
    x: Tensor, windows: Sequence[Window], outputs: Sequence[Expr], fill: Expr, reduce: Callable[..., Expr], name: str
) -> Tensor:
    source = padded(x, 2, [(v.before, v.after) for v in windows], fill)

    def element(n: Expr, c: Expr, *place: Expr) -> Expr:
        taps = [te.reduce_axis(v.size, name=f"k{d}") for d, v in enumerate(windows)]
        at = [p * v.stride + k * v.dilation for p, v, k in zip(place, windows, taps, strict=True)]
        return reduce(source[(n, c, *at)], axis=taps)

    return te.compute((*x.shape[:2], *outputs), element, name=name)


def _max_pool(
    n: int, x: Tensor, kernel_size: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool
) -> Tensor:
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, c, {_SPATIAL[n]}")
    check_dtype(x.dtype, "a number", "x")
    windows, outputs = _pool_windows(n, x, kernel_size, stride, padding, dilation, ceil_mode)
    return _window_reduction(x, windows, outputs, extreme(x.dtype, -1), te.max, f"max_pool{n}d")


def _avg_pool(
    n: int, x: Tensor, kernel_size: Ints, stride: Ints | None, padding: Padding, ceil_mode: bool,
    count_include_pad: bool,
) -> Tensor:  # fmt: skip
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, c, {_SPATIAL[n]}")
    kind = check_dtype(x.dtype, "a float", "x")
    windows, outputs = _pool_windows(n, x, kernel_size, stride, padding, 1, ceil_mode)
    given = paddings(padding, x.shape[2:], windows)
    sums = _window_reduction(_wide(x), windows, outputs, te.cast(0, kind.compute), te.sum, f"avg_pool{n}d_sum")

    def element(*place: Expr) -> Expr:
        count: Expr = Const(1)
        rest = 1
        for p, v, (before, after), size in zip(place[2:], windows, given, x.shape[2:], strict=True):
            reach = before + after if count_include_pad else 0
            inside = _elements_inside(p, v, before, size + reach, count_include_pad)
            if isinstance(inside, Const):
                rest *= int(inside)
            else:
                count = value(inside, kind.compute) if count is Const(1) else count * value(inside, kind.compute)
        divisor = te.const(float(rest), kind.compute)
        if count is not Const(1):
            divisor = count if rest == 1 else count * divisor
        return te.cast(sums[place] / divisor, kind)

    return te.compute(sums.shape, element, name=f"avg_pool{n}d")


def _elements_inside(place: Expr, v: Window, before: int, size: Expr, with_padding: bool) -> Expr:
    """The number of elements of a window that count, of `size` in all."""
    start = place * v.stride if with_padding else place * v.stride - before
    is_cut_before = before > 0 and not with_padding
    # the last window ends at (size before padding) + v.before + v.after at most
    is_cut_after = v.after > 0 and (not with_padding or v.before + v.after > 0)
    if not is_cut_before and not is_cut_after:
        return Const(v.size)
    end = te.minimum(start + v.size, size) if is_cut_after else start + v.size
    return end - (te.maximum(start, 0) if is_cut_before else start)


def _wide(x: Tensor) -> Tensor:
    """`x` in the type of arithmetic."""
    kind = x.dtype.compute
    return x if kind is x.dtype else te.compute(x.shape, lambda *i: te.cast(x[i], kind), name=f"{x.name}_wide")


# --- adaptive and global --------------------------------------------------------------------------------


def _adaptive(n: int, x: Tensor, output_size_: Ints, kind: DType, reduce: Callable[..., Expr], name: str) -> Tensor:
    """Window i of m over s elements: from ``i*s // m`` to ``ceil((i + 1)*s / m)``."""
    targets = per_dimension(output_size_, n, "output_size")
    extents: list[int] = []
    for size in x.shape[2:]:
        if not isinstance(size, Const) or int(size) < 1:
            raise AkgError(
                "AKG-E281",
                f"x has shape {shape_text(x.shape)}",
                because="adaptive windows divide spatial sizes that are fixed and not 0",
                hint="give the spatial sizes as integers",
            )
        extents.append(int(size))

    def element(batch: Expr, c: Expr, *place: Expr) -> Expr:
        at: list[Expr] = []
        taps: list[Var] = []
        for d, (p, size, target) in enumerate(zip(place, extents, targets, strict=True)):
            if size % target == 0:  # windows of one size, side by side
                tap = te.reduce_axis(size // target, name=f"k{d}")
                at.append(p * (size // target) + tap)
            else:
                tap = te.reduce_axis(_adaptive_range(p, size, target), name=f"k{d}")
                at.append(tap)
            taps.append(tap)
        return reduce(value(x[(batch, c, *at)], kind), axis=taps)

    return te.compute((*x.shape[:2], *[Const(t) for t in targets]), element, name=name)


def _adaptive_range(place: Expr, size: int, target: int) -> tuple[Expr, Expr]:
    return place * size // target, ((place + 1) * size + (target - 1)) // target


def _adaptive_max(n: int, x: Tensor, output_size_: Ints) -> Tensor:
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, c, {_SPATIAL[n]}")
    kind = check_dtype(x.dtype, "a number", "x")
    return _adaptive(n, x, output_size_, kind, te.max, f"adaptive_max_pool{n}d")


def _adaptive_avg(n: int, x: Tensor, output_size_: Ints) -> Tensor:
    check_rank(check_tensor(x, "x"), n + 2, "x", f"n, c, {_SPATIAL[n]}")
    kind = check_dtype(x.dtype, "a float", "x")
    sums = _adaptive(n, x, output_size_, kind.compute, te.sum, f"adaptive_avg_pool{n}d_sum")

    def element(*place: Expr) -> Expr:
        rest, count = 1, None
        for p, full, target in zip(place[2:], x.shape[2:], sums.shape[2:], strict=True):
            size, outputs = int(full), int(target)  # type: ignore[call-overload]  # pyright: ignore
            if size % outputs == 0:
                rest *= size // outputs
                continue
            begin, end = _adaptive_range(p, size, outputs)
            here = value(end - begin, kind.compute)
            count = here if count is None else count * here
        divisor = te.const(float(rest), kind.compute)
        if count is not None:
            divisor = count if rest == 1 else count * divisor
        return te.cast(sums[place] / divisor, kind)

    return te.compute(sums.shape, element, name=f"adaptive_avg_pool{n}d")


def _spatial(x: Tensor) -> tuple[Expr, ...]:
    if check_tensor(x, "x").ndim < 3:
        raise AkgError(
            "AKG-E281",
            f"x has {x.ndim} {'dimension' if x.ndim == 1 else 'dimensions'}",
            because=f"its shape is {shape_text(x.shape)}, it should be (n, c, ...)",
            hint="give x of at least 3 dimensions",
        )
    return x.shape[2:]


def _over_all(x: Tensor, kind: DType, reduce: Callable[..., Expr], name: str) -> Tensor:
    extents = _spatial(x)

    def element(n: Expr, c: Expr, *_: Expr) -> Expr:
        taps = [te.reduce_axis(size, name=f"k{d}") for d, size in enumerate(extents)]
        return reduce(value(x[(n, c, *taps)], kind), axis=taps)

    return te.compute((*x.shape[:2], *[Const(1)] * len(extents)), element, name=name)


@operator("global_max_pool", kind="reduce")
def global_max_pool(x: Tensor) -> Tensor:
    """The greatest element of each channel of numbers (n, c, ...), as (n, c, 1, ...); the least value if there is none.

    Raises:
        AkgError: AKG-E281 for less than 3 dimensions.
    """
    _spatial(x)
    return _over_all(x, check_dtype(x.dtype, "a number", "x"), te.max, "global_max_pool")


@operator("global_avg_pool", kind="reduce")
def global_avg_pool(x: Tensor) -> Tensor:
    """The mean of each channel of floats (n, c, ...), as (n, c, 1, ...); NaN if there is no element.

    Raises:
        AkgError: AKG-E281 for less than 3 dimensions.
    """
    extents = _spatial(x)
    kind = check_dtype(x.dtype, "a float", "x")
    sums = _over_all(x, kind.compute, te.sum, "global_avg_pool_sum")
    count: Expr | None = None
    for size in extents:
        factor = value(size, kind.compute)
        count = factor if count is None else count * factor
    assert count is not None
    return te.compute(sums.shape, lambda *i: te.cast(sums[i] / count, kind), name="global_avg_pool")


# --- by rank --------------------------------------------------------------------------------------------

_ARGS = """
        kernel_size: the window: one integer, or one for each spatial dimension.
        stride: between windows; None: windows side by side.
        padding: around x, at most half a window: an integer, one or a (before, after) pair for each dimension, "same"
            or "valid"."""
_RAISES = """
    Raises:
        AkgError: AKG-E281 for a wrong rank, E284 for a bad padding, E285 for a bad window, stride or dilation, E288 if
            no window fits.
    """


def _define_max(n: int) -> Callable[..., Tensor]:
    def pool(
        x: Tensor, kernel_size: Ints, *, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1,
        ceil_mode: bool = False,
    ) -> Tensor:  # fmt: skip
        return _max_pool(n, x, kernel_size, stride, padding, dilation, ceil_mode)

    pool.__doc__ = f"""The greatest element of each window of numbers (n, c, {_SPATIAL[n]}); NaN wins.

    Args:
        x: the numbers.{_ARGS}
        dilation: the distance between elements of a window.
        ceil_mode: whether a last window may reach over the end.
{_RAISES}"""
    return operator(f"max_pool{n}d", kind="reduce")(pool)


def _define_avg(n: int) -> Callable[..., Tensor]:
    def pool(
        x: Tensor, kernel_size: Ints, *, stride: Ints | None = None, padding: Padding = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Tensor:  # fmt: skip
        return _avg_pool(n, x, kernel_size, stride, padding, ceil_mode, count_include_pad)

    pool.__doc__ = f"""The mean of each window of floats (n, c, {_SPATIAL[n]}).

    Args:
        x: the floats.{_ARGS}
        ceil_mode: whether a last window may reach over the end; what lies beyond the padding never counts.
        count_include_pad: whether the zeros of the padding count.
{_RAISES}"""
    return operator(f"avg_pool{n}d", kind="reduce")(pool)


def _define_adaptive(n: int, name: str, doc: str, body: Callable[[int, Tensor, Ints], Tensor]) -> Callable[..., Tensor]:
    def pool(x: Tensor, output_size: Ints) -> Tensor:
        return body(n, x, output_size)

    pool.__doc__ = f"""{doc} of windows over (n, c, {_SPATIAL[n]}), chosen to give `output_size` results a dimension.

    Raises:
        AkgError: AKG-E281 for a wrong rank or a symbolic size, AKG-E285 for a bad `output_size`.
    """
    return operator(f"adaptive_{name}_pool{n}d", kind="reduce")(pool)


max_pool1d, max_pool2d, max_pool3d = _define_max(1), _define_max(2), _define_max(3)
avg_pool1d, avg_pool2d, avg_pool3d = _define_avg(1), _define_avg(2), _define_avg(3)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = [
    _define_adaptive(n, "max", "The greatest element", _adaptive_max) for n in (1, 2, 3)
]
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = [
    _define_adaptive(n, "avg", "The mean", _adaptive_avg) for n in (1, 2, 3)
]
