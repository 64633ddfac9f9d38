"""What a newcomer gets wrong, through the public API: one message each, its place marked, and no frame of ours.

The message of a case is all of it: code and what, the source line with its caret, the reason, the hint. The line
``--> file:number`` is checked apart.
"""
# ruff: noqa: B007, E501, F821  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.errors import is_own_file
from akg.base.target import host
from akg.poly.strategy import strategy_names

ROOT = Path(__file__).resolve().parents[2]
F = np.float32
CASES: dict[str, tuple[Callable[[], object], str]] = {}


def case(expected: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """A mistake and its message."""

    def add(function: Callable[[], object]) -> Callable[[], object]:
        assert function.__name__ not in CASES
        CASES[function.__name__] = (function, expected)
        return function

    return add


def adder(n: Any = 6) -> tuple[te.Tensor, te.Tensor, te.Tensor]:
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    return te.compute((n,), lambda i: a[i] + b[i], name="add"), a, b


SUM, A, B = adder()
BYTES = te.placeholder((4,), "int8", name="BYTES")
M = te.placeholder((4, 8), name="M")
k = te.reduce_axis(8, name="k")
n = te.var("n")
V = te.placeholder((n,), name="V")
ones = np.ones(6, F)
memory = np.ones(16, F)


def kernel() -> akg.Kernel:
    return akg.build([SUM], inputs=[A, B])


def symbolic() -> akg.Kernel:
    total, a, b = adder(n)
    return akg.build([total], inputs=[a, b])


@akg.script
def increment(A: akg.Tensor["n", "float64"]):
    for i in range(A.shape[0]):
        A[i] += 1.0


@akg.script
def pairs(A: akg.Tensor["n + 2", "float32"]):
    for i in range(A.shape[0] - 2):
        A[i] += A[i + 2]


# fmt: off
# --- strategies and targets ---

@case("""
AKG-E301: unknown strategy 'pluuto'
    akg.build([SUM], inputs=[A, B], strategy="pluuto")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES; a path must end in .json
hint: did you mean 'pluto'?
""")
def unknown_strategy():
    akg.build([SUM], inputs=[A, B], strategy="pluuto")


@case("""
AKG-E301: a strategy is a name, a path or a dict, not int
    akg.build([SUM], inputs=[A, B], strategy=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES
hint: leave strategy away for 'auto'
""")
def strategy_of_another_type():
    akg.build([SUM], inputs=[A, B], strategy=3)


@case("""
AKG-E302: cannot read strategy absent.json
    akg.build([SUM], inputs=[A, B], strategy="absent.json")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: No such file or directory
hint: give the path of a JSON file, or a name such as 'auto'
""")
def strategy_without_a_file():
    akg.build([SUM], inputs=[A, B], strategy="absent.json")


@case("""
AKG-E302: vectorise of the strategy: unknown key 'vectorise'
    akg.build([SUM], inputs=[A, B], strategy={"vectorise": True})
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the keys here are KEYS
hint: did you mean 'vectorize'?
""")
def strategy_with_an_unknown_key():
    akg.build([SUM], inputs=[A, B], strategy={"vectorise": True})


@case("""
AKG-E302: vectorize of the strategy: 'yes' is not of type boolean
    akg.build([SUM], inputs=[A, B], strategy={"vectorize": "yes"})
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is string
hint: write true or false (True or False in a dict)
""")
def strategy_with_a_value_of_another_type():
    akg.build([SUM], inputs=[A, B], strategy={"vectorize": "yes"})


@case("""
AKG-E301: unknown strategy 'islet'
    akg.lower([SUM]).schedule("islet")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES; a path must end in .json
hint: did you mean 'isl'?
""")
def unknown_strategy_of_a_stage():
    akg.lower([SUM]).schedule("islet")


@case("""
AKG-E401: unknown target 'cpux'
    akg.build([SUM], inputs=[A, B], target="cpux")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: did you mean 'cpu'?
""")
def unknown_target():
    akg.build([SUM], inputs=[A, B], target="cpux")


@case("""
AKG-E401: a target is a name or a Target, not int
    akg.build([SUM], inputs=[A, B], target=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: leave target away for the machine that you are on
""")
def target_of_another_type():
    akg.build([SUM], inputs=[A, B], target=3)


@case("""
AKG-E401: unknown target 'x86-64-v5'
    akg.lower([SUM]).schedule().compile("x86-64-v5")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: did you mean 'x86-64-v4'?
""")
def unknown_target_of_a_stage():
    akg.lower([SUM]).schedule().compile("x86-64-v5")


@case("""
AKG-E410: kernel add cannot run here
    akg.build([SUM], inputs=[A, B], target=OTHER)(ones, ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is code for aarch64 (target aarch64-neon), and this machine is x86_64
hint: look at its source('asm'), or build it for target='cpu' to call it
""")
def kernel_for_another_machine():
    akg.build([SUM], inputs=[A, B], target=OTHER)(ones, ones)


@case("""
AKG-E111: unknown option 'num_thread'
    akg.config.override(num_thread=2)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the options are num_threads, cache, cache_dir, pool_bytes, dump, debug, debug_kernel, log, target, strategy, legality, fast_math
hint: did you mean 'num_threads'?
""")
def unknown_option():
    akg.config.override(num_thread=2)


@case("""
AKG-E110: cache='read' is not a value for option 'cache'
    akg.config.override(cache="read")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: expected rw | ro | off
hint: kernel cache on disk: rw | ro | off
""")
def value_of_an_option():
    akg.config.override(cache="read")


# --- shapes and types of a definition ---

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


# --- subscripts ---

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


# --- proofs at build ---

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


# --- reductions ---

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


# --- Python in a definition ---

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


# --- what is built ---

@case("""
AKG-E201: cannot build None
    akg.build(None)
    ^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: pass the output tensors, as in akg.build([C], inputs=[A, B])
""")
def build_of_none():
    akg.build(None)


@case("""
AKG-E244: no outputs
    akg.build([])
    ^^^^^^^^^^^^^
because: the list is empty
hint: give the tensors to compute: [C]
""")
def build_of_nothing():
    akg.build([])


@case("""
AKG-E201: cannot build an object of type function
    akg.build(lambda x: x)
    ^^^^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: decorate the function with @akg.script
""")
def build_of_a_function():
    akg.build(lambda x: x)


@case("""
AKG-E201: cannot build an object of type Kernel
    akg.build(kernel())
    ^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: it is built already: call it
""")
def build_of_a_kernel():
    akg.build(kernel())


@case("""
AKG-E201: cannot build a list with int in it
    akg.build([SUM, 3])
    ^^^^^^^^^^^^^^^^^^^
because: a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR
hint: pass the output tensors, as in akg.build([C], inputs=[A, B])
""")
def build_of_a_mixture():
    akg.build([SUM, 3])


@case("""
AKG-E244: output A is a placeholder
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: a kernel computes its outputs
hint: copy it: te.compute(A.shape, lambda *i: A[i])
""")
def build_of_a_placeholder():
    akg.build([A])


@case("""
AKG-E244: output add is given twice
    akg.build([SUM, SUM])
    ^^^^^^^^^^^^^^^^^^^^^
because: each output is an array of its own
hint: give every output once
""")
def output_twice():
    akg.build([SUM, SUM])


@case("""
AKG-E202: the computation is nested too deeply
    akg.build([tower()])
    ^^^^^^^^^^^^^^^^^^^^
because: an expression takes more than LIMIT nested calls, Python's limit
hint: give parts of it a te.compute or a loop of their own, or raise sys.setrecursionlimit
""")
def build_of_a_tower():
    akg.build([tower()])


@case("""
AKG-E248: B is missing from inputs
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the outputs depend on B
hint: add B to inputs, or leave inputs out to take all in order of first use
""")
def missing_input():
    akg.build([SUM], inputs=[A])


@case("""
AKG-E248: input V is not used
V = te.placeholder((n,), name="V")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: no output depends on V
hint: leave it out of inputs
""")
def input_of_another_definition():
    akg.build([SUM], inputs=[A, B, V])


@case("""
AKG-E248: input 0 is of type ndarray
    akg.build([SUM], inputs=[ones, ones])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: inputs are placeholders and scalars
hint: give what te.placeholder, te.scalar or te.var returned
""")
def array_for_an_input():
    akg.build([SUM], inputs=[ones, ones])


@case("""
AKG-E248: inputs is of type Tensor
    akg.build([SUM], inputs=A)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it lists arguments in calling order
hint: write inputs=[A, B]
""")
def input_that_is_no_list():
    akg.build([SUM], inputs=A)


@case("""
AKG-E248: input 2 is add, which is computed
    akg.build([SUM], inputs=[A, B, SUM])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: inputs are placeholders and scalars
hint: give what te.placeholder, te.scalar or te.var returned
""")
def computed_input():
    akg.build([SUM], inputs=[A, B, SUM])


@case("""
AKG-E248: inputs= with a Script
    akg.build(increment, inputs=[A])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it says its arguments itself; inputs= is for te tensors
hint: leave inputs= away
""")
def inputs_of_a_script():
    akg.build(increment, inputs=[A])


@case("""
AKG-E109: wrong call of build
    akg.build([SUM], input=[A, B])
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: build() got an unexpected keyword argument 'input'
hint: did you mean 'inputs'?
""")
def misspelled_parameter():
    akg.build([SUM], input=[A, B])


@case("""
AKG-E107: 3 is not a name
    akg.build([SUM], name=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^
because: names are identifiers
hint: as in name='softmax'
""")
def number_for_a_name():
    akg.build([SUM], name=3)


# --- scripts ---

@case("""
AKG-E221: `while` cannot be compiled
        while A[0] > 1.0:
        ^^^^^^^^^^^^^^^^^
because: the number of iterations must be known before it starts
hint: write for i in range(...)
""")
def while_in_a_script():
    @akg.script
    def halve(A: akg.Tensor["n", "float64"]):
        while A[0] > 1.0:
            A[0] /= 2.0
    akg.build(halve)


@case("""
AKG-E236: 'again' calls itself
        again(A)
        ^^^^^^^^
because: a kernel is a nest of loops with bounds known before they start
hint: write the recursion as a loop
""")
def recursion_in_a_script():
    @akg.script
    def again(A: akg.Tensor["n", "float64"]):
        again(A)
    akg.build(again)


@case("""
AKG-E222: default value `2.0`
    def scale(A: akg.Tensor["n", "float64"], s: float = 2.0):
                                                        ^^^
because: a kernel is always given all its arguments
hint: leave the default out, and pass the value
""")
def default_value_in_a_script():
    @akg.script
    def scale(A: akg.Tensor["n", "float64"], s: float = 2.0):
        A[0] *= s
    akg.build(scale)


@case("""
AKG-E225: unknown function `np.sum`
        A[0] = np.sum(A)
               ^^^^^^
because: a script calls builtins, math and NumPy functions of numbers
hint: write it out, as loops over elements
""")
def numpy_function_in_a_script():
    @akg.script
    def total(A: akg.Tensor["n", "float64"]):
        A[0] = np.sum(A)
    akg.build(total)


@case("""
AKG-E225: unknown function `adder`
        A[0] = adder(A[0])
               ^^^^^
because: a script calls builtins, math and NumPy functions of numbers
hint: write its body here
""")
def own_function_in_a_script():
    @akg.script
    def apply(A: akg.Tensor["n", "float64"]):
        A[0] = adder(A[0])
    akg.build(apply)


@case("""
AKG-E222: annotation `akg.Tensor` of 'A' has no type
    def fill(A: akg.Tensor):
                ^^^^^^^^^^
because: a kernel must know the shapes and types of its arguments
hint: annotate it, as in A: akg.Tensor["n", "m", "float32"], alpha: akg.Scalar["float32"] or n: akg.Size
""")
def annotation_without_a_shape():
    @akg.script
    def fill(A: akg.Tensor):
        A[0] = 1.0
    akg.build(fill)


@case("""
AKG-E220: a script is one function made by `def`
    akg.build(akg.script(lambda A: A))
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: lambdas, coroutines and classes have no loop nest to compile
hint: write a def and decorate it with @akg.script
""")
def lambda_as_a_script():
    akg.build(akg.script(lambda A: A))


@case("""
AKG-E220: type cannot be a script
    akg.script(Path)
    ^^^^^^^^^^^^^^^^
because: a script is one function made by `def`
hint: write a def and decorate it with @akg.script
""")
def class_as_a_script():
    akg.script(Path)


@case("""
AKG-E220: the source of 'fill' is not available
    akg.script(scope["fill"])
    ^^^^^^^^^^^^^^^^^^^^^^^^^
because: a script is compiled from its source, and Python has none for this function
hint: define the function in a file or a notebook cell, not in exec(), `python -c` or a plain prompt
""")
def script_without_source():
    scope = {"akg": akg}
    exec("def fill(A: akg.Tensor[8, 'float64']):\n    A[0] = 1.0\n", scope)
    akg.script(scope["fill"])


# --- calls ---

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

# fmt: on


OTHER = "aarch64-neon" if host().arch == "x86_64" else "x86-64-v3"


class LooksLikeATensor:
    """An object of a library that akg cannot read."""

    shape, dtype = (6,), "float32"


class ReadOnly(np.ndarray[Any, Any]):
    """An array whose flag is set in one expression."""

    def freeze(self) -> np.ndarray[Any, Any]:
        self.flags.writeable = False
        return self.view(np.ndarray)


def frozen() -> np.ndarray[Any, Any]:
    return np.ones(6, F).view(ReadOnly).freeze()


def tower() -> te.Tensor:
    def body(i: Any) -> Any:
        value = A[i]
        for _ in range(5000):
            value = value + 1.0
        return value

    return te.compute((6,), body, name="tower")


def doubled() -> akg.Kernel:
    return akg.build([te.compute((4, 8), lambda i, j: M[i, j] * 2.0, name="doubled")])


def scaled(dtype: str) -> akg.Kernel:
    x, s = te.placeholder((4,), dtype, name="x"), te.scalar("s", dtype)
    return akg.build([te.compute((4,), lambda i: x[i] * s, name="scaled")], inputs=[x, s])


def plain(error: akg.AkgError) -> str:
    """The message without the gutter of line numbers, its place checked."""
    lines = str(error).split("\n")
    assert error.span is not None
    assert lines[1] == f"  --> {__file__}:{error.span.line}"
    assert lines[2].endswith(" |")
    marked = [line.partition("| ")[2] for line in lines[3:5]]
    text = "\n".join([lines[0], *marked, *lines[5:]]).replace(", ".join(strategy_names()), "STRATEGIES")
    text = text.replace(f"compiled for {OTHER}", "compiled for OTHER")
    text = text.replace(f"more than {sys.getrecursionlimit()} nested", "more than LIMIT nested")
    return re.sub("because: the keys here are .*", "because: the keys here are KEYS", text)  # that list grows


def caught(name: str) -> akg.AkgError:
    with pytest.raises(akg.AkgError) as info:
        CASES[name][0]()
    return info.value


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    assert plain(caught(name)) == CASES[name][1].strip("\n")


@pytest.mark.parametrize("name", CASES)
def test_it_says_why_and_what_to_do(name: str) -> None:
    error = caught(name)
    assert error.because and error.hint and "\n" not in error.message


@pytest.mark.parametrize("name", CASES)
def test_no_frame_of_ours(name: str) -> None:
    trace = caught(name).__traceback__
    while trace is not None:
        assert not is_own_file(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next


_UNCAUGHT = """
import sys
sys.path[:0] = [{root!r}]
import akg
from tests.errors.test_messages import CASES
for name, (mistake, _) in CASES.items():
    try:
        mistake()
    except akg.AkgError:
        sys.excepthook(*sys.exc_info())
{last}
"""


def test_no_frame_of_ours_on_stderr(tmp_path: Path) -> None:
    """Every mistake as Python shows it when nothing catches it, and the last one for real."""
    script = tmp_path / "mistakes.py"
    script.write_text(_UNCAUGHT.format(root=str(ROOT), last="akg.build(None)"), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 1
    frames = [line for line in done.stderr.splitlines() if line.lstrip().startswith('File "')]
    assert len(frames) > len(CASES)
    package = str(Path(akg.__file__).parent)
    assert [line for line in frames if package in line] == []
    assert done.stderr.count("akg.AkgError: AKG-E") == len(CASES) + 1
