"""Register tiles in triangular domains: full tiles apart from partial ones, every instance exactly once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from akg.base.target import Target
from akg.driver import pipeline
from akg.ir import stmt
from akg.ir.affine import Affine
from akg.ir.expr import Var
from akg.ir.interp import interpret
from akg.ir.text import parse_kernel
from akg.poly.astgen.scan import scan
from akg.poly.scop import extract_scop
from akg.poly.strategy import resolve_strategy
from akg.poly.tree import LEAF, Band, Domain, Member

WIDE = Target("wide", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f"}), 512, 32, cores=2)

UPPER = """
kernel upper(A: in float64[k, n], C: inout float64[n, n], n: size, k: size):
    for i in [0, n):
        for j in [i, n):
            for p in [0, k):
                S0 (sum): C[i, j] = C[i, j] + A[p, i] * A[p, j]
"""
LOWER = """
kernel lower(A: in float64[k, n], C: inout float64[n, n], n: size, k: size):
    for i in [0, n):
        for j in [0, i + 1):
            for p in [0, k):
                S0 (sum): C[i, j] = C[i, j] + A[p, i] * A[p, j]
"""
DEEP = """
kernel deep(A: in float64[k, n], C: inout float64[n, n], n: size, k: size):
    for i in [0, n):
        for j in [0, k):
            for p in [max(i - 3, 0), min(n, i + 5)):
                S0 (sum): C[i, j] = C[i, j] + A[j, p] * A[j, i]
"""


@pytest.mark.parametrize("text", [UPPER, LOWER], ids=["upper", "lower"])
@pytest.mark.parametrize("size", [1, 2, 7, 33, 75])
def test_triangles_keep_their_sums_in_registers(text: str, size: int) -> None:
    kernel = parse_kernel(text)
    state = pipeline.start(kernel, resolve_strategy("auto"), WIDE)
    pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP), check=True)
    assert state.result is not None
    registers = [s.buffer for s in stmt.walk(state.result.body) if isinstance(s, stmt.Alloc)]
    assert any(b.scope == "register" and len(b.shape) == 2 for b in registers)
    rng = np.random.default_rng(size)
    a, c = rng.standard_normal((5, size)), rng.standard_normal((size, size))
    want = c.copy()
    interpret(kernel, a, want, size, 5)
    for order in ("forward", "shuffle"):
        got = c.copy()
        interpret(state.result, a, got, size, 5, order=order, seed=2)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


ORDERS = {
    "rows first": (("i", 3, "serial"), ("j", 5, "serial")),
    "lanes first": (("j", 5, "serial"), ("i", 3, "serial")),
    "threads": (("j", 5, "parallel"), ("i", 3, "serial")),
}


@pytest.mark.parametrize("text", [UPPER, LOWER, DEEP], ids=["upper", "lower", "deep"])
@pytest.mark.parametrize("order", list(ORDERS))
@pytest.mark.parametrize("block", [0, 4])
@pytest.mark.parametrize("size", [1, 4, 11])
def test_every_instance_runs_once(text: str, order: str, block: int, size: int) -> None:
    scop = extract_scop(parse_kernel(text))
    rows = {v: {"S0": Affine.var(Var(v))} for v in "ijp"}
    tiles = tuple([Member(rows[v], tile=tile, kind=kind) for v, tile, kind in ORDERS[order]])  # type: ignore[arg-type]
    blocks = (Member(rows["p"], tile=block),) if block else ()
    points = (Member(rows["i"], kind="unroll"), Member(rows["j"], kind="vector"))
    tree = Domain(("S0",), Band(tiles, True, Band((*blocks, Member(rows["p"])), True, Band(points, True, LEAF))))
    seen = _instances(scan(scop, tree)[0], {"n": size, "k": 6})
    want = _instances(scop.kernel.body, {"n": size, "k": 6})
    assert seen == want
    assert set(seen.values()) <= {1}


def _instances(body: stmt.Stmt, values: dict[str, int]) -> Counter[Any]:
    """How often each instance of S0 runs; an instance is told by its subscripts."""
    found: Counter[Any] = Counter()

    def run(inner: stmt.Stmt, at: dict[str, int]) -> None:
        if isinstance(inner, stmt.For):
            for x in range(_value(inner.begin, at), _value(inner.end, at), inner.step):
                run(inner.body, {**at, inner.var.name: x})
        elif isinstance(inner, stmt.Block):
            for part in inner.body:
                run(part, at)
        elif isinstance(inner, stmt.If):
            chosen = inner.then if _value(inner.cond, at) else inner.orelse
            if chosen is not None:
                run(chosen, at)
        elif isinstance(inner, stmt.Store):
            loads = inner.value.children[1].children
            found[tuple(_value(i, at) for load in (*loads, inner) for i in load.indices)] += 1  # type: ignore[union-attr]

    run(body, values)
    return found


def _value(expr: Any, at: dict[str, int]) -> Any:
    if not expr.children:
        return at[expr.name] if isinstance(expr, Var) else expr.value
    a, b = (_value(c, at) for c in expr.children)
    operations = {
        "add": a + b, "sub": a - b, "mul": a * b, "min": min(a, b), "max": max(a, b), "mod": a % b if b else 0,
        "ge": a >= b, "le": a <= b, "lt": a < b, "and": a and b,
    }  # fmt: skip
    return operations[expr.op]
