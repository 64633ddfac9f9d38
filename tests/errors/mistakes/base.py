"""What mistakes are made with: definitions, kernels and arrays, and the table of them."""
# ruff: noqa: F821
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

from collections.abc import Callable
from typing import Any

import numpy as np

import akg
from akg import te
from akg.base.target import host

F = np.float32
CASES: dict[str, tuple[Callable[[], object], str]] = {}


def case(expected: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """A mistake and its message."""

    def add(function: Callable[[], object]) -> Callable[[], object]:
        assert function.__name__ not in CASES
        CASES[function.__name__] = (function, expected)
        return function

    return add


def adder(n: Any = 6) -> tuple[te.Tensor, te.Tensor, te.Tensor]:
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    return te.compute((n,), lambda i: a[i] + b[i], name="add"), a, b


SUM, A, B = adder()
BYTES = te.placeholder((4,), "int8", name="BYTES")
M = te.placeholder((4, 8), name="M")
k = te.reduce_axis(8, name="k")
n = te.var("n")
V = te.placeholder((n,), name="V")
ones = np.ones(6, F)
memory = np.ones(16, F)


def kernel() -> akg.Kernel:
    return akg.build([SUM], inputs=[A, B])


def symbolic() -> akg.Kernel:
    total, a, b = adder(n)
    return akg.build([total], inputs=[a, b])


@akg.script
def increment(A: akg.Tensor["n", "float64"]):
    for i in range(A.shape[0]):
        A[i] += 1.0


@akg.script
def pairs(A: akg.Tensor["n + 2", "float32"]):
    for i in range(A.shape[0] - 2):
        A[i] += A[i + 2]


OTHER = "aarch64-neon" if host().arch == "x86_64" else "x86-64-v3"


class LooksLikeATensor:
    """An object of a library that akg cannot read."""

    shape, dtype = (6,), "float32"


class ReadOnly(np.ndarray[Any, Any]):
    """An array whose flag is set in one expression."""

    def freeze(self) -> np.ndarray[Any, Any]:
        self.flags.writeable = False
        return self.view(np.ndarray)


def frozen() -> np.ndarray[Any, Any]:
    return np.ones(6, F).view(ReadOnly).freeze()


def tower() -> te.Tensor:
    def body(i: Any) -> Any:
        value = A[i]
        for _ in range(5000):
            value = value + 1.0
        return value

    return te.compute((6,), body, name="tower")


def doubled() -> akg.Kernel:
    return akg.build([te.compute((4, 8), lambda i, j: M[i, j] * 2.0, name="doubled")])


def scaled(dtype: str) -> akg.Kernel:
    x, s = te.placeholder((4,), dtype, name="x"), te.scalar("s", dtype)
    return akg.build([te.compute((4,), lambda i: x[i] * s, name="scaled")], inputs=[x, s])
