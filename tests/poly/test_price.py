"""The prices of tiles and copies: what follows from ports, caches and how often an operand is used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akg.base.core import Core, core_of
from akg.base.target import resolve_target
from akg.poly.price import NEAR, crowding, feed_of, packing, step_cycles, together
from akg.poly.register_tile import Space, outer_product_tile

ZEN4 = replace(resolve_target("x86-64-v4"), l2_bytes=1 << 20, l3_bytes=1 << 25, core=core_of("x86_64", "znver4", 512))


def test_the_slowest_port_sets_the_time_of_a_step() -> None:
    core = Core(multiply_adds=1.0, loads=1.0, latency=4.0)
    assert 24 <= step_cycles(core, 24, 8.6) < 25
    assert step_cycles(replace(core, multiply_adds=2.0), 24, 8.6) < 13
    assert step_cycles(core, 1, 1) >= core.latency
    assert 8 <= together(8, 2) < 8.01 and 8 < together(8, 8) < 9


def test_a_copy_pays_for_operands_that_are_far_and_used_often() -> None:
    far = feed_of(ZEN4, (1000, 777), 1000, 4, 0)
    assert far.is_far
    assert not packing(ZEN4.core, far, 4, 8).pays, "31 rows"
    assert packing(ZEN4.core, far, 250, 4).pays, "1000 rows"
    near = feed_of(ZEN4, (64, 512), 64, 4, 0)
    assert not near.is_far and not packing(ZEN4.core, near, 1000, 4).pays


def test_operands_cost_more_the_further_they_are() -> None:
    sizes = ((512, 512), (1024, 1023), (8192, 1023), (8192, 1024))
    places = [feed_of(ZEN4, shape, shape[0], 4, 0).place for shape in sizes]
    assert places[1] < places[2] < places[3], "the last one's rows are a multiple of a page apart"


def test_rows_in_few_sets_are_crowded() -> None:
    core = Core()
    assert crowding(core, 4, 8) == 0.0 < crowding(core, 6, 8) < crowding(core, 8, 8) < crowding(core, 9, 8)


@pytest.mark.parametrize(
    ("name", "rows", "lanes", "registers"),
    [("x86-64-v2", 1, 4, 16), ("x86-64-v3", 4, 8, 16), ("x86-64-v4", 4, 16, 32), ("aarch64-neon", 4, 4, 32),
     ("aarch64-sve256", 4, 8, 32), ("aarch64-sve512", 4, 16, 32)],
)  # fmt: skip
def test_tiles_follow_registers_and_lanes(name: str, rows: int, lanes: int, registers: int) -> None:
    """As many accumulators as fit beside operands, and enough of them to hide the latency of multiply-adds."""
    target = resolve_target(name)
    assert (target.vector_registers, target.lanes(32)) == (registers, lanes)
    tile = outer_product_tile(Space(480, 480, target.lanes(32), feed=NEAR), registers, target.core)
    vectors = tile.columns // lanes
    assert tile.rows >= rows and tile.columns % lanes == 0
    assert tile.rows * vectors + vectors + 1 <= registers
    assert tile.rows * vectors >= target.core.latency * target.core.multiply_adds
