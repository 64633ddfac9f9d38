"""Every mistake in a script gives one error, with its place, its reason and a hint."""
# ruff: noqa: B007, F821, F841  (shapes and dtypes are strings inside annotations; mistakes on purpose)


import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.ir.script import In, Out, Script, Size, Tensor, script

TABLE = [1, 2]
CASES = {}


def case(expected):
    """A function and the error that lowering it gives; the place is marked under the source line."""

    def add(function):
        CASES[function.__name__] = (function, expected)
        return function

    return add


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


@case("""
AKG-E231: write to input 'A'
        A[i] += 1.0
        ^^^^
because: its annotation is akg.In[...], which is read-only
hint: annotate it as akg.Tensor[...] to update it in place
""")
def write_to_input(A: In["n", "float64"]):
    for i in range(3):
        A[i] += 1.0


@case("""
AKG-E231: argument 'A' is assigned as a whole
    A = 0.0
    ^
because: the name would mean another array, and the caller's would stay as it is
hint: store elements: A[i] = ...
""")
def rebound_array(A: Tensor["n", "float64"]):
    A = 0.0


@case("""
AKG-E231: argument 'x' is assigned
    x = 0.0
    ^
because: scalar arguments are read-only
hint: copy it to a local name first
""")
def rebound_scalar(A: Tensor["n", "float64"], x: float):
    x = 0.0


@case("""
AKG-E224: unknown name 'alhpa'
    A[0] = alhpa
           ^^^^^
because: it is not an argument, a local name or a global
hint: did you mean 'alpha'?
""")
def unknown_name(A: Tensor["n", "float64"], alpha: float):
    A[0] = alhpa


@case("""
AKG-E224: unknown name 'B'
    A[0] = B[0]
           ^
because: it is not an argument, a local name or a global
hint: known names: A
""")
def unknown_array(A: Tensor["n", "float64"]):
    A[0] = B[0]


@case("""
AKG-E224: unknown name 'n'
    for i in range(n):
                   ^
because: a name in an annotation's shape is not a Python variable
hint: write n = A.shape[0] first
""")
def unbound_size(A: Tensor["n", "float64"]):
    for i in range(n):
        A[i] = 0.0


@case("""
AKG-E224: 'TABLE' is a list from outside the script
    A[0] = TABLE[0]
           ^^^^^
because: a script takes only numbers from outside
hint: pass it as an argument
""")
def captured_list(A: Tensor["n", "float64"]):
    A[0] = TABLE[0]


@case("""
AKG-E222: argument 'B' has no annotation
def missing_annotation(A: Tensor["n", "float64"], B):
                                                  ^
because: a kernel must know the shapes and types of its arguments
hint: annotate it, as in A: akg.Tensor["n", "m", "float32"], alpha: akg.Scalar["float32"] or n: akg.Size
""")
def missing_annotation(A: Tensor["n", "float64"], B):
    pass


@case("""
AKG-E222: annotation `list` of 'A' is not one of akg's
def other_annotation(A: list):
                        ^^^^
because: a kernel must know the shapes and types of its arguments
hint: annotate it, as in A: akg.Tensor["n", "m", "float32"], alpha: akg.Scalar["float32"] or n: akg.Size
""")
def other_annotation(A: list):
    pass


@case("""
AKG-E222: 'args' takes any number of arguments
def star_arguments(*args: Tensor["n", "float64"]):
                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the arguments of a kernel are fixed
hint: name each argument
""")
def star_arguments(*args: Tensor["n", "float64"]):
    pass


@case("""
AKG-E222: default value `2.0`
def default_argument(A: Tensor["n", "float64"], x: float = 2.0):
                                                           ^^^
because: a kernel is always given all its arguments
hint: leave the default out, and pass the value
""")
def default_argument(A: Tensor["n", "float64"], x: float = 2.0):
    pass


