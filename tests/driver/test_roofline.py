"""Predicted times: which resource bounds a kernel, from its loops and the target alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

import akg
from akg import ops, te
from akg.base.core import core_of
from akg.base.target import Target
from akg.driver import pipeline
from akg.driver.roofline import predict
from akg.ir.lower import lower_te
from akg.ir.text import parse_kernel
from akg.poly.strategy import resolve_strategy

KIB = 1024
ZEN4 = Target("zen", "llvm", "x86_64", "x86-64-v4", frozenset({"avx512f", "avx512vl"}), 512, 32, 32 * KIB, 1 << 20,
              1 << 25, 2, core=core_of("x86_64", "znver4", 512))  # fmt: skip


def compiled(outputs: list[te.Tensor], inputs: list[te.Tensor]) -> pipeline.Compilation:
    state = pipeline.start(lower_te(outputs, inputs), resolve_strategy("auto"), ZEN4)
    return pipeline.run(state, (*pipeline.SCHEDULE, *pipeline.MAP))


def test_a_product_is_bound_by_multiply_adds() -> None:
    a, b = te.placeholder((256, 192), name="A"), te.placeholder((192, 256), name="B")
    state = compiled([ops.matmul(a, b)], [a, b])
    assert state.result is not None
    found = predict(state.result, ZEN4)
    assert found is not None and found.bound.name == "multiply-adds" and found.threads == 1
    least = 256 * 192 * 256 / 16 / ZEN4.core.clock_ghz / 1000
    assert least <= found.us < 1.15 * least
    wide = predict(state.result, replace(ZEN4, core=replace(ZEN4.core, multiply_adds=2.0, loads=2.0)))
    assert wide is not None and wide.us < 0.75 * found.us
    shared = predict(state.result, ZEN4, threads=2)
    assert shared is not None and shared.threads == 2
    assert found.us / 2 < shared.us < found.us / 2 + 2 * ZEN4.core.wake_us


@pytest.mark.parametrize(("rows", "bound"), [(1 << 14, "memory"), (512, "the second-level cache")])
def test_a_chain_is_bound_by_where_its_arrays_lie(rows: int, bound: str) -> None:
    x, y = te.placeholder((rows, 1024), name="X"), te.placeholder((rows, 1024), name="Y")
    state = compiled([ops.relu(ops.add(x, y))], [x, y])
    assert state.result is not None
    found = predict(state.result, ZEN4)
    assert found is not None and found.bound.name == bound
    if bound == "memory":  # the output goes past the caches
        least = 3 * rows * 4096 / ZEN4.core.memory_cycle_bytes / ZEN4.core.clock_ghz / 1000
        assert least <= found.us < 1.2 * least


def test_branches_that_are_not_taken_half_way_do_not_count() -> None:
    whole = """
kernel f(X: in float32[64, 1024], Y: out float32[64, 1024]):
    for i in [0, 64):
        vector for j in [0, 1024):
            S: Y[i, j] = sqrt(X[i, j])
"""
    inner = whole.replace("            S:", "                S:")
    parts = inner.replace("vector for", "if i < 63:\n            vector for")
    times = [predict(parse_kernel(text), ZEN4) for text in (whole, parts)]
    assert times[0] is not None and times[0] == times[1]


def test_symbolic_sizes_have_no_time() -> None:
    n = te.var("n")
    x = te.placeholder((n, 64), name="X")
    state = compiled([ops.add(x, x)], [x])
    assert state.result is not None and predict(state.result, ZEN4) is None


def test_explain_tells_costs_beside_the_next_best() -> None:
    a, b = te.placeholder((40, 1000), name="A"), te.placeholder((1000, 1600), name="B")
    schedule = akg.lower([ops.matmul(a, b)], inputs=[a, b]).schedule(target=ZEN4)
    text = schedule.compile(ZEN4).explain().text
    costs = text[text.index("costs:") :]
    assert "register tile: " in costs and "next best" in costs and "multiply-adds a cycle of 1" in costs
    assert "B for tiles of rows: in p" in costs and "of waits in place" in costs
    assert "in all: " in costs and "threads: " in costs
