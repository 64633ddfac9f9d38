"""Random programs give the same on every way from the definition to the machine; see `oracle`."""

from __future__ import annotations

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.property.oracle import STRATEGIES, check

SEEDS = st.integers(0, 2**31 - 1)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller seed is not a smaller program
PARTS = 10  # of the long run: tests that workers share
LONG = {"te": 100, "script": 100, "source": 50}  # examples of one part


def _strategies(seed: int) -> tuple[object, ...]:
    """The strategy that users get, and one of the others."""
    return STRATEGIES[0], STRATEGIES[1 + seed % (len(STRATEGIES) - 1)]


@settings(max_examples=90, phases=PHASES)
@given(SEEDS)
@example(1177)  # a tail of one 16-bit element wrote its neighbour
def test_definitions(seed: int) -> None:
    check("te", seed, (STRATEGIES[seed % len(STRATEGIES)],))


@settings(max_examples=70, phases=PHASES)
@given(SEEDS)
def test_nests(seed: int) -> None:
    check("script", seed, (STRATEGIES[seed % len(STRATEGIES)],))


@settings(max_examples=40, phases=PHASES)
@given(SEEDS)
def test_sources(seed: int) -> None:
    check("source", seed, (STRATEGIES[seed % len(STRATEGIES)],))


@pytest.mark.long
@pytest.mark.parametrize("family", LONG)
@pytest.mark.parametrize("part", range(PARTS))
def test_many(family: str, part: int) -> None:
    """More than 2,000 programs, each under two strategies."""

    @settings(max_examples=LONG[family], phases=PHASES)
    @given(SEEDS)
    def run(seed: int) -> None:
        seed = part + PARTS * seed
        check(family, seed, _strategies(seed // PARTS))

    run()


def test_tiles_of_a_wavefront_that_share_an_accumulator() -> None:
    """Found by the long run: a reduction of free order inside a band that looked fit for wavefronts."""
    check("script", 14957676295, ("auto", {"fusion": "none"}))
