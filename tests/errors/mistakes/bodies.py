"""Reductions, and Python in the body of a definition."""
# ruff: noqa: B007, E501  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import math

import numpy as np

from akg import te
from tests.errors.mistakes.base import A, B, M, case, k, n, ones

# fmt: off

@case("""
AKG-E242: axis k is used outside of its range
    te.compute((4,), lambda i: M[i, k])
                                    ^
because: k is neither an axis of this tensor nor of a reduction around the place
hint: reduce over it: te.sum(..., axis=k)
""")
def axis_outside_its_reduction():
    te.compute((4,), lambda i: M[i, k])


@case("""
AKG-E242: axis k is used outside of its range
    te.compute((4,), lambda i: te.sum(M[i, k], axis=k) + k)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: k is neither an axis of this tensor nor of a reduction around the place
hint: reduce over it: te.sum(..., axis=k)
""")
def axis_beside_its_reduction():
    te.compute((4,), lambda i: te.sum(M[i, k], axis=k) + k)


@case("""
AKG-E249: axis=1 is not a reduction axis
    te.compute((4,), lambda i: te.sum(M[i, 0], axis=1))
                               ^^^^^^^^^^^^^^^^^^^^^^^
because: a reduction runs over axes that te.reduce_axis made
hint: write k = te.reduce_axis(extent), use k in the expression, and give axis=k
""")
def number_for_an_axis():
    te.compute((4,), lambda i: te.sum(M[i, 0], axis=1))


@case("""
AKG-E109: wrong call of sum
    te.compute((4,), lambda i: te.sum(M[i, k]))
                               ^^^^^^^^^^^^^^^
because: sum() missing 1 required positional argument: 'axis'
hint: it takes expr, axis, where
""")
def reduction_without_axis():
    te.compute((4,), lambda i: te.sum(M[i, k]))


@case("""
AKG-E243: a sum reduction inside a max reduction
    te.compute((4,), lambda i: te.max(te.sum(M[i, k], axis=k), axis=k))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: a definition reduces once, over all its reduction axes
hint: give the inner reduction a te.compute of its own, or reduce over a tuple of axes
""")
def reduction_in_a_reduction():
    te.compute((4,), lambda i: te.max(te.sum(M[i, k], axis=k), axis=k))


@case("""
AKG-E105: the range of the axis is (1, 2, 3)
    te.reduce_axis((1, 2, 3))
    ^^^^^^^^^^^^^^^^^^^^^^^^^
because: a range is (begin, end)
hint: reduce over a tuple of axes for more dimensions than one
""")
def range_of_three():
    te.reduce_axis((1, 2, 3))


@case("""
AKG-E250: the combiner and the identity of reduce are functions
    te.comm_reducer(0.0, max)
    ^^^^^^^^^^^^^^^^^^^^^^^^^
because: got float and builtin_function_or_method
hint: write te.comm_reducer(lambda x, y: x + y, lambda dtype: te.const(0, dtype))
""")
def reducer_without_functions():
    te.comm_reducer(0.0, max)


@case("""
AKG-E203: a symbolic expression has no truth value while the program is being defined
    te.compute((6,), lambda i: A[i] if A[i] > 0 else 0.0)
                                       ^^^^^^^^
because: the expression is A[i] > 0.0f32
hint: use te.select(condition, a, b), te.all(...), te.any(...), te.maximum(...) or te.minimum(...) instead of `if`, `and`, `or`, `max`, `min`
""")
def python_if():
    te.compute((6,), lambda i: A[i] if A[i] > 0 else 0.0)


@case("""
AKG-E203: a symbolic expression has no truth value while the program is being defined
    te.compute((6,), lambda i: max(A[i], 0.0))
                               ^^^^^^^^^^^^^^
because: the expression is A[i] < 0.0f32
hint: use te.select(condition, a, b), te.all(...), te.any(...), te.maximum(...) or te.minimum(...) instead of `if`, `and`, `or`, `max`, `min`
""")
def python_max():
    te.compute((6,), lambda i: max(A[i], 0.0))


@case("""
AKG-E203: a symbolic expression has no truth value while the program is being defined
    te.compute((6,), lambda i: te.select(i > 0 and i < 5, A[i], 0.0))
                                         ^^^^^^^^^^^^^^^
because: the expression is i > 0
hint: use te.select(condition, a, b), te.all(...), te.any(...), te.maximum(...) or te.minimum(...) instead of `if`, `and`, `or`, `max`, `min`
""")
def python_and():
    te.compute((6,), lambda i: te.select(i > 0 and i < 5, A[i], 0.0))


