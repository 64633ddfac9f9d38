"""Calls of a kernel."""

# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import numpy as np

import akg
from tests.errors.mistakes.base import (
    A,
    B,
    F,
    LooksLikeATensor,
    ReadOnly,
    case,
    doubled,
    frozen,
    increment,
    kernel,
    memory,
    ones,
    scaled,
    symbolic,
)

# fmt: off

@case("""
AKG-E501: add takes 2 arguments, got 1
    kernel()(ones)
    ^^^^^^^^^^^^^^
because: it expects A: float32[6], B: float32[6]
hint: pass every argument by position, as in add(A, B)
""")
def too_few_arguments():
    kernel()(ones)


@case("""
AKG-E501: add takes 2 arguments, got 3
    kernel()(ones, ones, ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it expects A: float32[6], B: float32[6]
hint: outputs are returned, or written into out=
""")
def too_many_arguments():
    kernel()(ones, ones, ones)


@case("""
AKG-E501: add takes 2 arguments, got 0
    kernel()()
    ^^^^^^^^^^
because: it expects A: float32[6], B: float32[6]
hint: pass every argument by position, as in add(A, B)
""")
def no_arguments():
    kernel()()


@case("""
AKG-E501: add takes 2 arguments, got 0
    kernel()(A=ones, B=ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^
because: it expects A: float32[6], B: float32[6]
hint: pass every argument by position, as in add(A, B)
""")
def arguments_by_name():
    kernel()(A=ones, B=ones)


@case("""
AKG-E503: argument 'B' has shape (7,), expected (6,)
    kernel()(ones, np.ones(7, F))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: dimension 0 is 7, not 6
hint: build the kernel for this shape, or with a symbolic size
""")
def shape_of_an_argument():
    kernel()(ones, np.ones(7, F))


@case("""
AKG-E504: argument 'B' has shape (7,), expected (n,)
    symbolic()(ones, np.ones(7, F))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: n is 6 from A but 7 from B
hint: pass arrays whose common dimensions agree
""")
def sizes_that_disagree():
    symbolic()(ones, np.ones(7, F))


@case("""
AKG-E502: argument 'B' has 2 dimensions, expected 1
    kernel()(ones, np.ones((6, 1), F))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its shape is (6, 1), and the kernel is add(A: float32[6], B: float32[6]) -> add: float32[6]
hint: add or remove axes with reshape
""")
def rank_of_an_argument():
    kernel()(ones, np.ones((6, 1), F))


@case("""
AKG-E511: argument 'A' is no array: float
    kernel()(1.0, ones)
    ^^^^^^^^^^^^^^^^^^^
because: arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol
hint: pass np.asarray(value, dtype)
""")
def number_for_an_array():
    kernel()(1.0, ones)


@case("""
AKG-E502: argument 'A' has 0 dimensions, expected 1
    kernel()(np.array(1, F), ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its shape is (), and the kernel is add(A: float32[6], B: float32[6]) -> add: float32[6]
hint: add or remove axes with reshape
""")
def zero_rank_array():
    kernel()(np.array(1, F), ones)


@case("""
AKG-E505: argument 'B' has dtype float64, expected float32
    kernel()(ones, np.ones(6))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the kernel is add(A: float32[6], B: float32[6]) -> add: float32[6]
hint: convert it: B.astype('float32')
""")
def dtype_of_an_argument():
    kernel()(ones, np.ones(6))


@case("""
AKG-E505: argument 'B' has dtype object, expected float32
    kernel()(ones, np.array([None] * 6))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the kernel is add(A: float32[6], B: float32[6]) -> add: float32[6]
hint: convert it: B.astype('float32')
""")
def array_of_objects():
    kernel()(ones, np.array([None] * 6))


@case("""
AKG-E511: argument 'A' is no array: list
    kernel()([1.0] * 6, ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^
because: arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol
hint: pass np.asarray(value, dtype)
""")
def list_for_an_array():
    kernel()([1.0] * 6, ones)


@case("""
AKG-E511: argument 'A' is no array: str
    kernel()("A", "B")
    ^^^^^^^^^^^^^^^^^^
because: arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol
hint: pass a NumPy array, or a tensor with __dlpack__
""")
def text_for_an_array():
    kernel()("A", "B")


@case("""
AKG-E511: argument 'A' is no array: Tensor
    kernel()(A, B)
    ^^^^^^^^^^^^^^
because: arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol
hint: pass a NumPy array, or a tensor with __dlpack__
""")
def tensor_for_an_array():
    kernel()(A, B)


@case("""
AKG-E511: argument 'A' is no array: LooksLikeATensor
    kernel()(LooksLikeATensor(), ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: arrays are NumPy arrays and objects with DLPack, __array_interface__ or the buffer protocol
hint: pass a NumPy array, or a tensor with __dlpack__
""")
def object_with_a_shape():
    kernel()(LooksLikeATensor(), ones)


