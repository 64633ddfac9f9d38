"""Names, arguments, results and values."""
# ruff: noqa: B007, F821, F841  (shapes and dtypes are strings inside annotations; mistakes on purpose)

import numpy as np

from akg.ir.script import In, Tensor
from tests.ir.script_mistakes.base import case

TABLE = [1, 2]

# fmt: off

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
