"""Accesses proved in bounds and initialised, or refused with an instance."""

import pytest

from akg.base.errors import AkgError
from akg.ir.text import parse_kernel
from akg.poly.access_check import check_accesses, check_initialised
from akg.poly.coverage import is_covered
from akg.poly.scop import Scop, extract_scop
from tests.poly import kernels


def scop_of(body: str, params: str = "A: inout float64[n], B: in float64[n], n: size") -> Scop:
    lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
    return extract_scop(parse_kernel(f"kernel k({params}):\n{lines}\n"))


@pytest.mark.parametrize("name", kernels.TEXTS)
def test_the_kernels_are_fine(name: str) -> None:
    scop = extract_scop(kernels.kernel(name))
    assert check_accesses(scop) == []
    assert check_initialised(scop) == []


def test_a_read_behind_the_end_names_the_instance() -> None:
    scop = scop_of("for i in [0, 10):\n    S0: A[i] = A[i + 1]", "A: inout float64[10]")
    with pytest.raises(AkgError) as error:
        check_accesses(scop)
    assert str(error.value) == (
        "AKG-E260: read out of bounds of A\n"
        "because: S0 at i = 9 reads A[10], the size of dimension 0 is 10\n"
        "hint: shrink the loop, or guard the access with a condition"
    )


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("for i in [0, n):\n    S0: A[i - 1] = 0.0f64", "S0 at i = 0 writes A[-1]"),
        ("for i in [0, n + 1):\n    S0: A[i] = 0.0f64", "writes A[16], the size of dimension 0 is 16 (with n = 16)"),
        ("for i in [0, n):\n    S0: A[i] = B[i * 2]", "reads B[16]"),
        ("for i in [0, n):\n    S0: A[i] = B[i // 2 - 1]", "S0 at i = 0 reads B[-1]"),
        ("S0: A[n] = 1.0f64", "S0 writes A[16]"),
    ],
)
def test_out_of_bounds(body: str, because: str) -> None:
    with pytest.raises(AkgError) as error:
        check_accesses(scop_of(body))
    assert error.value.code == "AKG-E260"
    assert because in error.value.because


@pytest.mark.parametrize(
    "body",
    [
        "for i in [0, n):\n    S0: A[i] = select(i > 0, B[i - 1], 0.0f64)",
        "for i in [0, n):\n    if i >= 2:\n        S0: A[i - 2] = 0.0f64",
        "for i in [0, n):\n    S0: A[i] = B[max(i - 1, 0)]",
        "for i in [0, n):\n    S0: A[i] = select(select(i > 0, B[i - 1] > 0.0f64, False), B[i - 1], 0.0f64)",
        "for i in [0, n):\n    S0: A[i] = select(select(i > 0, i % 2 == 1, i == 5), B[max(i, 1) - 1], 0.0f64)",
        "for i in [0, n):\n    for j in [i, n):\n        S0: A[j - i] = B[n - 1 - j]",
        "for i in [0, n):\n    S0: A[i % 7 + i // 7 * 7] = 0.0f64",
    ],
)
def test_conditions_and_divisions_are_understood(body: str) -> None:
    notes = check_accesses(scop_of(body))
    assert notes == []


def test_small_sizes_are_a_note() -> None:
    notes = check_accesses(scop_of("S0: A[1] = 1.0f64"))
    assert notes == ["S0 writes A[1] out of bounds at small sizes: S0 with n = 0"]


def test_data_is_a_note() -> None:
    scop = scop_of("for i in [0, n):\n    S0: A[P[i]] = 1.0f64", "A: inout float64[n], P: in int64[n], n: size")
    assert check_accesses(scop) == ["S0 writes A[P[i]]: not proved to stay inside its shape, as it depends on data"]


OUT = "A: in float64[n], B: out float64[n], n: size"


def test_a_read_before_the_write_names_the_instance() -> None:
    scop = scop_of("for i in [1, n):\n    S0: B[i] = B[i - 1]", OUT)
    with pytest.raises(AkgError) as error:
        check_initialised(scop)
    assert error.value.code == "AKG-E261"
    assert "S0 at i = 1 reads an element that nothing has written before" in error.value.because


@pytest.mark.parametrize(
    "body",
    [
        "for i in [0, n):\n    S0: B[i] = A[i]\nfor j in [1, n):\n    S1: B[j] = B[j - 1]",
        "S0: B[0] = 1.0f64\nfor j in [1, n):\n    S1: B[j] = B[j - 1]",
        "for i in [0, n):\n    S0: B[n - 1 - i] = A[i]\nfor j in [0, n):\n    S1: B[j] = B[j] + 1.0f64",
    ],
)
def test_writes_that_cover_the_reads(body: str) -> None:
    assert check_initialised(scop_of(body, OUT)) == []


def test_a_partial_write_does_not_cover() -> None:
    scop = scop_of("for i in [1, n):\n    S0: B[i] = A[i]\nfor j in [0, n):\n    S1: B[j] = B[j] + 1.0f64", OUT)
    with pytest.raises(AkgError, match="B is read before"):
        check_initialised(scop)


def test_a_conditional_write_on_data_is_a_note() -> None:
    scop = scop_of(
        "for i in [0, n):\n    if A[i] > 0.0f64:\n        S0: B[i] = A[i]\nfor j in [0, n):\n    S1: B[j] = B[j]", OUT
    )
    assert check_initialised(scop) == ["S1 reads B[j]: not proved to be written before, as it depends on data"]


PARTS = """
alloc K: float64[7, 4, 48] global
for p in [0, 6):
    for d in [0, 4):
        for j in [0, 48):
            S0: K[p, d, j] = 0.0f64
for d1 in [0, 4):
    for j1 in [0, 45):
        S1: K[6, d1, j1] = 0.0f64
for d2 in [0, 4):
    for j2 in [{start}, 48):
        S2: K[6, d2, j2] = 0.0f64
for q in [0, 7):
    for e in [0, 4):
        for k in [0, 48):
            S3: A[0] = A[0] + K[q, e, k]
"""


def test_parts_that_add_up_are_written() -> None:
    scop = scop_of(PARTS.format(start=45), "A: inout float64[1]")
    statements = list(scop.statements.values())
    (read,) = [a for a in statements[-1].reads if a.buffer.name == "K"]
    assert is_covered(statements[:3], statements[-1], read)
    assert not is_covered(statements[1:3], statements[-1], read)
    assert not is_covered(statements[:2], statements[-1], read)
    assert check_initialised(scop) == []


def test_a_gap_between_parts_is_found() -> None:
    scop = scop_of(PARTS.format(start=46), "A: inout float64[1]")
    with pytest.raises(AkgError) as error:
        check_initialised(scop)
    assert "S3 at q = 6, e = 0, k = 45 reads an element that nothing has written before" in str(error.value)