@case("""
AKG-E203: a symbolic expression is no Python integer while the program is being defined
    for i in range(n):
             ^^^^^^^^
because: the expression is n
hint: compute with te functions, such as te.exp(x) or te.cast(x, 'int32'), and read from placeholders
""")
def python_range():
    for i in range(n):
        pass


@case("""
AKG-E203: a symbolic expression is no Python number while the program is being defined
    te.compute((6,), lambda i: math.exp(A[i]))
                               ^^^^^^^^^^^^^^
because: the expression is A[i]
hint: compute with te functions, such as te.exp(x) or te.cast(x, 'int32'), and read from placeholders
""")
def python_math():
    te.compute((6,), lambda i: math.exp(A[i]))


@case("""
AKG-E103: np.arctan2 on a symbolic expression
    te.compute((6,), lambda i: np.arctan2(A[i], 1.0))
                               ^^^^^^^^^^^^^^^^^^^^^
because: NumPy computes on numbers, and this one is known when the kernel runs
hint: write te.atan2(...)
""")
def numpy_function():
    te.compute((6,), lambda i: np.arctan2(A[i], 1.0))


@case("""
AKG-E203: a symbolic expression is no Python integer while the program is being defined
    te.compute((6,), lambda i: A[i] * [1, 2, 3, 4, 5, 6][i])
                                      ^^^^^^^^^^^^^^^^^^^^^
because: the expression is i
hint: compute with te functions, such as te.exp(x) or te.cast(x, 'int32'), and read from placeholders
""")
def list_in_a_definition():
    te.compute((6,), lambda i: A[i] * [1, 2, 3, 4, 5, 6][i])


@case("""
AKG-E103: ndarray is not a scalar
    te.compute((6,), lambda i: A[i] * ones)
                               ^^^^^^^^^^^
because: got array([1., 1., 1., 1., 1., 1.], dtype=float32)
hint: index a tensor down to one element, as in A[i, j]
""")
def array_in_a_definition():
    te.compute((6,), lambda i: A[i] * ones)


@case("""
AKG-E103: tensor A is not a scalar
    A + B
    ^^^^^
because: its shape is (6,)
hint: index it down to one element, as in A[i]
""")
def tensor_arithmetic():
    A + B


@case("""
AKG-E103: tensor A is not a scalar
    np.add(A, B)
    ^^^^^^^^^^^^
because: its shape is (6,)
hint: index it down to one element, as in A[i]
""")
def numpy_on_tensors():
    np.add(A, B)


@case("""
AKG-E103: tensor A cannot be assigned to
    A[0] = 1.0
    ^^^^
because: it stands for values that are known when the kernel runs
hint: define its elements with te.compute; to pass one tensor where a list is taken, write [A]
""")
def assigned_tensor():
    A[0] = 1.0


@case("""
AKG-E103: tensor A is not iterable
    list(A)
    ^^^^^^^
because: it stands for values that are known when the kernel runs
hint: define its elements with te.compute; to pass one tensor where a list is taken, write [A]
""")
def tensor_as_a_list():
    list(A)


@case("""
AKG-E103: NoneType is not a scalar
    te.compute((6,), lambda i: None)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: got None
hint: index a tensor down to one element, as in A[i, j]
""")
def body_that_is_none():
    te.compute((6,), lambda i: None)


@case("""
AKG-E103: tensor A is not a scalar
    te.compute((6,), lambda i: A)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: its shape is (6,)
hint: index it down to one element, as in A[i]
""")
def body_that_is_a_tensor():
    te.compute((6,), lambda i: A)


@case("""
AKG-E241: Tensor is not a function of the axes
    te.compute((6,), A)
    ^^^^^^^^^^^^^^^^^^^
because: te.compute calls it once, with one axis per dimension, to learn what an element is
hint: write lambda i: ...
""")
def tensor_for_a_function():
    te.compute((6,), A)


@case("""
AKG-E109: wrong call of compute
    te.compute((6,))
    ^^^^^^^^^^^^^^^^
because: compute() missing 1 required positional argument: 'fn'
hint: it takes shape, fn, name
""")
def missing_function():
    te.compute((6,))
