"""Timings and machine limits: plausible numbers, no assertion on speed."""

import itertools

import pytest

from akg.base.dtype import float32, float64
from akg.runtime import measure


def test_summary() -> None:
    timing = measure.summarize([4.0, 1.0, 3.0, 2.0, 5.0], calls=10)
    assert (timing.best_us, timing.low_us, timing.median_us, timing.high_us) == (1.0, 2.0, 3.0, 4.0)
    assert str(timing) == "3 us median, quartiles 2 us .. 4 us, best 1 us (n = 5 x 10)"
    assert timing.rate(6.0) == 2e6
    assert measure.summarize([2.5]).high_us == 2.5


@pytest.mark.parametrize(("us", "text"), [(0.5, "0.5 us"), (1234.0, "1.23 ms"), (2e6, "2 s")])
def test_units(us: float, text: str) -> None:
    assert str(measure.summarize([us])).startswith(f"{text} median")


def test_sample_counts() -> None:
    counter = itertools.count()
    timing = measure.sample(lambda: next(counter), repeat=4, min_time_s=0)
    assert timing.samples == 4 and next(counter) >= 4 * timing.calls
    prepared: list[int] = []
    timing = measure.sample(lambda: None, repeat=3, before=lambda: prepared.append(1))
    assert timing.calls == 1 and len(prepared) == 3


@pytest.mark.parametrize("dtype", [float32, float64])
def test_fma_peak(dtype: object) -> None:
    rate = measure.measure_fma_peak(1, dtype=dtype, burst_us=100, samples=3)  # type: ignore[arg-type]
    assert rate > 1e6


@pytest.mark.parametrize("nontemporal", [False, True])
def test_copy_bandwidth(nontemporal: bool) -> None:
    assert measure.measure_read_bandwidth(1 << 20, 2, samples=3) > 1e5
    assert measure.measure_copy_bandwidth(1 << 20, 2, nontemporal=nontemporal, samples=3) > 1e5
