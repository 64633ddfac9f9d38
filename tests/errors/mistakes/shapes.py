"""Shapes and types of a definition."""
# ruff: noqa: E501, F821  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import numpy as np

import akg
from akg import te
from tests.errors.mistakes.base import BYTES, A, F, M, case, n, pairs

# fmt: off

@case("""
AKG-E101: unknown dtype 'float31'
    te.placeholder((4,), "float31")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg computes on float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool
hint: did you mean 'float32'?
""")
def unknown_dtype():
    te.placeholder((4,), "float31")


@case("""
AKG-E240: M has 2 dimensions but got 1 subscript
    te.compute((4,), lambda i: M[i])
                               ^^^^
because: M is a float32 tensor of shape (4, 8)
hint: write M[i, j]
""")
def wrong_number_of_subscripts():
    te.compute((4,), lambda i: M[i])


@case("""
AKG-E241: the function takes 1 argument but the shape has 2 dimensions
    te.compute((4, 8), lambda i: M[i, 0])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is called with one axis per dimension
hint: write lambda i, j: ...
""")
def wrong_number_of_axes():
    te.compute((4, 8), lambda i: M[i, 0])


@case("""
AKG-E104: bitwise 'and' on float32
    te.compute((6,), lambda i: A[i] & 1)
                               ^^^^^^^^
because: bit operations need integers or bools
hint: compare first, as in (a > 0) & (b > 0)
""")
def bits_of_floats():
    te.compute((6,), lambda i: A[i] & 1)


@case("""
AKG-E105: size 1 of the shape is -1
    te.placeholder((4, -1))
    ^^^^^^^^^^^^^^^^^^^^^^^
because: sizes are not negative
hint: use 0 or more
""")
def negative_size():
    te.placeholder((4, -1))


@case("""
AKG-E105: size 0 of the shape is -4
    te.compute((-4,), lambda i: A[i])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: sizes are not negative
hint: use 0 or more
""")
def negative_size_of_a_result():
    te.compute((-4,), lambda i: A[i])


@case("""
AKG-E105: the extent of the axis is -2
    te.reduce_axis(-2)
    ^^^^^^^^^^^^^^^^^^
because: sizes are not negative
hint: use 0 or more
""")
def negative_extent():
    te.reduce_axis(-2)


@case("""
AKG-E223: akg.Tensor[...] has a dimension -1
    def fill(A: akg.Tensor[-1, "float32"]):
                ^^^^^^^^^^^^^^^^^^^^^^^^^
because: a dimension is a name, an integer that is not negative, or an affine string
hint: write a dimension as "n", 16 or "2*n + 1"
""")
def negative_size_in_a_script():
    @akg.script
    def fill(A: akg.Tensor[-1, "float32"]):
        A[0] = 1.0


@case("""
AKG-E513: size n is negative: -1 from A
    akg.build(pairs)(np.ones(1, F))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the kernel is pairs(A: float32[n + 2]) -> None
hint: pass an array that is large enough
""")
def negative_size_of_a_call():
    akg.build(pairs)(np.ones(1, F))


@case("""
AKG-E105: size 0 of the shape is 4.5
    te.placeholder((4.5,))
    ^^^^^^^^^^^^^^^^^^^^^^
because: sizes are integers, or symbols from te.var
hint: write n = te.var('n') for a size that is known when the kernel is called
""")
def size_that_is_a_float():
    te.placeholder((4.5,))


@case("""
AKG-E105: size 0 of the shape is 'n'
    te.placeholder(("n",))
    ^^^^^^^^^^^^^^^^^^^^^^
because: sizes are integers, or symbols from te.var
hint: write n = te.var('n') for a size that is known when the kernel is called
""")
def size_that_is_text():
    te.placeholder(("n",))


@case("""
AKG-E105: size 0 of the shape is array([3, 4])
    te.placeholder(np.array([3, 4]))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: sizes are integers, or symbols from te.var
hint: write n = te.var('n') for a size that is known when the kernel is called
""")
def shape_that_is_an_array():
    te.placeholder(np.array([3, 4]))


@case("""
AKG-E107: 3 is not a name
    te.placeholder((3,), name=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: names are text
hint: as in name='A'
""")
def name_that_is_a_number():
    te.placeholder((3,), name=3)


@case("""
AKG-E107: 'my size' is not a name
    te.var("my size")
    ^^^^^^^^^^^^^^^^^
because: names are identifiers
hint: as in te.var('n')
""")
def size_with_a_space():
    te.var("my size")


@case("""
AKG-E105: size 0 of the shape is 4611686018427387904
    te.placeholder((2**62,))
    ^^^^^^^^^^^^^^^^^^^^^^^^
because: no memory holds more than 140737488355328 elements
hint: split the computation into parts
""")
def size_beyond_memory():
    te.placeholder((2**62,))


@case("""
AKG-E101: unknown dtype None
    te.compute((6,), lambda i: te.cast(A[i], None))
                               ^^^^^^^^^^^^^^^^^^^
because: akg computes on float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool
hint: known names: bfloat16, bool, float16, float32, float64, int16, int32, int64, int8, uint16, uint32, uint64, uint8
""")
def dtype_that_is_none():
    te.compute((6,), lambda i: te.cast(A[i], None))


@case("""
AKG-E108: 300 is not a value of int8
    te.compute((4,), lambda i: BYTES[i] + 300)
                               ^^^^^^^^^^^^^^
because: int8 holds the integers from -128 to 127, and a Python number takes the type beside it
hint: use a wider type: cast the other operand, or give the array one
""")
def constant_that_its_type_does_not_hold():
    te.compute((4,), lambda i: BYTES[i] + 300)


@case("""
AKG-E108: 300 is not a value of int8
        A[0] = 300
        ^^^^^^^^^^
because: int8 holds the integers from -128 to 127, and a Python number takes the type beside it
hint: use a wider type: cast the other operand, or give the array one
""")
def constant_that_its_array_does_not_hold():
    @akg.script
    def fill(A: akg.Tensor["n", "int8"]):
        A[0] = 300
    akg.build(fill)


@case("""
AKG-E108: -1 is not a value of uint8
        A[0] = (A[1] + -1) // 2
                ^^^^^^^^^
because: uint8 holds the integers from 0 to 255, and a Python number takes the type beside it
hint: use a wider type: cast the other operand, or give the array one
""")
def constant_beside_a_type_that_does_not_hold_it():
    @akg.script
    def shift(A: akg.Tensor["n", "uint8"]):
        A[0] = (A[1] + -1) // 2
    akg.build(shift)
