# ruff: noqa: B007, F821, UP037  (shapes and dtypes are strings inside annotations)
"""Loop nests as users write them, each with a float64 reference and a maker of inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Var
from akg.ir.script import In, Out, Scalar, Script, Size, Tensor, script


@script
def lu(A: Tensor["n", "n", "float64"]):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[k, j]
            A[i, j] /= A[j, j]
        for j in range(i, n):
            for k in range(i):
                A[i, j] -= A[i, k] * A[k, j]


@script
def cholesky(A: Tensor["n", "n", "float64"]):
    n = A.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] /= A[j, j]
        for k in range(i):
            A[i, i] -= A[i, k] * A[i, k]
        A[i, i] = np.sqrt(A[i, i])


@script
def floyd_warshall(D: Tensor["n", "n", "float64"]):
    n = len(D)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                D[i, j] = min(D[i, j], D[i, k] + D[k, j])


@script
def seidel_2d(A: Tensor["n", "n", "float64"], steps: Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = (
                    A[i - 1, j - 1] + A[i - 1, j] + A[i - 1, j + 1]
                    + A[i, j - 1] + A[i, j] + A[i, j + 1]
                    + A[i + 1, j - 1] + A[i + 1, j] + A[i + 1, j + 1]
                ) / 9.0  # fmt: skip


@script
def triangular_matmul(A: Tensor["m", "m", "float64"], B: Tensor["m", "n", "float64"], alpha: Scalar["float64"]):
    m, n = B.shape
    for i in range(m):
        for j in range(n):
            for k in range(i + 1, m):
                B[i, j] += A[k, i] * B[k, j]
            B[i, j] = alpha * B[i, j]


@script
def back_substitution(U: Tensor["n", "n", "float64"], b: Tensor["n", "float64"], x: Out["n", "float64"]):
    n = b.shape[0]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for j in range(i + 1, n):
            s -= U[i, j] * x[j]
        x[i] = s / U[i, i]


@script
def gram_schmidt(A: Tensor["m", "n", "float64"], Q: Out["m", "n", "float64"], R: Out["n", "n", "float64"]):
    m, n = A.shape
    for k in range(n):
        for j in range(n):
            R[k, j] = 0.0
    for k in range(n):
        norm = 0.0
        for i in range(m):
            norm += A[i, k] * A[i, k]
        R[k, k] = np.sqrt(norm)
        for i in range(m):
            Q[i, k] = A[i, k] / R[k, k]
        for j in range(k + 1, n):
            for i in range(m):
                R[k, j] += Q[i, k] * A[i, j]
            for i in range(m):
                A[i, j] -= Q[i, k] * R[k, j]


@script
def jacobi_2d(A: Tensor["n", "n", "float64"], steps: Size):
    n = A.shape[0]
    B = np.zeros((n, n))
    for t in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                B[i, j] = 0.2 * (A[i, j] + A[i, j - 1] + A[i, j + 1] + A[i + 1, j] + A[i - 1, j])
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                A[i, j] = B[i, j]


@script
def gemm(
    A: In["m", "k", "float64"], B: In["k", "n", "float64"], C: Tensor["m", "n", "float64"], alpha: float, beta: float
):
    m, n = C.shape
    for i in range(m):
        for j in range(n):
            C[i, j] *= beta
        for k in range(A.shape[1]):
            for j in range(n):
                C[i, j] += alpha * A[i, k] * B[k, j]


def _lu(A: Any) -> None:
    for i in range(len(A) - 1):
        A[i + 1 :, i] /= A[i, i]
        A[i + 1 :, i + 1 :] -= np.outer(A[i + 1 :, i], A[i, i + 1 :])


def _cholesky(A: Any) -> None:
    A[:] = np.tril(np.linalg.cholesky(A)) + np.triu(A, 1)


def _floyd_warshall(D: Any) -> None:
    for k in range(len(D)):
        D[:] = np.minimum(D, D[:, k : k + 1] + D[k : k + 1, :])


def _seidel_2d(A: Any, steps: int) -> None:
    for _ in range(steps):
        for i in range(1, len(A) - 1):
            for j in range(1, len(A) - 1):
                A[i, j] = A[i - 1 : i + 2, j - 1 : j + 2].sum() / 9.0


def _triangular_matmul(A: Any, B: Any, alpha: float) -> None:
    B[:] = alpha * (np.tril(A, -1).T @ B + B)


def _back_substitution(U: Any, b: Any, x: Any) -> None:
    x[:] = np.linalg.solve(np.triu(U), b)


def _gram_schmidt(A: Any, Q: Any, R: Any) -> None:
    q, r = np.linalg.qr(A)
    sign = np.sign(np.diag(r))
    Q[:], R[:] = q * sign, r * sign[:, None]
    for k in range(A.shape[1]):  # what the update leaves in A: each column before it was normalised
        A[:, k] = Q[:, k] * R[k, k]


def _jacobi_2d(A: Any, steps: int) -> None:
    for _ in range(steps):
        A[1:-1, 1:-1] = 0.2 * (A[1:-1, 1:-1] + A[1:-1, :-2] + A[1:-1, 2:] + A[2:, 1:-1] + A[:-2, 1:-1])


def _gemm(A: Any, B: Any, C: Any, alpha: float, beta: float) -> None:
    C[:] = alpha * (A @ B) + beta * C


def _random(n: int, *extra: int) -> Any:
    return np.random.default_rng(n).standard_normal((n, *extra))


def _definite(n: int) -> Any:
    a = _random(n, n)
    return a @ a.T + n * np.eye(n)


@dataclass(frozen=True)
class Sample:
    """A script, its reference (same arguments, in place), and its inputs at a size."""

    name: str
    script: Script
    reference: Callable[..., None]
    inputs: Callable[[int], tuple[Any, ...]]

    def kernel_arguments(self, given: tuple[Any, ...]) -> list[Any]:
        """The arguments of the lowered kernel, in the order of its parameters, from those of the function."""
        return kernel_arguments(self.script, given)


def kernel_arguments(program: Script, given: Sequence[Any]) -> list[Any]:
    """The arguments of the lowered kernel of `program` for those of its function; sizes are read off the arrays."""
    code = program.function.__code__  # type: ignore[attr-defined]
    by_name: dict[str, Any] = dict(zip(code.co_varnames[: code.co_argcount], given, strict=True))
    params = program.lower().params
    for param in params:
        if isinstance(param.value, Buffer) and param.name in by_name:
            for size, extent in zip(param.value.shape, by_name[param.name].shape, strict=True):
                if isinstance(size, Var):
                    by_name.setdefault(size.name, extent)
    for param in params:  # results that the function returns
        if isinstance(param.value, Buffer) and param.name not in by_name:
            shape = [int(s) if isinstance(s, Const) else by_name[str(s)] for s in param.value.shape]
            by_name[param.name] = np.empty(shape, param.value.dtype.numpy)
    return [by_name[p.name] for p in params]


SAMPLES: dict[str, Sample] = {
    s.name: s
    for s in (
        Sample("lu", lu, _lu, lambda n: (_definite(n),)),
        Sample("cholesky", cholesky, _cholesky, lambda n: (_definite(n),)),
        Sample("floyd_warshall", floyd_warshall, _floyd_warshall, lambda n: (np.abs(_random(n, n)),)),
        Sample("seidel_2d", seidel_2d, _seidel_2d, lambda n: (_random(n, n), 3)),
        Sample("triangular_matmul", triangular_matmul, _triangular_matmul,
               lambda n: (_random(n, n), _random(n, n + 2), 1.5)),
        Sample("back_substitution", back_substitution, _back_substitution,
               lambda n: (_definite(n), _random(n), np.empty(n))),
        Sample("gram_schmidt", gram_schmidt, _gram_schmidt,
               lambda n: (_random(n + 3, n), np.empty((n + 3, n)), np.empty((n, n)))),
        Sample("jacobi_2d", jacobi_2d, _jacobi_2d, lambda n: (_random(n, n), 4)),
        Sample("gemm", gemm, _gemm,
               lambda n: (_random(n, n + 1), _random(n + 1, n + 2), _random(n, n + 2), 1.5, 0.5)),
    )
}  # fmt: skip
