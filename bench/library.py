"""A row for every operator of the library at a large size: its counterparts in NumPy and torch.

What is a view there is copied, as akg writes its result. Counterparts without an ``out`` argument allocate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from akg import ops
from akg.base.dtype import dtype_of
from akg.ir.expr import Const
from bench import typical
from bench.row import Row

Function = Callable[..., Any]
SIZES: tuple[tuple[int, int], int] = ((4096, 2048), 32)  # matrices of 32 MiB in float32; batches of images
HEAVY = 4  # images where arithmetic counts
RANK = {"1d": 1, "2d": 2, "3d": 3}

# --- counterparts of one name ---------------------------------------------------------------------------

NAMED = (
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_or",
    "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "ceil", "copysign", "cos", "cosh", "divide", "equal",
    "exp", "exp2", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf",
    "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "matmul", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal",
    "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
    "trunc",
)  # fmt: skip
ROWS = (
    "all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "std", "sum", "var", "cumprod", "cumsum",
)  # of the rows of a matrix
TORCH_NN = (
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "relu6", "selu",
    "silu", "softplus", "softsign",
)  # fmt: skip
ONLY_TORCH = ("erf", "rsqrt", "sigmoid")
TORCH_LOSSES = (
    "mse_loss", "l1_loss", "huber_loss", "kl_div", "smooth_l1_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)  # fmt: skip


NUMPY: dict[str, Function] = {
    "bitwise_invert": lambda xp, x: xp.invert(x), "positive": lambda xp, x: xp.positive(x),
    "pow": lambda xp, x, y: xp.power(x, y), "where": lambda xp, c, x, y: xp.where(c, x, y),
    "clip": lambda xp, x: xp.clip(x, -1, 1), "relu": lambda xp, x: xp.maximum(x, 0),
    "relu6": lambda xp, x: xp.clip(x, 0, 6), "astype": lambda xp, x: x.astype(xp.float16),
    "sigmoid": lambda xp, x: 1 / (1 + xp.exp(-x)), "silu": lambda xp, x: x / (1 + xp.exp(-x)),
    "softsign": lambda xp, x: x / (1 + abs(x)), "hardtanh": lambda xp, x: xp.clip(x, -1, 1),
    "leaky_relu": lambda xp, x: xp.where(x > 0, x, xp.float32(0.01) * x),
    "tanhshrink": lambda xp, x: x - xp.tanh(x), "rsqrt": lambda xp, x: 1 / xp.sqrt(x),
    "log_sigmoid": lambda xp, x: -xp.logaddexp(xp.float32(0), -x),
    "softplus": lambda xp, x: xp.logaddexp(x, xp.float32(0)),
    "count_nonzero": lambda xp, x: xp.count_nonzero(x, axis=1), "vector_norm": lambda xp, x: xp.linalg.norm(x, axis=1),
    "sum_of_squares": lambda xp, x: xp.vecdot(x, x), "logsumexp": lambda xp, x: _logsumexp(xp, x)[:, 0],
    "cumulative_sum": lambda xp, x: xp.cumsum(x, axis=1), "cumulative_prod": lambda xp, x: xp.cumprod(x, axis=1),
    "cummax": lambda xp, x: xp.maximum.accumulate(x, axis=1), "cummin": lambda xp, x: xp.minimum.accumulate(x, axis=1),
    "softmax": lambda xp, x: _softmax(xp, x), "softmin": lambda xp, x: _softmax(xp, -x),
    "log_softmax": lambda xp, x: x - _logsumexp(xp, x),
    "l1_normalize": lambda xp, x: x / xp.maximum(xp.sum(abs(x), axis=1, keepdims=True), 1e-12),
    "l2_normalize": lambda xp, x: x / xp.maximum(xp.sqrt(xp.vecdot(x, x))[:, None], xp.float32(1e-12)),
    "normalize": lambda xp, x: x / xp.maximum(xp.sqrt(xp.vecdot(x, x))[:, None], xp.float32(1e-12)),
    "mse_loss": lambda xp, x, t: xp.mean(xp.square(x - t)), "l1_loss": lambda xp, x, t: xp.mean(abs(x - t)),
    "hinge_loss": lambda xp, x, t: xp.mean(xp.maximum(1 - x * t, 0)),
    "vecdot": lambda xp, x, y: xp.vecdot(x, y), "matvec": lambda xp, x, y: xp.matvec(x, y),
    "vecmat": lambda xp, x, y: xp.vecmat(x, y), "outer": lambda xp, x, y: xp.outer(x, y),
    "tensordot": lambda xp, x, y: xp.tensordot(x, y, 2), "einsum": lambda xp, x, y: x @ xp.swapaxes(y, -1, -2),
    "triangular_matmul": lambda xp, x, y: xp.tril(x) @ y,
    "scaled_dot_product_attention": lambda xp, q, k, v: xp.matmul(
        _softmax(xp, xp.matmul(q, xp.swapaxes(k, -1, -2)) * xp.float32(0.125)), v
    ),
    "concat": lambda xp, x, y: xp.concatenate([x, y], axis=1), "stack": lambda xp, x, y: xp.stack([x, y], axis=1),
    "pad": lambda xp, x: xp.pad(x, ((1, 1), (2, 2))), "tile": lambda xp, x: xp.tile(x, (4, 4)),
    "repeat": lambda xp, x: xp.repeat(x, 4, axis=0), "roll": lambda xp, x: xp.roll(x, 5, axis=1),
    "tril": lambda xp, x: xp.tril(x), "triu": lambda xp, x: xp.triu(x),
    "gather": lambda xp, x, i: xp.take(x, i, axis=0), "take": lambda xp, x, i: xp.take(x, i, axis=0),
    "gather_nd": lambda xp, x, i: x[i[:, 0], i[:, 1]],
    "take_along_axis": lambda xp, x, i: xp.take_along_axis(x, i, axis=1),
    "one_hot": lambda xp, i: xp.equal(i[:, None], xp.arange(1000)).astype(xp.float32),
    "arange": lambda xp: xp.arange(_count()), "linspace": lambda xp: xp.linspace(0, 1, _count(), dtype=xp.float32),
    "eye": lambda xp: xp.eye(*SIZES[0], dtype=xp.float32),
    "split": lambda xp, x: [xp.array(part, copy=True) for part in xp.split(x, 4, axis=1)],
    "unstack": lambda xp, x: [xp.array(part, copy=True) for part in x],
    "meshgrid": lambda xp, x, y: xp.meshgrid(x, y),
    "broadcast_arrays": lambda xp, x, y: [xp.array(a, copy=True) for a in xp.broadcast_arrays(x, y)],
}  # fmt: skip
TORCH: dict[str, Function] = {
    "bitwise_invert": lambda t, x: t.bitwise_not(x), "positive": lambda t, x: x.clone(),
    "pow": lambda t, x, y: t.pow(x, y), "where": lambda t, c, x, y: t.where(c, x, y),
    "clip": lambda t, x: t.clamp(x, -1, 1), "astype": lambda t, x: x.to(t.float16),
    "tanhshrink": lambda t, x: t.nn.functional.tanhshrink(x), "log_sigmoid": lambda t, x: t.nn.functional.logsigmoid(x),
    "count_nonzero": lambda t, x: t.count_nonzero(x, 1), "vector_norm": lambda t, x: t.linalg.vector_norm(x, dim=1),
    "sum_of_squares": lambda t, x: t.linalg.vecdot(x, x), "logsumexp": lambda t, x: t.logsumexp(x, 1),
    "cumulative_sum": lambda t, x: t.cumsum(x, 1), "cumulative_prod": lambda t, x: t.cumprod(x, 1),
    "cummax": lambda t, x: t.cummax(x, 1), "cummin": lambda t, x: t.cummin(x, 1),
    "softmax": lambda t, x: t.softmax(x, -1), "softmin": lambda t, x: t.nn.functional.softmin(x, -1),
    "log_softmax": lambda t, x: t.log_softmax(x, -1),
    "l1_normalize": lambda t, x: t.nn.functional.normalize(x, p=1, dim=1),
    "l2_normalize": lambda t, x: t.nn.functional.normalize(x, dim=1),
    "normalize": lambda t, x: t.nn.functional.normalize(x, dim=1),
    "cosine_similarity": lambda t, x, y: t.nn.functional.cosine_similarity(x, y, -1),
    "triplet_loss": lambda t, a, p, n: t.nn.functional.triplet_margin_loss(a, p, n),
    "cross_entropy": lambda t, x, y: t.nn.functional.cross_entropy(x, y),
    "nll_loss": lambda t, x, y: t.nn.functional.nll_loss(x, y),
    "layer_norm": lambda t, x, w, b: t.nn.functional.layer_norm(x, w.shape, w, b),
    "rms_norm": lambda t, x, w: t.nn.functional.rms_norm(x, w.shape, w, 1e-6),
    "group_norm": lambda t, x, w, b: t.nn.functional.group_norm(x, 8, w, b),
    "instance_norm": lambda t, x, w, b: t.nn.functional.instance_norm(x, weight=w, bias=b),
    "batch_norm": lambda t, x, m, v, w, b: t.nn.functional.batch_norm(x, m, v, w, b),
    "batch_norm_train": lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, training=True),
    "vecdot": lambda t, x, y: t.linalg.vecdot(x, y), "matvec": lambda t, x, y: t.mv(x, y),
    "vecmat": lambda t, x, y: t.mv(y.t(), x), "outer": lambda t, x, y: t.outer(x, y),
    "tensordot": lambda t, x, y: t.tensordot(x, y, 2), "einsum": lambda t, x, y: t.matmul(x, y.transpose(-1, -2)),
    "triangular_matmul": lambda t, x, y: t.tril(x) @ y,
    "scaled_dot_product_attention": lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
    "concat": lambda t, x, y: t.cat([x, y], 1), "stack": lambda t, x, y: t.stack([x, y], 1),
    "pad": lambda t, x: t.nn.functional.pad(x, (2, 2, 1, 1)), "tile": lambda t, x: t.tile(x, (4, 4)),
    "repeat": lambda t, x: t.repeat_interleave(x, 4, 0), "roll": lambda t, x: t.roll(x, 5, 1),
    "flip": lambda t, x: t.flip(x, (1,)), "tril": lambda t, x: t.tril(x), "triu": lambda t, x: t.triu(x),
    "gather": lambda t, x, i: t.index_select(x, 0, i), "take": lambda t, x, i: t.index_select(x, 0, i),
    "gather_nd": lambda t, x, i: x[i[:, 0], i[:, 1]], "take_along_axis": lambda t, x, i: t.gather(x, 1, i),
    "put_along_axis": lambda t, x, i, u: t.scatter(x, 1, i, u),
    "scatter_nd": lambda t, x, i, u: t.index_put(x, (i[:, 0],), u),
    "scatter_add": lambda t, x, i, u: t.index_add(x, 0, i, u),
    "scatter_nd_add": lambda t, x, i, u: t.index_add(x, 0, i[:, 0], u),
    "one_hot": lambda t, i: t.nn.functional.one_hot(i, 1000),
    "pixel_shuffle": lambda t, x: t.nn.functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda t, x: t.nn.functional.pixel_unshuffle(x, 2),
    "resize": lambda t, x: t.nn.functional.interpolate(x, size=(112, 112), mode="bilinear", align_corners=False),
    "global_avg_pool": lambda t, x: t.mean(x, (2, 3), keepdim=True),
    "global_max_pool": lambda t, x: t.amax(x, (2, 3), keepdim=True),
    "arange": lambda t: t.arange(_count()), "linspace": lambda t: t.linspace(0, 1, _count()),
    "eye": lambda t: t.eye(*SIZES[0]), "equal": lambda t, x, y: t.eq(x, y),
    "max": lambda t, x: t.amax(x, 1), "min": lambda t, x: t.amin(x, 1),
    "split": lambda t, x: [part.clone() for part in t.split(x, x.shape[1] // 4, 1)],
    "unstack": lambda t, x: [part.clone() for part in t.unbind(x)],
    "meshgrid": lambda t, x, y: [a.contiguous() for a in t.meshgrid(x, y, indexing="xy")],
    "broadcast_arrays": lambda t, x, y: [a.contiguous() for a in t.broadcast_tensors(x, y)],
}  # fmt: skip
# Views in both libraries, of arrays that have the same methods.
VIEWS: dict[str, Function] = {
    "transpose": lambda x: x.T, "matrix_transpose": lambda x: x.T, "reshape": lambda x: x.reshape(-1, 2 * x.shape[1]),
    "expand_dims": lambda x: x[:, None], "squeeze": lambda x: x[:, 0], "slice": lambda x: x[::2, 1::3],
    "swapaxes": lambda x: x.swapaxes(0, 2), "moveaxis": lambda x: x.swapaxes(0, 1).swapaxes(1, 2),
    "permute_dims": lambda x: x.swapaxes(0, 2).swapaxes(1, 2), "flip": lambda x: x[:, ::-1],
    "broadcast_to": lambda x: x[None, :],
}  # fmt: skip
FILLS = {"zeros": 0, "zeros_like": 0, "ones": 1, "ones_like": 1, "full": 1.5, "full_like": 1.5, "empty_like": 0}


def _count() -> int:
    return SIZES[0][0] * SIZES[0][1]


def _logsumexp(xp: Any, x: Any) -> Any:
    top = xp.max(x, axis=1, keepdims=True)
    return top + xp.log(xp.sum(xp.exp(x - top), axis=1, keepdims=True))


def _softmax(xp: Any, x: Any) -> Any:
    power = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return power / xp.sum(power, axis=-1, keepdims=True)


# --- rows -----------------------------------------------------------------------------------------------


def _window(name: str) -> Function | None:
    """torch's counterpart of a convolution or pooling."""
    rank = next((r for r in RANK if r in name), "")
    if name.startswith("conv") and name.endswith("_transpose"):
        return lambda t, x, w: getattr(t.nn.functional, f"conv_transpose{rank}")(x, w, stride=2, padding=1)
    if name.startswith("conv"):
        return lambda t, x, w: getattr(t.nn.functional, f"conv{rank}")(x, w, padding=1)
    if name.startswith("depthwise"):
        return lambda t, x, w: getattr(t.nn.functional, f"conv{rank}")(x, w, padding=1, groups=w.shape[0])
    if name.startswith("adaptive"):
        return lambda t, x: getattr(t.nn.functional, name)(x, 7)
    if rank:
        return lambda t, x: getattr(t.nn.functional, name)(x, 3, 2, 1)
    return None


