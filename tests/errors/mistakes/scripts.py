"""Loop nests."""
# ruff: noqa: F821  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

from pathlib import Path

import numpy as np

import akg
from tests.errors.mistakes.base import adder, case, n

# fmt: off

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
