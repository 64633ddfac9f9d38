"""The rows of `bench.operators`: what is computed, at which shape, and the same in each peer's own words.

`Row.numpy` takes the namespace first, so that it serves NumPy, jax.numpy and the float64 reference. What a peer does
not have is None, and the peer has no figure in that row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import akg
from akg import ops
from bench import loops
from bench.row import Row

# --- contractions ---------------------------------------------------------------------------------------


def _matmul(m: int, n: int, k: int, batch: tuple[int, ...] = (), **more: Any) -> Row:
    size = int(np.prod(batch, dtype=int))
    title = f"{m}" if m == n == k and not batch else "x".join(map(str, (*batch, m, k, n)))
    width = 2 if more.get("dtype") == "bfloat16" else 4
    return Row(
        "matmul-" + title + ("-bf16" if width == 2 else ""), ((*batch, m, k), (*batch, k, n)), ops.matmul,
        lambda xp, a, b: xp.matmul(a, b), lambda torch, a, b: torch.matmul(a, b), "y = MatMul(x0, x1)",
        numpy_out=lambda xp, out, a, b: xp.matmul(a, b, out=out),
        torch_out=lambda torch, out, a, b: torch.matmul(a, b, out=out),
        flops=2 * size * m * n * k, bytes=width * size * (m * k + k * n + m * n), sources=2,
        loops=loops.matmul(m, n, k, size) if width == 4 else "", **more,
    )  # fmt: skip


def _windows(x: Any, r: int, stride: int, pad: int) -> Any:
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return np.lib.stride_tricks.sliding_window_view(padded, (r, r), axis=(2, 3))[:, :, ::stride, ::stride]


def _conv(n: int, c: int, size: int, f: int, r: int = 3, stride: int = 1, is_quick: bool = False) -> Row:
    pad, out = r // 2, (size + 2 * (r // 2) - r) // stride + 1

    def numpy(xp: Any, x: Any, w: Any) -> Any:
        return np.einsum("nchwrs,fcrs->nfhw", _windows(x, r, stride, pad), w, optimize=True)

    def jax(jax: Any, x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad)] * 2)

    return Row(
        f"conv-{n}x{c}x{size}x{size}-{r}x{r}" + (f"s{stride}" if stride > 1 else ""),
        ((n, c, size, size), (f, c, r, r)), lambda x, w: ops.conv2d(x, w, stride=stride, padding=pad), numpy,
        lambda torch, x, w: torch.nn.functional.conv2d(x, w, stride=stride, padding=pad),
        f"y = Conv<pads=[{pad},{pad},{pad},{pad}], strides=[{stride},{stride}]>(x0, x1)", jax,
        flops=2 * n * f * out * out * c * r * r,
        bytes=4 * (n * c * size * size + f * c * r * r + n * f * out * out), is_quick=is_quick,
        loops=loops.convolution(n, c, size, f, r, stride),
    )  # fmt: skip


def _depthwise(n: int, c: int, size: int) -> Row:
    def numpy(xp: Any, x: Any, w: Any) -> Any:
        windows = _windows(x, 3, 1, 1)
        return sum(windows[..., i, j] * w[:, 0, i, j][:, None, None] for i in range(3) for j in range(3))

    def jax(jax: Any, x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), [(1, 1)] * 2, feature_group_count=c)

    return Row(
        f"depthwise-{n}x{c}x{size}x{size}-3x3", ((n, c, size, size), (c, 1, 3, 3)),
        lambda x, w: ops.depthwise_conv2d(x, w, padding=1), numpy,
        lambda torch, x, w: torch.nn.functional.conv2d(x, w, padding=1, groups=c),
        f"y = Conv<pads=[1,1,1,1], group={c}>(x0, x1)", jax,
        flops=18 * n * c * size * size, bytes=8 * n * c * size * size,
        loops=loops.convolution(n, c, size, c, 3, 1, groups=c),
    )  # fmt: skip


def _attention(b: int, h: int, t: int, d: int) -> Row:
    scale = float(d) ** -0.5

    def define(q: Any, k: Any, v: Any) -> Any:
        scores = ops.multiply(ops.matmul(q, k, transpose_b=True), scale)
        return ops.matmul(ops.softmax(scores, axis=-1), v)

    def numpy(xp: Any, q: Any, k: Any, v: Any) -> Any:
        return xp.matmul(_softmax(xp, xp.matmul(q, xp.swapaxes(k, -1, -2)) * scale), v)

    shape = (b, h, t, d)
    return Row(
        f"attention-{b}x{h}x{t}x{d}", (shape,) * 3, define, numpy,
        lambda torch, q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v),
        f"s = Constant<value_float={scale}>() t = Transpose<perm=[0,1,3,2]>(x1) a = MatMul(x0, t) b = Mul(a, s)"
        " p = Softmax<axis=-1>(b) y = MatMul(p, x2)",
        flops=4 * b * h * t * t * d, bytes=16 * b * h * t * d, loops=loops.attention(b, h, t, d),
    )  # fmt: skip


# --- memory-bound ---------------------------------------------------------------------------------------


def _softmax(xp: Any, x: Any) -> Any:
    power = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return power / xp.sum(power, axis=-1, keepdims=True)


def _softmax_row(m: int, n: int, **more: Any) -> Row:
    return Row(
        f"softmax-{m}x{n}", ((m, n),), lambda x: ops.softmax(x, axis=-1), _softmax,
        lambda torch, x: torch.softmax(x, -1), "y = Softmax<axis=-1>(x0)",
        torch_out=lambda torch, out, x: torch.softmax(x, -1, out=out), bytes=8 * m * n,
        loops=loops.softmax(m, n), **more,
    )  # fmt: skip


def _layer_norm_row(m: int, n: int, **more: Any) -> Row:
    def numpy(xp: Any, x: Any, gain: Any, shift: Any) -> Any:
        centred = x - xp.mean(x, axis=-1, keepdims=True)
        variance = xp.mean(centred * centred, axis=-1, keepdims=True)
        return centred / xp.sqrt(variance + 1e-5) * gain + shift

    return Row(
        f"layer_norm-{m}x{n}", ((m, n), (n,), (n,)), ops.layer_norm, numpy,
        lambda torch, x, g, s: torch.nn.functional.layer_norm(x, (n,), g, s),
        "y = LayerNormalization<axis=-1, epsilon=0.00001>(x0, x1, x2)", bytes=8 * m * n,
        loops=loops.layer_norm(m, n), **more,
    )  # fmt: skip


def _rms_norm_row(m: int, n: int) -> Row:
    def numpy(xp: Any, x: Any, gain: Any) -> Any:
        return x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * gain

    return Row(
        f"rms_norm-{m}x{n}", ((m, n), (n,)), ops.rms_norm, numpy,
        lambda torch, x, g: torch.nn.functional.rms_norm(x, (n,), g, 1e-6),
        "e = Constant<value_float=0.000001>() q = Mul(x0, x0) a = Constant<value_ints=[-1]>() m = ReduceMean(q, a)"
        " v = Add(m, e) r = Sqrt(v) d = Div(x0, r) y = Mul(d, x1)",
        bytes=8 * m * n, loops=loops.rms_norm(m, n),
    )  # fmt: skip


_GELU = (
    "0.5f * (x0[p] + x1[j]) * (1 + tanhf(0.7978845608f * ((x0[p] + x1[j]) + 0.044715f * (x0[p] + x1[j])"
    " * (x0[p] + x1[j]) * (x0[p] + x1[j])))) + x2[p]"
)


def _chain_rows(m: int, n: int, title: str) -> list[Row]:
    def gelu(xp: Any, x: Any, bias: Any, rest: Any) -> Any:
        t = x + bias
        return 0.5 * t * (1 + xp.tanh(0.7978845608028654 * (t + 0.044715 * t * t * t))) + rest

    def relu(xp: Any, x: Any, scale: Any, bias: Any, rest: Any) -> Any:
        return xp.maximum(x * scale + bias + rest, 0)

    return [
        Row(f"gelu_bias_residual-{title}", ((m, n), (n,), (m, n)),
            lambda x, b, r: ops.add(ops.gelu(ops.add(x, b), approximate="tanh"), r), gelu,
            lambda torch, x, b, r: torch.nn.functional.gelu(x + b, approximate="tanh") + r,
            'a = Add(x0, x1) g = Gelu<approximate="tanh">(a) y = Add(g, x2)', bytes=12 * m * n, sources=2,
            loops=loops.elementwise(m, n, _GELU)),
        Row(f"scale_bias_residual_relu-{title}", ((m, n), (n,), (n,), (m, n)),
            lambda x, s, b, r: ops.relu(ops.add(ops.add(ops.multiply(x, s), b), r)), relu,
            lambda torch, x, s, b, r: torch.relu(x * s + b + r),
            "a = Mul(x0, x1) b = Add(a, x2) c = Add(b, x3) y = Relu(c)", bytes=12 * m * n, sources=2,
            loops=loops.elementwise(m, n, "fmaxf(x0[p] * x1[j] + x2[j] + x3[p], 0)")),
    ]  # fmt: skip


def _sum_row(m: int, n: int, axis: int, **more: Any) -> Row:
    return Row(
        f"sum_{('columns', 'rows')[axis]}-{m}x{n}", ((m, n),), lambda x: ops.sum(x, axis=axis),
        lambda xp, x: xp.sum(x, axis=axis), lambda torch, x: torch.sum(x, axis),
        f"a = Constant<value_ints=[{axis}]>() y = ReduceSum<keepdims=0>(x0, a)",
        numpy_out=lambda xp, out, x: xp.sum(x, axis=axis, out=out),
        torch_out=lambda torch, out, x: torch.sum(x, axis, out=out), bytes=4 * m * n, sources=7,
        loops=loops.sum_rows(m, n) if axis else loops.sum_columns(m, n), **more,
    )  # fmt: skip


def _transpose_row(n: int, **more: Any) -> Row:
    return Row(
        f"transpose-{n}", ((n, n),), ops.transpose, lambda xp, x: xp.array(x.T, copy=True, order="C"),
        lambda torch, x: x.t().contiguous(), "y = Transpose<perm=[1,0]>(x0)",
        lambda jax, x: jax.numpy.transpose(x),
        numpy_out=lambda xp, out, x: xp.copyto(out, x.T), torch_out=lambda torch, out, x: out.copy_(x.t()),
        bytes=8 * n * n, loops=loops.transpose(n), **more,
    )  # fmt: skip


def _max_pool(n: int, c: int, size: int) -> Row:
    out = (size + 2 - 3) // 2 + 1

    def numpy(xp: Any, x: Any) -> Any:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        stop = 2 * out - 1
        parts = [padded[:, :, i : i + stop : 2, j : j + stop : 2] for i in range(3) for j in range(3)]
        result = parts[0].copy()
        for part in parts[1:]:
            np.maximum(result, part, out=result)
        return result

    def jax(jax: Any, x: Any) -> Any:
        edges = [(0, 0), (0, 0), (1, 1), (1, 1)]
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), edges)

    return Row(
        f"max_pool-{n}x{c}x{size}x{size}-3x3s2", ((n, c, size, size),),
        lambda x: ops.max_pool2d(x, 3, stride=2, padding=1), numpy,
        lambda torch, x: torch.nn.functional.max_pool2d(x, 3, 2, 1),
        "y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>(x0)", jax,
        bytes=4 * n * c * (size * size + out * out), loops=loops.max_pool(n, c, size),
    )  # fmt: skip


STEPS = 50


@akg.script
def jacobi(A: akg.Tensor["n", "n", "float32"]):  # noqa: F821, UP037
    n = A.shape[0]
    B = np.zeros((n, n), np.float32)
    for t in range(50):  # noqa: B007
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                B[i, j] = 0.2 * (A[i, j] + A[i, j - 1] + A[i, j + 1] + A[i + 1, j] + A[i - 1, j])
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = B[i, j]


def _jacobi_row(n: int) -> Row:
    def smooth(a: Any) -> Any:
        return 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])

    def numpy(xp: Any, a: Any) -> Any:
        for _ in range(STEPS):
            a[1:-1, 1:-1] = smooth(a)
        return a

    def jax(jax: Any, a: Any) -> Any:
        return jax.lax.fori_loop(0, STEPS, lambda _, x: x.at[1:-1, 1:-1].set(smooth(x)), a)

    return Row(f"jacobi-{n}", ((n, n),), jacobi, numpy, lambda torch, a: numpy(torch, a), jax=jax,
               flops=5 * STEPS * (n - 2) ** 2, bytes=8 * n * n, loops=loops.jacobi(n, STEPS))  # fmt: skip


def all_rows() -> list[Row]:
    """Every row, in the order of the table."""
    return [
        _matmul(128, 128, 128), _matmul(512, 512, 512, is_quick=True), _matmul(1024, 1024, 1024),
        _matmul(2048, 2048, 2048), _matmul(129, 129, 129, is_quick=True), _matmul(777, 777, 777),
        _matmul(1000, 1000, 1000), _matmul(1, 4096, 4096), _matmul(32, 4096, 4096), _matmul(128, 128, 64, (64,)),
        _matmul(1024, 1024, 1024, dtype="bfloat16", skip=("numpy",)),
        _matmul(1, 777, 1000), _matmul(31, 777, 1000), _matmul(129, 97, 65, (7,)),
        _matmul(777, 777, 777, dtype="bfloat16", skip=("numpy",)),
        _softmax_row(4096, 1024, is_quick=True), _softmax_row(1000, 777),
        _layer_norm_row(4096, 1024, is_quick=True), _layer_norm_row(1000, 777),
        _rms_norm_row(4096, 1024), _rms_norm_row(1000, 777),
        *_chain_rows(4096, 4096, "16M"), *_chain_rows(3001, 1111, "3001x1111"),
        _sum_row(4096, 4096, 1, is_quick=True), _sum_row(4096, 4096, 0, is_quick=True), _sum_row(3001, 1111, 1),
        _sum_row(3001, 1111, 0), _transpose_row(4096), _transpose_row(1000, is_quick=True),
        _conv(1, 64, 56, 64, is_quick=True), _conv(8, 64, 56, 64), _conv(1, 256, 14, 256), _conv(8, 256, 14, 256),
        _conv(1, 3, 224, 64, 7, 2), _conv(8, 3, 224, 64, 7, 2), _conv(1, 33, 35, 47), _depthwise(8, 144, 56),
        _depthwise(3, 37, 45), _max_pool(8, 64, 112), _max_pool(3, 29, 77), _attention(4, 8, 512, 64),
        _attention(2, 3, 333, 40), _jacobi_row(777), _jacobi_row(2000), _jacobi_row(4000),
    ]  # fmt: skip