def _pair(name: str) -> tuple[Function | None, Function | None, Function | None, Function | None]:
    """The counterparts: NumPy, into a given array, torch, into a given tensor."""
    if name in VIEWS or name in FILLS:
        view = VIEWS.get(name) or (lambda *_: FILLS[name])
        flip = TORCH.get(name)
        return (
            lambda xp, *x: xp.array(xp.broadcast_to(view(*x), _shape(name)), copy=True, order="C", dtype=xp.float32),
            lambda xp, out, *x: xp.copyto(out, view(*x)),
            flip or (lambda t, *x: _torch_copy(t, view(*x), _shape(name))),
            None if flip else lambda t, out, *x: out.copy_(view(*x)) if x else out.fill_(view()),
        )
    if name in NAMED:
        named = lambda t: t.eq if name == "equal" else getattr(t, name)  # noqa: E731
        return (
            lambda xp, *x: getattr(xp, name)(*x), lambda xp, out, *x: getattr(xp, name)(*x, out=out),
            TORCH.get(name) or (lambda t, *x: getattr(t, name)(*x)), lambda t, out, *x: named(t)(*x, out=out),
        )  # fmt: skip
    if name in ROWS:
        plain = TORCH.get(name) or (lambda t, x: getattr(t, name)(x, 1))
        return lambda xp, x: getattr(xp, name)(x, axis=1), None, plain, None
    if name in TORCH_NN or name in TORCH_LOSSES:
        return NUMPY.get(name), None, lambda t, *x: getattr(t.nn.functional, name)(*x), None
    if name in ONLY_TORCH:
        into = lambda t, out, x: getattr(t, name)(x, out=out)  # noqa: E731
        return NUMPY.get(name), None, lambda t, x: getattr(t, name)(x), into
    return NUMPY.get(name), None, TORCH.get(name) or _window(name), None


