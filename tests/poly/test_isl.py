"""The isl layer: every trap of the library has its test."""

import pytest

from akg.base.errors import InternalError
from akg.poly import isl


def test_text_behind_the_end_is_refused() -> None:
    for text in ("{ A[i] : 0 <= i < 10 }{ A[j] : 0 <= j < 10 }", "{ A[i] } rest", "{ A[i] : 0 <= i"):
        with pytest.raises(InternalError) as error:
            isl.parse_set(text)
        assert repr(text) in str(error.value)


def test_a_syntax_error_has_the_text() -> None:
    with pytest.raises(InternalError, match=r"0 @ i"):
        isl.parse_set("{ A[i] : 0 @ i }")


def test_tuples_that_do_not_meet_are_an_error_on_unions() -> None:
    first = isl.union_map([isl.parse_map("{ S[i] -> A[i] }")])
    second = isl.union_map([isl.parse_map("{ B[i] -> T[i] }")])
    assert isl.is_empty(first.apply_range(second)), "the trap: isl says nothing"
    with pytest.raises(InternalError, match="'A'"):
        isl.apply_checked(first, second)


def test_tuples_that_do_not_meet_are_an_error_with_operands_on_maps() -> None:
    with pytest.raises(InternalError) as error:
        isl.compose(isl.parse_map("{ S[i] -> A[i] }"), isl.parse_map("{ B[i] -> T[i] }"))
    assert "S[i] -> A" in str(error.value)
    assert "B[i] -> T" in str(error.value)
    with pytest.raises(InternalError, match=r"S\[i\].*T\[i\]"):
        isl.intersect(isl.parse_set("{ S[i] }"), isl.parse_set("{ T[i] }"))


def test_a_budget_gives_unknown_and_leaves_the_context_usable() -> None:
    hard = isl.parse_map("{ S[i, j, k] -> A[3 i + 5 j - 7 k, i + j] : 0 <= i, j, k < 1000 }")
    with pytest.raises(isl.Unknown), isl.budget(10):
        isl.is_empty(isl.compose(hard, hard.reverse()).subtract(isl.compose(hard, hard.reverse()).coalesce()))
    assert not isl.is_empty(isl.parse_set("{ A[i] : 0 <= i < 10 }"))


def test_spaces_have_names() -> None:
    with pytest.raises(InternalError, match="needs a name"):
        isl.set_space("", ["i"], [])
    with pytest.raises(InternalError, match="repeat"):
        isl.set_space("S", ["i", "N"], ["N"])
    space = isl.set_space("S", ["i"], ["N"])
    assert str(isl.universe(space)) == "[N] -> { S[i] }"


def test_unions_need_tuple_names() -> None:
    with pytest.raises(InternalError, match="tuple name"):
        isl.union_map([isl.parse_map("{ [i] -> [i] }")])
    with pytest.raises(InternalError, match="tuple name"):
        isl.union_set([isl.parse_set("{ [i] }")])
    with pytest.raises(InternalError, match="no maps"):
        isl.union_map([])


def test_scheduler_options_are_checked() -> None:
    domain = isl.parse_set("{ S[i] : 0 <= i < 4 }")
    with pytest.raises(InternalError, match="no option 'speed'"):
        isl.compute_schedule([domain], isl.parse_set("{ : }"), [], [], [], {"speed": 1})


def test_sampling() -> None:
    assert isl.sample(isl.parse_set("{ A[i] : 3 <= i < 3 }")) is None
    assert isl.lexmin_point(isl.parse_set("{ A[i, j] : 3 <= i < 9 and i < j < 9 }")) == ([], [3, 4])
    assert isl.points(isl.parse_set("{ A[i] : 3 <= i < 6 }")) == [[3], [4], [5]]
    assert isl.integer(isl.val(2**70)) == 2**70