@case("""
AKG-E222: argument 'x' is positional-only or keyword-only
def keyword_only(A: Tensor["n", "float64"], *, x: float):
                                               ^^^^^^^^
because: a kernel takes its arguments by position or by name
hint: leave out `/` and `*`
""")
def keyword_only(A: Tensor["n", "float64"], *, x: float):
    pass


@case("""
AKG-E232: 's' is read before it is assigned
    A[0] = s
           ^
because: no statement before this one gives it a value
hint: start with s = 0.0
""")
def read_before_assignment(A: Tensor["n", "float64"]):
    A[0] = s
    s = A[1]


@case("""
AKG-E234: 'A' is a whole array
    A[0, 0] = A + 1
              ^
because: a script computes on single elements; array expressions are for te and akg.ops
hint: write it as a loop over elements such as A[i, j]
""")
def whole_array(A: Tensor["n", "m", "float64"]):
    A[0, 0] = A + 1


@case("""
AKG-E234: `@` cannot be compiled
    A[0] = A[0] @ A[1]
           ^^^^^^^^^^^
because: a script computes on single numbers
hint: write the three loops of the product
""")
def matmul(A: Tensor["n", "float64"]):
    A[0] = A[0] @ A[1]


@case("""
AKG-E234: division by zero
    A[0] = len(A) // 0
           ^^^^^^^^^^^
because: the divisor is the constant 0
hint: divide by another number
""")
def zero_division(A: Tensor["n", "float64"]):
    A[0] = len(A) // 0


@case("""
AKG-E104: bitwise 'and' on float64
    A[0] = A[0] & A[1]
           ^^^^^^^^^^^
because: bit operations need integers or bools
hint: compare first, as in (a > 0) & (b > 0)
""")
def bitwise_floats(A: Tensor["n", "float64"]):
    A[0] = A[0] & A[1]


@case("""
AKG-E221: `A[0]` has no effect
    A[0]
    ^^^^
because: its value is not stored
hint: assign it to an element
""")
def no_effect(A: Tensor["n", "float64"]):
    A[0]


@case("""
AKG-E221: several targets in one assignment
    A[0] = A[1] = 0.0
    ^^^^^^^^^^^^^^^^^
because: each statement stores one element
hint: write one assignment per target
""")
def several_targets(A: Tensor["n", "float64"]):
    A[0] = A[1] = 0.0


@case("""
AKG-E221: `a, b = (1, 2)` cannot be compiled
    a, b = 1, 2
    ^^^^^^^^^^^
because: only a shape is unpacked into names
hint: write one assignment per target
""")
def unpacking(A: Tensor["n", "float64"]):
    a, b = 1, 2


@case("""
AKG-E233: argument 'A' is returned
    return A
           ^
because: it is the caller's array, updated in place
hint: leave it out of the return
""")
def returned_argument(A: Tensor["n", "float64"]):
    return A


@case("""
AKG-E233: `s / 2` cannot be returned
    return s / 2
           ^^^^^
because: a script returns local arrays and local scalars by name
hint: assign it to a name, and return that
""")
def returned_expression(A: Tensor["n", "float64"]):
    s = A[0]
    return s / 2


@case("""
AKG-E233: `return` inside a loop or branch
        return
        ^^^^^^
because: a script returns once, as its last statement
hint: move the return to the end of the function
""")
def early_return(A: Tensor["n", "float64"]):
    if len(A) > 2:
        return
    A[0] = 0.0


@case("""
AKG-E235: dimension `i` changes from iteration to iteration
        B = np.zeros(i)
                     ^
because: the size of a local array depends only on sizes of the kernel
hint: allocate for the largest iteration
""")
def varying_array(A: Tensor["n", "float64"]):
    for i in range(len(A)):
        B = np.zeros(i)


@case("""
AKG-E235: array 'B' is used outside the block that creates it
    A[0] = B[0]
           ^
because: it exists only if that block ran
hint: create the array before the loop or branch
""")
def array_after_block(A: Tensor["n", "float64"]):
    for i in range(3):
        B = np.zeros(4)
    A[0] = B[0]


