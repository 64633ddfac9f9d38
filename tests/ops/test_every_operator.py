"""Every operator of the library, of every type that it takes, against NumPy in float64 over ten sets of sizes.

One kernel of symbolic sizes serves all sets where the definition allows them, else every set is a kernel. Every type,
and every set as constants of a kernel of its own, is behind the mark `long`.
"""

import math
from collections.abc import Sequence

import pytest

from akg import ops
from akg.base.errors import AkgError
from tests.ops.coverage import ANY, LARGE, Row, Sizes, check, define, elements
from tests.ops.rows_lines import LINES
from tests.ops.rows_movement import MOVED
from tests.ops.rows_pointwise import POINTWISE
from tests.ops.rows_windows import WINDOWED

ROWS: dict[str, Row] = {**POINTWISE, **LINES, **WINDOWED, **MOVED}
NAMES = [entry.name for entry in ops.table()]
LEAST = 10  # sets of sizes


def test_every_operator_has_a_row() -> None:
    assert sorted(ROWS) == NAMES
    assert sum(map(len, (POINTWISE, LINES, WINDOWED, MOVED))) == len(ROWS)


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_of_every_sort(name: str) -> None:
    row = ROWS[name]
    assert len(set(row.sets)) >= LEAST
    shapes = [[n for operand in row.shapes(values) for n in operand] for values in row.sets]
    sizes = {n for shape in shapes for n in shape}
    assert 0 in sizes and 1 in sizes, "an empty one and 1"
    assert any(n % 2 and n > 1 and not is_prime(n) for n in sizes), "odd, and no prime"
    assert any(is_prime(n) and n >= 5 for n in sizes), "a prime"
    assert max(elements(row, values) for values in row.sets) >= LARGE


@pytest.mark.parametrize("name", NAMES)
def test_types_are_all_that_it_takes(name: str) -> None:
    """A type that the definition takes is tested, and one that is tested is taken."""
    row = ROWS[name]
    taken: list[str] = []
    for dtype in ANY:
        try:
            define(name, row, row.sets[-1], dtype)
        except AkgError:
            continue
        taken.append(dtype)
    assert taken == [dtype for dtype in ANY if dtype in row.types]


def some(name: str) -> list[tuple[str, Sequence[Sizes]]]:
    """Types with sets: one type with all sets, and every fourth of the others, with two where each is a kernel."""
    row, first = ROWS[name], NAMES.index(name)
    main = "float32" if "float32" in row.types else row.types[0]
    others = [dtype for dtype in row.types if dtype != main][first % 4 :: 4]
    few = [row.sets[(first + k) % len(row.sets)] for k in (0, 4)]
    return [(main, row.sets), *((dtype, row.sets if row.symbolic else few) for dtype in others)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of references: means of nothing, overflow
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str) -> None:
    for dtype, sets in some(name):
        check(name, ROWS[name], dtype, sets)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of references: means of nothing, overflow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ANY)
def test_values_of_every_type(dtype: str, name: str) -> None:
    """One kernel for each set of sizes, which are constants in it; then one for all, where sizes may be symbolic."""
    row = ROWS[name]
    if dtype in row.types:
        for values in row.sets:
            check(name, row, dtype, [values])
        if row.symbolic:
            check(name, row, dtype, row.sets)