def _torch_copy(t: Any, source: Any, shape: Sequence[int]) -> Any:
    out = t.empty(tuple(shape))
    return out.copy_(source) if isinstance(source, t.Tensor) else out.fill_(source)


def _shape(name: str) -> tuple[int, ...]:
    outputs, _ = typical.define(name, _inputs(name))
    return _sizes(outputs[0])


def _sizes(tensor: Any) -> tuple[int, ...]:
    return tuple([int(s.value) for s in tensor.shape if isinstance(s, Const)])


def _inputs(name: str) -> typical.Inputs:
    is_heavy = name.startswith(("conv", "depthwise_conv3d"))
    return typical.Inputs(SIZES[0], 2 * HEAVY if is_heavy else SIZES[1])


def _limits(name: str, dtype: str) -> tuple[float, float]:
    if dtype == "int32":
        return 1, 16
    if dtype == "int64":
        return 0, 1000
    return (1.05, 5.0) if name == "acosh" else (0.05, 0.95)


def library_row(name: str) -> Row:
    """The row of an operator, called ``op-NAME``."""
    outputs, inputs = typical.define(name, _inputs(name))
    numpy, numpy_out, torch, torch_out = _pair(name)
    size_bytes = sum(int(np.prod(_sizes(x))) * dtype_of(x.dtype).itemsize_bytes for x in (*outputs, *inputs))
    dtypes = tuple([x.dtype.name for x in inputs])
    return Row(
        f"op-{name}", tuple([_sizes(x) for x in inputs]), lambda: typical.define(name, _inputs(name)), numpy, torch,
        numpy_out=numpy_out, torch_out=torch_out, bytes=size_bytes, sources=max(len(inputs), 1), dtypes=dtypes,
        limits=tuple([_limits(name, dtype) for dtype in dtypes]), dtype=outputs[0].dtype.name, is_library=True,
        flops=2 * _products(name, inputs, outputs), skip=("torch_compile",),
    )  # fmt: skip


def _products(name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """Multiply-adds of a contraction."""
    shapes, out = [_sizes(x) for x in inputs], int(np.prod(_sizes(outputs[0])))
    if name == "scaled_dot_product_attention":
        return 2 * out * shapes[1][-2]
    if ops.get(name).kind != "contraction":
        return 0
    if "conv" in name:
        taps = int(np.prod(shapes[1][2:]))
        if name.startswith("depthwise"):
            return out * taps
        return (int(np.prod(shapes[0])) if name.endswith("transpose") else out) * shapes[1][1] * taps
    depth = {"tensordot": 1024, "einsum": 64, "triangular_matmul": 256}.get(name)
    return out * (depth or shapes[0][-1])


def library_rows() -> list[Row]:
    """A row for every operator."""
    return [library_row(name) for name in typical.names()]
