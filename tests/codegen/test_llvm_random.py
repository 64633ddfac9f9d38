"""Random loop nests, of every mix of loop kinds, compiled and interpreted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from akg.base.dtype import dtype_of, index, tolerance
from akg.codegen.backend import Module
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, binary, cast, select
from akg.ir.stmt import Alloc, For, If, Kernel, Param, Stmt, Store, block

SIZE = 64  # the inputs are SIZE x SIZE; subscripts stay inside by construction
LIMITS = {"i": 19, "j": 23, "k": 6}
I, J, K, N = Var("i"), Var("j"), Var("k"), Var("n")


class Generator:
    """Draws kernels over inputs X and P and the output Y[i, j], which one iteration (i, j) owns."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype_of(str(self.rng.choice(["float32", "float64", "int32", "float16"])))
        self.x = Buffer("X", (Const(SIZE), Const(SIZE)), self.dtype)
        self.p = Buffer("P", (Const(SIZE),), dtype_of("int32"))
        self.y = Buffer("Y", (N, Const(LIMITS["j"])), self.dtype)
        self.total = 0

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def name(self) -> str:
        self.total += 1
        return f"S{self.total}"

    def subscript(self, scope: list[Var]) -> Expr:
        """An index in [0, SIZE)."""
        v, w = self.pick(*scope), self.pick(*scope)
        return self.pick(
            v, v + w, Const(SIZE - 1) - v - w, v * 2, v // 3, (v * 5 + w) % 7, Const(9), v + 11,
            binary("min", v, w), cast(Load(self.p, (v,)), index),
        )  # fmt: skip

    def condition(self, scope: list[Var]) -> Expr:
        v, w = self.pick(*scope), self.pick(*scope)
        return self.pick(v < w, v >= 5, (v + w) % 3 < 2, binary("ne", v, w), (v < 9) & (w > 2), N > 3)

    def value(self, scope: list[Var], depth: int, extra: list[Expr]) -> Expr:
        if depth == 0:
            leaf = self.pick("load", "load", "const", "var", *(["extra"] * len(extra)))
            if leaf == "load":
                return Load(self.x, (self.subscript(scope), self.subscript(scope)))
            if leaf == "extra":
                return self.pick(*extra)
            return Const(2, self.dtype) if leaf == "const" else cast(self.pick(*scope), self.dtype)
        a, b = self.value(scope, depth - 1, extra), self.value(scope, int(self.rng.integers(depth)), extra)
        shape = self.pick("add", "sub", "max", "min", "select", "far", "mul")
        if shape == "select":
            return select(self.condition(scope), a, b)
        if shape == "far":  # must not be read where the condition fails
            v = self.pick(*scope)
            return select(v < 4, a, Load(self.x, (v - 4, self.subscript(scope))))
        if shape == "mul":
            return a * Const(1, self.dtype) - b
        return binary(shape, a, b)

    def body(self) -> Stmt:
        here = (I, J)
        scope = [I, J]
        t = Buffer("t", (Const(3),), self.dtype.compute, "local")
        slot = (Const(int(self.rng.integers(3))),)
        first = Store(t, slot, cast(self.value(scope, 2, []), t.dtype), self.name())
        parts: list[Stmt] = [first]
        old = Load(t, slot)
        if self.pick(True, False):
            op = self.pick("add", "max", "min")
            term = cast(self.value([*scope, K], 1, []), t.dtype)
            update: Stmt = Store(t, slot, Binary(op, old, term), self.name(), "sum" if op == "add" else op)
            if self.pick(True, False):
                update = If(self.condition([*scope, K]), update)
            parts.append(For(K, Const(0), Const(LIMITS["k"]), update, self.pick("serial", "serial", "unroll")))
        result = Store(self.y, here, cast(self.value(scope, 2, [cast(old, self.dtype)]), self.dtype), self.name())
        parts.append(result)
        if self.pick(True, False):
            again = Store(self.y, here, cast(self.value(scope, 1, [Load(self.y, here)]), self.dtype), self.name())
            parts.append(If(self.condition(scope), again, self.pick(None, result_again(self, result))))
        return Alloc(t, block(*parts))

    def kernel(self) -> Kernel:
        kinds = ("serial", "vector", "parallel")
        inner = For(J, self.pick(Const(0), Const(2)), Const(LIMITS["j"]), self.body(), self.pick(*kinds))
        nest = For(I, Const(0), N, inner, self.pick(*kinds))
        params = (Param(self.x, "in"), Param(self.p, "in"), Param(self.y, "inout"), Param(N, "size"))
        return Kernel("f", params, nest)


def result_again(generator: Generator, store: Store) -> Store:
    """The same store under another name."""
    return Store(store.buffer, store.indices, store.value, generator.name())


@pytest.mark.parametrize("seed", range(150))
def test_random_nest(check: Callable[..., Module], seed: int) -> None:
    generator = Generator(seed)
    dtype = generator.dtype
    rows = LIMITS["i"]
    rng = generator.rng
    x = rng.integers(-9, 9, (SIZE, SIZE)).astype(dtype.numpy)  # small integers: sums are exact in any order
    p = rng.integers(0, SIZE, SIZE).astype(np.int32)
    y = rng.integers(-9, 9, (rows, LIMITS["j"])).astype(dtype.numpy)
    check(generator.kernel(), x, p, y, rows, rtol=tolerance(dtype))
