"""What tests of several rooms share: arguments for a kernel, comparison of results, equality of programs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from akg.base.dtype import DType, dtype_of, tolerance
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify
from akg.ir.stmt import Kernel

Array = np.ndarray[Any, np.dtype[Any]]
MISMATCHES_SHOWN = 5


def assert_close(got: Any, want: Any, dtype: DType | str | None = None, terms: int = 1, what: str = "") -> None:
    """`got` equals `want` within the tolerance of `dtype` for sums of `terms` products.

    Errors count relative to the magnitude of the reference: ``|want|`` plus the root mean square of its finite
    elements. NaN and infinities must stand at the same places. Exact types must agree exactly.
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    kind = dtype_of(got.dtype if dtype is None else dtype)
    rtol = tolerance(kind, terms)
    if rtol == 0.0:
        wrong = got != want
    else:
        g, w = got.astype(np.float64), want.astype(np.float64)
        finite = np.isfinite(w)
        rms = float(np.sqrt(np.mean(np.square(w[finite])))) if finite.any() else 0.0
        with np.errstate(invalid="ignore"):
            close = np.abs(g - w) <= rtol * (np.abs(w) + rms)
        same = (g == w) | (np.isnan(g) & np.isnan(w))
        wrong = ~np.where(finite & np.isfinite(g), close, same)
    if wrong.any():
        raise AssertionError(f"{what or 'result'}: {_first_mismatches(got, want, wrong, rtol)}")


def _first_mismatches(got: Array, want: Array, wrong: Array, rtol: float) -> str:
    lines = [f"{int(wrong.sum())} of {wrong.size} elements differ (relative tolerance {rtol:.3g})"]
    for place in np.argwhere(wrong)[:MISMATCHES_SHOWN]:
        at = tuple(int(k) for k in place)
        lines.append(f"  {list(at)}: got {got[at]!r}, expected {want[at]!r}")
    return "\n".join(lines)


def shape_of(buffer: Buffer, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of `buffer` for named sizes."""

    def extent(expr: Expr) -> int:
        values = {Var(name): Const(value) for name, value in sizes.items()}
        return int(simplify(substitute(expr, values)))  # type: ignore[call-overload]

    return tuple(extent(s) for s in buffer.shape)


def random_array(shape: tuple[int, ...], dtype: DType | str, rng: np.random.Generator) -> Array:
    """Values in [-2, 2) for floats, small integers otherwise: sums stay far from overflow."""
    kind = dtype_of(dtype)
    if kind.is_float:
        return rng.uniform(-2, 2, shape).astype(kind.numpy)
    if kind.kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.integers(0 if kind.kind == "uint" else -4, 5, shape).astype(kind.numpy)


def fresh_args(kernel: Kernel, sizes: Mapping[str, int] | None = None, seed: int = 0) -> list[Any]:
    """Arguments for `kernel` in order: random inputs and scalars, outputs full of poison, `sizes` by name."""
    sizes = sizes or {}
    rng = np.random.default_rng(seed)
    args: list[Any] = []
    for param in kernel.params:
        value = param.value
        if isinstance(value, Var):
            args.append(sizes[value.name] if param.role == "size" else random_array((), value.dtype, rng)[()])
            continue
        shape = shape_of(value, sizes)
        if param.role == "out":
            args.append(np.full(shape, float("nan") if value.dtype.is_float else 85, value.dtype.numpy))
        else:
            args.append(random_array(shape, value.dtype, rng))
    return args


def copy_args(args: list[Any]) -> list[Any]:
    """The same arguments with arrays of their own."""
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def written(kernel: Kernel, args: list[Any]) -> dict[str, Array]:
    """The arrays among `args` that `kernel` writes, by name."""
    return {p.name: a for p, a in zip(kernel.params, args, strict=True) if p.role in ("out", "inout")}


def terms_of(kernel: Kernel, sizes: Mapping[str, int]) -> int:
    """A bound on the number of products that one element sums: the size of the largest buffer, at least 1."""
    return max([1, *(int(np.prod(shape_of(b, sizes))) for b in kernel.buffers)])


def assert_same_program(a: Any, b: Any) -> None:
    """Two kernels or statements are equal node by node, up to the identity of their buffers and their spans."""
    _same(a, b, {})


def _same(a: Any, b: Any, buffers: dict[Buffer, Buffer]) -> None:
    # Pairs are done once, so that expressions that share their parts compare in linear time.
    done: set[tuple[int, int]] = set()
    stack: list[tuple[Any, Any]] = [(a, b)]
    while stack:
        x, y = stack.pop()
        if x is y or (id(x), id(y)) in done:
            continue
        assert type(x) is type(y), (x, y)
        done.add((id(x), id(y)))
        if isinstance(x, (str, int, float, bool)) or x is None:
            assert x == y
        elif isinstance(x, tuple):
            assert len(x) == len(y), (x, y)
            stack.extend(zip(x, y))
        elif isinstance(x, Buffer):
            assert buffers.setdefault(x, y) is y
            stack.extend([(x.name, y.name), (x.shape, y.shape), (x.dtype, y.dtype), (x.scope, y.scope)])
        elif isinstance(x, Expr):
            fields = [f for f in type(x).__slots__ if f != "span"]
            assert fields
            assert not isinstance(x, Var) and not isinstance(x, Const), (x, y)  # interned: one object
            stack.extend((getattr(x, f), getattr(y, f)) for f in [*fields, "dtype"])
        elif isinstance(x, DType):
            raise AssertionError((x, y))
        else:
            stack.extend((getattr(x, f), getattr(y, f)) for f in x.__dataclass_fields__ if f != "span")