@case("""
AKG-E506: argument 'A' is not contiguous
    kernel()(np.ones(12, F)[::2], ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its strides are (8,) bytes, dense row-major would be (4,)
hint: pass np.ascontiguousarray(array)
""")
def strided_argument():
    kernel()(np.ones(12, F)[::2], ones)


@case("""
AKG-E506: argument 'A' is not contiguous
    kernel()(ones[::-1], ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its strides are (-4,) bytes, dense row-major would be (4,)
hint: pass np.ascontiguousarray(array)
""")
def reversed_argument():
    kernel()(ones[::-1], ones)


@case("""
AKG-E506: argument 'M' is not contiguous
    doubled()(np.ones((8, 4), F).T)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its strides are (4, 16) bytes, dense row-major would be (32, 4)
hint: pass np.ascontiguousarray(array)
""")
def transposed_argument():
    doubled()(np.ones((8, 4), F).T)


@case("""
AKG-E507: output 'add' is read-only
    kernel()(ones, ones, out=frozen())
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the kernel writes to it
hint: pass a writable array, such as a copy
""")
def read_only_output():
    kernel()(ones, ones, out=frozen())


@case("""
AKG-E507: argument 'A' is read-only
    akg.build(increment)(np.broadcast_to(np.float64(1.0), (6,)).copy().view(ReadOnly).freeze())
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the kernel writes to it
hint: pass a writable array, such as a copy
""")
def read_only_in_place():
    akg.build(increment)(np.broadcast_to(np.float64(1.0), (6,)).copy().view(ReadOnly).freeze())


@case("""
AKG-E508: output 'add' overlaps argument 'A'
    kernel()(memory[:6], ones, out=memory[4:10])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: add may write add before it has read or written all of A
hint: pass a separate array
""")
def output_over_an_input():
    kernel()(memory[:6], ones, out=memory[4:10])


@case("""
AKG-E508: output 'add' is the same memory as argument 'A'
    kernel()(memory[:6], ones, out=memory[:6])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: add may write add before it has read or written all of A
hint: pass a separate array
""")
def output_that_is_an_input():
    kernel()(memory[:6], ones, out=memory[:6])


@case("""
AKG-E514: out= has 2 arrays, add 1 output
    kernel()(ones, ones, out=(np.ones(6, F), np.ones(6, F)))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its outputs are add: float32[6]
hint: pass one array per output, in that order
""")
def two_outputs_for_one():
    kernel()(ones, ones, out=(np.ones(6, F), np.ones(6, F)))


@case("""
AKG-E514: out= has 1 array, increment 0 outputs
    akg.build(increment)(np.ones(6), out=np.ones(6))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its outputs are none
hint: leave out= away
""")
def output_of_a_script_in_place():
    akg.build(increment)(np.ones(6), out=np.ones(6))


@case("""
AKG-E514: add has no keyword argument 'ouf'
    kernel()(ones, ones, ouf=ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: a call takes out= and the kernel's sizes by name
hint: did you mean 'out'?
""")
def unknown_keyword():
    kernel()(ones, ones, ouf=ones)


@case("""
AKG-E512: argument 's' is no int8 scalar
    scaled("int8")(np.ones(4, np.int8), 300)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: 300 is out of range
hint: pass a Python number; the kernel is scaled(x: int8[4], s: int8) -> scaled: int8[4]
""")
def scalar_out_of_range():
    scaled("int8")(np.ones(4, np.int8), 300)


@case("""
AKG-E512: argument 's' is no float32 scalar
    scaled("float32")(np.ones(4, F), "2")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is of type str
hint: pass a Python number; the kernel is scaled(x: float32[4], s: float32) -> scaled: float32[4]
""")
def scalar_that_is_text():
    scaled("float32")(np.ones(4, F), "2")


@case("""
AKG-E512: argument 's' is no float32 scalar
    scaled("float32")(np.ones(4, F), np.ones(4, F))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is an array of 1 dimensions
hint: pass a Python number; the kernel is scaled(x: float32[4], s: float32) -> scaled: float32[4]
""")
def scalar_that_is_an_array():
    scaled("float32")(np.ones(4, F), np.ones(4, F))


@case("""
AKG-E515: kernel add has no source 'lvm'
    kernel().source("lvm")
    ^^^^^^^^^^^^^^^^^^^^^^
because: it has asm, c, definition, llvm, loop, schedule
hint: did you mean 'llvm'?
""")
def unknown_source():
    kernel().source("lvm")


@case("""
AKG-E501: add takes 2 arguments, got 0
    kernel().benchmark()
    ^^^^^^^^^^^^^^^^^^^^
because: it expects A: float32[6], B: float32[6]
hint: pass every argument by position, as in add(A, B)
""")
def benchmark_without_arguments():
    kernel().benchmark()
