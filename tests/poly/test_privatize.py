"""Temporaries that no value carries from one iteration of a loop to the next are declared inside the loop."""

from __future__ import annotations

from akg.ir.stmt import Alloc, For, walk
from akg.ir.text import parse_kernel
from akg.poly.rewrite.privatize import privatize

ROWS = """
kernel rows(A: inout float64[m, n], m: size, n: size):
    alloc row: float64[n] global
    for i in [0, m):
        for j in [0, n):
            S0: row[j] = A[i, j] * 2.0f64
        for k in [0, n):
            S1: A[i, k] = row[n - k - 1]
"""


def test_a_row_of_each_iteration_moves_into_the_loop() -> None:
    kernel = privatize(parse_kernel(ROWS))
    assert isinstance(kernel.body, For) and isinstance(kernel.body.body, Alloc)


def test_a_row_that_keeps_values_stays() -> None:
    kernel = parse_kernel(ROWS.replace("for j in [0, n)", "for j in [i, n)"))
    assert privatize(kernel) is kernel


def test_only_the_loops_that_no_value_outlives_are_entered() -> None:
    kernel = privatize(parse_kernel("""
kernel sums(A: in float64[r, m, n], B: inout float64[r, n], r: size, m: size, n: size):
    alloc total: float64[n] global
    for t in [0, r):
        for z in [0, n):
            S0: total[z] = 0.0f64
        for i in [0, m):
            for j in [0, n):
                S1: total[j] = total[j] + A[t, i, j]
        for w in [0, n):
            S2: B[t, w] = total[w]
"""))
    (inside,) = [s for s in walk(kernel.body) if isinstance(s, Alloc)]
    assert isinstance(kernel.body, For) and kernel.body.body is inside
