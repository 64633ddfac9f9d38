"""Kernels for the tests of the polyhedral room, and their instances by plain execution."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.ir.expr import Binary, Const, Expr, Load, Select, Unary, Var
from akg.ir.stmt import Alloc, Block, For, If, Kernel, Stmt, Store
from akg.ir.text import parse_kernel
from tests.helpers import shape_of

TEXTS = {
    "matmul": """
kernel matmul(A: in float64[M, K], B: in float64[K, N], C: out float64[M, N], M: size, N: size, K: size):
    for i in [0, M):
        for j in [0, N):
            S0: C[i, j] = 0.0f64
            for k in [0, K):
                S1 (sum): C[i, j] = C[i, j] + A[i, k] * B[k, j]
""",
    "softmax": """
kernel softmax(X: in float64[M, N], Y: out float64[M, N], M: size, N: size):
    alloc m: float64[M] global
    alloc e: float64[M, N] global
    alloc s: float64[M] global
    for i0 in [0, M):
        m_init: m[i0] = -inf_f64
    for i1 in [0, M):
        for j1 in [0, N):
            m_update (max): m[i1] = max(m[i1], X[i1, j1])
    for i2 in [0, M):
        for j2 in [0, N):
            e_: e[i2, j2] = exp(X[i2, j2] - m[i2])
    for i3 in [0, M):
        s_init: s[i3] = 0.0f64
    for i4 in [0, M):
        for j4 in [0, N):
            s_update (sum): s[i4] = s[i4] + e[i4, j4]
    for i5 in [0, M):
        for j5 in [0, N):
            Y_: Y[i5, j5] = e[i5, j5] / s[i5]
""",
    "jacobi": """
kernel jacobi(A: inout float64[N], B: inout float64[N], T: size, N: size):
    for t in [0, T):
        for i in [1, N - 1):
            S0: B[i] = (A[i - 1] + A[i] + A[i + 1]) * 0.25f64
        for j in [1, N - 1):
            S1: A[j] = (B[j - 1] + B[j] + B[j + 1]) * 0.25f64
""",
    "lu": """
kernel lu(A: inout float64[n, n], n: size):
    for i in [0, n):
        for j in [0, i):
            for k in [0, j):
                S0: A[i, j] = A[i, j] - A[i, k] * A[k, j]
            S1: A[i, j] = A[i, j] / A[j, j]
        for l in [i, n):
            for p in [0, i):
                S2: A[i, l] = A[i, l] - A[i, p] * A[p, l]
""",
    "seidel": """
kernel seidel(A: inout float64[N, N], T: size, N: size):
    for t in [0, T):
        for i in [1, N - 1):
            for j in [1, N - 1):
                S0: A[i, j] = (A[i - 1, j] + A[i - 1, j + 1] + A[i, j - 1] + A[i, j + 1] + A[i + 1, j]) / 6.0f64
""",
    "guarded": """
kernel guarded(A: inout float64[N], B: inout float64[N], N: size):
    for i in [0, N):
        if i % 3 == 1:
            S0: A[i] = B[N - 1 - i] + 1.0f64
        for j in [max(i - 2, 0), min(i + 2, N)):
            S1: B[j] = A[j // 2] + select(i + 1 < N, A[min(i + 1, N - 1)], 0.0f64)
""",
}
SIZES: dict[str, dict[str, int]] = {
    "matmul": {"M": 3, "N": 4, "K": 5}, "softmax": {"M": 3, "N": 4}, "jacobi": {"T": 4, "N": 7}, "lu": {"n": 5},
    "seidel": {"T": 3, "N": 5}, "guarded": {"N": 8},
}  # fmt: skip


def kernel(name: str) -> Kernel:
    """A kernel of `TEXTS`."""
    return parse_kernel(TEXTS[name].strip() + "\n")


@dataclass(frozen=True)
class Event:
    """One executed instance: what it read and wrote, as (buffer name, subscripts)."""

    name: str
    values: tuple[int, ...]
    reads: frozenset[tuple[Any, ...]]
    write: tuple[Any, ...]


def events(source: Kernel, sizes: Mapping[str, int]) -> list[Event]:
    """Every instance in execution order; index arithmetic only, no values."""
    return list(_run(source.body, dict(sizes), ()))


def _run(stmt: Stmt, env: dict[str, int], loops: tuple[str, ...]) -> Iterator[Event]:
    if isinstance(stmt, Block):
        for inner in stmt.body:
            yield from _run(inner, env, loops)
    elif isinstance(stmt, For):
        for value in range(number(stmt.begin, env), number(stmt.end, env), stmt.step):
            yield from _run(stmt.body, {**env, stmt.var.name: value}, (*loops, stmt.var.name))
    elif isinstance(stmt, Alloc):
        yield from _run(stmt.body, env, loops)
    elif isinstance(stmt, If):
        if number(stmt.cond, env):
            yield from _run(stmt.then, env, loops)
        elif stmt.orelse is not None:
            yield from _run(stmt.orelse, env, loops)
    else:
        assert isinstance(stmt, Store)
        reads = frozenset(_reads(stmt.value, env))
        write = (stmt.buffer.name, *[number(i, env) for i in stmt.indices])
        yield Event(stmt.name, tuple(env[v] for v in loops), reads, write)


def _reads(expr: Expr, env: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    if isinstance(expr, Load):
        yield (expr.buffer.name, *[number(i, env) for i in expr.indices])
    elif isinstance(expr, Select):
        yield from _reads(expr.a if number(expr.cond, env) else expr.b, env)
    else:
        for child in expr.children:
            yield from _reads(child, env)


_OPS: dict[str, Any] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b, "min": min, "max": max, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b,
}  # fmt: skip


def number(expr: Expr, env: Mapping[str, int]) -> int:
    """The value of an index expression or condition."""
    if isinstance(expr, Const):
        return int(expr.value)
    if isinstance(expr, Var):
        return env[expr.name]
    if isinstance(expr, Unary):
        value = number(expr.a, env)
        return -value if expr.op == "neg" else int(not value)
    assert isinstance(expr, Binary)
    return int(_OPS[expr.op](number(expr.a, env), number(expr.b, env)))


def conflicts(run: list[Event]) -> set[tuple[Event, Event]]:
    """The pairs, in order, that touch one element, at least one of them writing."""
    result: set[tuple[Event, Event]] = set()
    for k, later in enumerate(run):
        for earlier in run[:k]:
            if earlier.write in later.reads or later.write in earlier.reads or earlier.write == later.write:
                result.add((earlier, later))
    return result


def arguments(source: Kernel, sizes: Mapping[str, int], seed: int = 0) -> list[Any]:
    """Fresh arguments in calling order: normal numbers away from 0 on the diagonal, so that LU is stable."""
    rng = np.random.default_rng(seed)
    result: list[Any] = []
    for param in source.params:
        if isinstance(param.value, Var):
            result.append(sizes[param.name])
            continue
        shape = shape_of(param.value, sizes)
        data = rng.standard_normal(shape)
        if len(shape) == 2 and shape[0] == shape[1]:
            data += 4.0 * np.eye(shape[0])
        result.append(data)
    return result
