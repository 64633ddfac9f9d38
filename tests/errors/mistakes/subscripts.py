"""Subscripts, and what a build proves of them."""
# ruff: noqa: F821  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import numpy as np

import akg
from akg import te
from tests.errors.mistakes.base import A, M, V, case, n

# fmt: off

@case("""
AKG-E245: subscript 0 of A is not affine
    te.compute((2, 3), lambda i, j: A[i * j])
                                    ^^^^^^^^
because: it multiplies or divides variables by one another
hint: subscripts may add axes and sizes, multiply by constants, and use // and % by constants
""")
def product_of_axes():
    te.compute((2, 3), lambda i, j: A[i * j])


@case("""
AKG-E106: subscript 0 of A is a float64
    te.compute((6,), lambda i: A[i / 2])
                               ^^^^^^^^
because: subscripts are integers
hint: use // for the integer quotient, or te.cast(x, 'int64')
""")
def float_subscript():
    te.compute((6,), lambda i: A[i / 2])


@case("""
AKG-E106: subscript 1 of M is a slice
    te.compute((4,), lambda i: sum(M[i, :]))
                                   ^^^^^^^
because: a definition reads one element at a time
hint: write te.compute over the part that you need
""")
def slice_of_a_tensor():
    te.compute((4,), lambda i: sum(M[i, :]))


@case("""
AKG-E246: subscript 1 of M is 8, out of bounds
    te.compute((4,), lambda i: M[i, 8])
                               ^^^^^^^
because: dimension 1 of M has size 8
hint: subscripts count from 0 and do not wrap around
""")
def constant_out_of_bounds():
    te.compute((4,), lambda i: M[i, 8])


@case("""
AKG-E245: subscript 0 of A is not affine
    te.compute((6,), lambda i: A[i // 0])
                               ^^^^^^^^^
because: it divides by zero
hint: subscripts may add axes and sizes, multiply by constants, and use // and % by constants
""")
def division_by_zero():
    te.compute((6,), lambda i: A[i // 0])


@case("""
AKG-E228: subscript `i * j` is not affine
                A[i * j] = 0.0
                  ^^^^^
because: it may only add loop variables and sizes, multiply, divide (//) and reduce (%) them by constants
hint: give a product of sizes a name of its own: an argument annotated akg.Size
""")
def product_in_a_script():
    @akg.script
    def spread(A: akg.Tensor["n", "float64"]):
        for i in range(3):
            for j in range(3):
                A[i * j] = 0.0
    akg.build(spread)


@case("""
AKG-E228: subscript `I[i]` is not affine
            A[I[i]] = 0.0
              ^^^^
because: it depends on data that is read at run time
hint: subscripts and bounds are fixed by loops and sizes
""")
def indirect_in_a_script():
    @akg.script
    def scatter(A: akg.Tensor["n", "float64"], I: akg.In["n", "int64"]):
        for i in range(A.shape[0]):
            A[I[i]] = 0.0
    akg.build(scatter)


@case("""
AKG-E260: read out of bounds of A
    late = te.compute((6,), lambda i: A[i + 1], name="late")
                                      ^^^^^^^^
because: late at i = 5 reads A[6], the size of dimension 0 is 6
hint: shrink the loop, or guard the access with a condition
""")
def read_out_of_bounds():
    late = te.compute((6,), lambda i: A[i + 1], name="late")
    akg.build([late])


@case("""
AKG-E260: read out of bounds of A
    shift = te.compute((6,), lambda i: A[i - 1] + A[i], name="shift")
                                       ^^^^^^^^
because: shift at i = 0 reads A[-1], the size of dimension 0 is 6
hint: shrink the loop, or guard the access with a condition
""")
def read_before_the_beginning():
    shift = te.compute((6,), lambda i: A[i - 1] + A[i], name="shift")
    akg.build([shift])


@case("""
AKG-E260: read out of bounds of V
    late = te.compute((n,), lambda i: V[i + 1], name="late")
                                      ^^^^^^^^
because: late at i = 15 reads V[16], the size of dimension 0 is 16 (with n = 16)
hint: shrink the loop, or guard the access with a condition
""")
def read_out_of_symbolic_bounds():
    late = te.compute((n,), lambda i: V[i + 1], name="late")
    akg.build([late])


@case("""
AKG-E260: read out of bounds of A
        lambda i: A[i]
                  ^^^^
because: wide at i = 6 reads A[6], the size of dimension 0 is 6
hint: shrink the loop, or guard the access with a condition
""")
def shapes_that_do_not_fit():
    wide = te.compute(
        (8,),
        lambda i: A[i]
        + M[0, i],
        name="wide",
    )
    akg.build([wide])


@case("""
AKG-E260: read out of bounds of A
            A[i] = 0.5 * (A[i] + A[i + 1])
                                 ^^^^^^^^
because: S0 at i = 15 reads A[16], the size of dimension 0 is 16 (with n = 16)
hint: shrink the loop, or guard the access with a condition
""")
def read_out_of_bounds_in_a_script():
    @akg.script
    def smooth(A: akg.Tensor["n", "float64"]):
        for i in range(A.shape[0]):
            A[i] = 0.5 * (A[i] + A[i + 1])
    akg.build(smooth)


@case("""
AKG-E260: write out of bounds of A
            A[i] = 1.0
            ^^^^
because: S0 at i = 8 writes A[8], the size of dimension 0 is 8
hint: shrink the loop, or guard the access with a condition
""")
def write_out_of_bounds_in_a_script():
    @akg.script
    def fill(A: akg.Tensor[8, "float64"]):
        for i in range(9):
            A[i] = 1.0
    akg.build(fill)


@case("""
AKG-E261: B is read before it is written
            B[0] = B[0] + A[i]
                   ^^^^
because: S0 at i = 0 reads an element that nothing has written before
hint: initialise B first
""")
def uninitialised_output():
    @akg.script
    def total(A: akg.In[8, "float64"], B: akg.Out[1, "float64"]):
        for i in range(8):
            B[0] = B[0] + A[i]
    akg.build(total)


@case("""
AKG-E261: t is read before it is written
            A[i] = t[i]
                   ^^^^
because: S1 at i_1 = 7 reads an element that nothing has written before
hint: initialise t first
""")
def uninitialised_local():
    @akg.script
    def copy(A: akg.Tensor[8, "float64"]):
        t = np.empty(8)
        for i in range(7):
            t[i] = A[i]
        for i in range(8):
            A[i] = t[i]
    akg.build(copy)


@case("""
AKG-E231: write to input 'A'
            A[i] *= 2.0
            ^^^^
because: its annotation is akg.In[...], which is read-only
hint: annotate it as akg.Tensor[...] to update it in place
""")
def write_to_an_input():
    @akg.script
    def scale(A: akg.In["n", "float64"]):
        for i in range(A.shape[0]):
            A[i] *= 2.0
    akg.build(scale)