@case("""
AKG-E101: unknown dtype 'float46'
    B = np.zeros(4, "float46")
                    ^^^^^^^^^
because: akg computes on float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool
hint: did you mean 'float64'?
""")  # noqa: E501
def unknown_dtype(A: Tensor["n", "float64"]):
    B = np.zeros(4, "float46")


@case("""
AKG-E234: `len(A)` is a number in `or`
    A[0] = A[1] > 0 or len(A)
                       ^^^^^^
because: outside a condition, Python's `and` and `or` give one of their operands
hint: compare it: len(A) != 0
""")
def or_of_numbers(A: Tensor["n", "float64"]):
    A[0] = A[1] > 0 or len(A)


@case("""
AKG-E234: 'a' is not a number
    A[0] = "a"
           ^^^
because: a script computes on floats, integers and bools
hint: use a number
""")
def text(A: Tensor["n", "float64"]):
    A[0] = "a"


@case("""
AKG-E231: write to input 'A'
    Ä = A; Ä[0] = 1.0
           ^^^^
because: its annotation is akg.In[...], which is read-only
hint: annotate it as akg.Tensor[...] to update it in place
""")
def columns_count_characters(A: In["n", "float64"]):
    Ä = A; Ä[0] = 1.0  # noqa: E702

# fmt: on


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    function, expected = CASES[name]
    with pytest.raises(AkgError) as caught:
        Script(function).lower()
    lines = str(caught.value).splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("  --> "))
    assert lines[place].startswith(f"  --> {__file__}:")
    margin = lines[place + 2].index("|") + 2
    source = lines[place + 2][margin:].split("  # noqa")[0]
    got = [*lines[:place], source, lines[place + 3][margin:], *lines[place + 4 :]]
    assert "\n".join(got) == expected.strip("\n")


def test_line_numbers_are_those_of_the_file():
    function, _ = CASES["while_loop"]
    with pytest.raises(AkgError) as caught:
        Script(function).lower()
    assert caught.value.span.line == function.__code__.co_firstlineno + 9  # the decorator takes six lines


def test_errors_show_no_frame_of_the_package():
    with pytest.raises(AkgError) as caught:
        Script(CASES["while_loop"][0]).lower()
    trace = caught.value.__cause__
    assert trace is None and caught.value.__suppress_context__


def test_source_that_is_not_available():
    scope = {"Tensor": Tensor, "script": script}
    with pytest.raises(AkgError) as caught:
        exec("@script\ndef f(A: Tensor['n', 'float32']):\n    pass", scope)
    assert "AKG-E220: the source of 'f' is not available" in str(caught.value)
    assert "hint: define the function in a file or a notebook cell" in str(caught.value)


def test_not_a_function():
    with pytest.raises(AkgError, match="int cannot be a script"):
        script(3)
    with pytest.raises(AkgError, match="a script is one function made by `def`"):
        script(lambda A: A).lower()


def test_dimensions():
    with pytest.raises(AkgError, match=r"akg.Tensor\[...\] has a dimension 'n\*m'") as caught:
        Tensor["n*m", "float32"]
    assert caught.value.code == "AKG-E223" and "affine string" in caught.value.because
    with pytest.raises(AkgError, match=r"akg.In\[...\] has no dtype") as caught:
        In["n", 3]
    assert caught.value.hint == "write akg.In['n', 3, \"float32\"]"
    with pytest.raises(AkgError, match="unknown dtype 'flaot32'"):
        Out["n", "flaot32"]


def test_another_script_is_not_called():
    inner = Script(CASES["no_effect"][0])

    def outer(A: Tensor["n", "float64"]):
        inner(A)

    with pytest.raises(AkgError, match="`inner` is another script"):
        Script(outer).lower()
