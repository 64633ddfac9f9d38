"""Control flow, calls, loops and subscripts."""
# ruff: noqa: B007, F821, F841  (shapes and dtypes are strings inside annotations; mistakes on purpose)

import numpy as np

from akg.ir.script import In, Size, Tensor
from tests.ir.script_mistakes.base import case

# fmt: off

@case("""
AKG-E221: `while` cannot be compiled
    while i < 3:
    ^^^^^^^^^^^^
because: the number of iterations must be known before it starts
hint: write for i in range(...)
""")
def while_loop(A: Tensor["n", "float64"]):
    i = 0
    while i < 3:
        i += 1


@case("""
AKG-E221: `break` cannot be compiled
        break
        ^^^^^
because: every iteration of a loop runs
hint: put the rest of the body under an `if`
""")
def break_(A: Tensor["n", "float64"]):
    for i in range(3):
        break


@case("""
AKG-E221: `continue` cannot be compiled
            continue
            ^^^^^^^^
because: every statement of a loop body runs
hint: put the rest of the body under an `if`
""")
def continue_(A: Tensor["n", "float64"]):
    for i in range(3):
        if A[i] > 0:
            continue


@case("""
AKG-E236: 'recursion' calls itself
    recursion(A)
    ^^^^^^^^^^^^
because: a kernel is a nest of loops with bounds known before they start
hint: write the recursion as a loop
""")
def recursion(A: Tensor["n", "float64"]):
    recursion(A)


@case("""
AKG-E225: unknown function `np.expp`
    A[0] = np.expp(A[1])
           ^^^^^^^
because: a script calls builtins, math and NumPy functions of numbers
hint: did you mean 'exp'?
""")
def unknown_function(A: Tensor["n", "float64"]):
    A[0] = np.expp(A[1])


@case("""
AKG-E225: unknown function `print`
    print(3)
    ^^^^^
because: a script calls builtins, math and NumPy functions of numbers
hint: did you mean 'rint'?
""")
def print_(A: Tensor["n", "float64"]):
    print(3)


@case("""
AKG-E225: `np.exp` takes 1 positional argument
    A[0] = np.exp(A[0], A[1])
           ^^^^^^^^^^^^^^^^^^
because: got 2 positional and 0 keyword arguments
hint: pass numbers, one by one
""")
def wrong_arity(A: Tensor["n", "float64"]):
    A[0] = np.exp(A[0], A[1])


@case("""
AKG-E234: a lambda cannot be compiled
    f = lambda x: x
        ^^^^^^^^^^^
because: a script computes on single numbers
hint: write the expression where it is used
""")
def lambda_(A: Tensor["n", "float64"]):
    f = lambda x: x  # noqa: E731


@case("""
AKG-E230: slice in `A[0:2]`
    A[0:2] = 0.0
    ^^^^^^
because: a statement computes one element
hint: write a loop over the slice
""")
def slice_(A: Tensor["n", "float64"]):
    A[0:2] = 0.0


@case("""
AKG-E229: 'A' has 2 dimensions, got 1 subscript
        A[i] = 0.0
        ^^^^
because: it is float64[n, m]
hint: give one subscript per dimension
""")
def wrong_rank(A: Tensor["n", "m", "float64"]):
    for i in range(3):
        A[i] = 0.0


@case("""
AKG-E226: step `s` is not a constant
    for i in range(0, 8, s):
                         ^
because: the distance of iterations must be known when the script is compiled
hint: use an integer constant
""")
def symbolic_step(A: Tensor["n", "float64"], s: Size):
    for i in range(0, 8, s):
        A[i] = 0.0


@case("""
AKG-E226: step is zero
    for i in range(0, 8, 0):
                         ^
because: the loop would never end
hint: use 1, -1 or another step
""")
def zero_step(A: Tensor["n", "float64"]):
    for i in range(0, 8, 0):
        A[i] = 0.0


@case("""
AKG-E226: range takes one to three arguments
    for i in range():
             ^^^^^^^
because: got `range()`
hint: write range(end), range(begin, end) or range(begin, end, step)
""")
def empty_range(A: Tensor["n", "float64"]):
    for i in range():
        A[i] = 0.0


@case("""
AKG-E226: cannot loop over `A`
    for x in A:
             ^
because: a loop runs over a range
hint: write for i in range(...) and use i as a subscript
""")
def loop_over_array(A: Tensor["n", "float64"]):
    for x in A:
        pass


@case("""
AKG-E227: loop variable 'i' is assigned
        i = 2
        ^
because: a loop variable takes the values of its range
hint: use another name
""")
def assigned_loop_variable(A: Tensor["n", "float64"]):
    for i in range(3):
        i = 2


@case("""
AKG-E227: loop variable 'i' is used after its loop
    A[i] = 0.0
      ^
because: after the loop it has a value only if the loop ran at least once
hint: write the value in terms of the loop's bounds
""")
def used_after_loop(A: Tensor["n", "float64"]):
    for i in range(3):
        A[i] = 1.0
    A[i] = 0.0


@case("""
AKG-E227: 'i' is already the variable of an enclosing loop
        for i in range(2):
            ^
because: the inner loop would change the outer one's variable
hint: rename one of them
""")
def nested_loop_variable(A: Tensor["n", "float64"]):
    for i in range(3):
        for i in range(2):
            A[i] = 1.0


@case("""
AKG-E227: loop variable 'n' shadows another name
    for n in range(3):
        ^
because: 'n' is an argument or was assigned before
hint: rename the loop variable
""")
def shadowing(A: Tensor["n", "float64"]):
    n = A.shape[0]
    for n in range(3):
        A[n] = 1.0


@case("""
AKG-E228: subscript `i * j` is not affine
            A[i * j] = 0.0
              ^^^^^
because: it may only add loop variables and sizes, multiply, divide (//) and reduce (%) them by constants
hint: give a product of sizes a name of its own: an argument annotated akg.Size
""")
def product_subscript(A: Tensor["n", "float64"]):
    for i in range(3):
        for j in range(3):
            A[i * j] = 0.0


@case("""
AKG-E228: subscript `I[i]` is not affine
        A[I[i]] = 0.0
          ^^^^
because: it depends on data that is read at run time
hint: subscripts and bounds are fixed by loops and sizes
""")
def indirect(A: Tensor["n", "float64"], I: In["n", "int64"]):
    for i in range(3):
        A[I[i]] = 0.0


@case("""
AKG-E228: loop bound `k` is not affine
    for i in range(k):
                   ^
because: it is int64, a number that is not known to be a size
hint: declare the argument as akg.Size
""")
def plain_int_bound(A: Tensor["n", "float64"], k: int):
    for i in range(k):
        A[i] = 0.0


@case("""
AKG-E228: subscript `k` is not affine
        A[k] = 0.0
          ^
because: 'k' takes several values
hint: use the loop variables themselves
""")
def counter_subscript(A: Tensor["n", "float64"]):
    k = 0
    for i in range(3):
        A[k] = 0.0
        k += 2


@case("""
AKG-E230: subscript `n / 2` is float64
    A[n / 2] = 0.0
      ^^^^^
because: a subscript is an integer
hint: use // for integer division
""")
def float_subscript(A: Tensor["n", "float64"]):
    n = len(A)
    A[n / 2] = 0.0
