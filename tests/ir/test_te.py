"""Tensor expressions: what a definition says, and the whole text of every error."""

import re

import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.ir import te
from akg.ir.expr import Const, Load
from akg.ir.functions import CALLS, INTERNAL_CALLS
from akg.ir.lower import lower_te


def message(fn):
    """The text of the error that `fn` raises, without the path of this file and the line numbers."""
    with pytest.raises(AkgError) as caught:
        fn()
    text = str(caught.value).replace(__file__, "FILE")
    return re.sub(r"^\d+ \|", "|", re.sub(r"^ +\|", "|", re.sub(r"FILE:\d+", "FILE", text), flags=re.M), flags=re.M)


def caret(text):
    """The part of the source line under the caret."""
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if set(line) <= set("| ^") and "^" in line)
    return "".join(c for c, mark in zip(lines[at - 1].ljust(200), lines[at]) if mark == "^")


def without_place(text):
    """Code, reason and hint."""
    return [line for line in text.splitlines() if re.match(r"AKG|because|hint", line)]


A = te.placeholder((4, 5), name="A")
V = te.placeholder((4,), name="V")


def test_a_tensor_knows_its_type_and_shape():
    n = te.var("n")
    T = te.placeholder((n, 3), "int8", name="T")
    assert (T.name, T.dtype.name, T.ndim) == ("T", "int8", 2)
    assert T.shape == (n, 3)
    assert list(range(T.shape[1])) == [0, 1, 2]
    assert te.placeholder(7).shape == (7,)
    assert te.placeholder((np.int64(2),), np.float64).dtype.name == "float64"
    assert te.var("n") is n


def test_an_element_is_a_load():
    node = A[1, 2]
    assert isinstance(node, Load)
    assert node.buffer is A
    assert [int(i) for i in node.indices] == [1, 2]


def test_axes_take_their_names_from_the_function_and_are_never_shared():
    first = te.compute((4, 5), lambda row, col: A[row, col])
    second = te.compute((4, 5), lambda row, col: A[row, col])
    names = [axis.var.name.partition("$")[0] for axis in first.op.axes]
    assert names == ["row", "col"]
    assert not {a.var for a in first.op.axes} & {a.var for a in second.op.axes}
    starred = te.compute((4, 5), lambda *at: A[at])
    assert [axis.var.name.partition("$")[0] for axis in starred.op.axes] == ["i0", "i1"]


def test_a_body_of_indices_is_int64():
    assert te.compute((4,), lambda i: i * 2).dtype.name == "int64"
    assert te.compute((4,), lambda i: V[i] + 1).dtype.name == "float32"
    assert te.compute((4,), lambda i: V[i] > 0).dtype.name == "bool"


def test_a_tuple_defines_several_tensors():
    both = te.compute((4,), lambda i: (V[i], i), name="both")
    assert [(t.name, t.dtype.name, t.op is both[0].op) for t in both] == [
        ("both_0", "float32", True), ("both_1", "int64", True),
    ]  # fmt: skip


def test_every_function_of_the_expressions_has_a_builder():
    arity = {"fma": 3, "atan2": 2, "copysign": 2, "ldexp": 2, "pow": 2}
    for name in CALLS - INTERNAL_CALLS:
        node = getattr(te, name)(*[V[0]] * arity.get(name, 1))
        assert (name, node.fn) == (name, name)


def test_limits():
    assert te.min_value("int8").value == -128
    assert te.max_value("uint8").value == 255
    assert te.max_value("bfloat16").value > 3e38
    assert te.infinity("float16").value == float("inf")
    assert te.const(3, "int32") is Const(3, te.const(1, "int32").dtype)
    assert te.all().value is True
    assert te.any().value is False


def test_the_place_is_the_subscript_in_the_function():
    text = message(lambda: te.compute((4,), lambda i: V[i] + A[i]))
    assert caret(text) == "A[i]"
    assert text.splitlines()[1] == "  --> FILE"


k = te.reduce_axis(5, name="k")
m = te.reduce_axis(4, name="m")
n = te.var("n")
T = te.compute((4,), lambda i: te.sum(A[i, k], axis=k), name="T")

ERRORS = {
    "rank": (
        lambda: A[0],
        "AKG-E240: A has 2 dimensions but got 1 subscript",
        "because: A is a float32 tensor of shape (4, 5)",
        "hint: write A[i, j]",
    ),
    "slice": (
        lambda: A[0, 1:],
        "AKG-E106: subscript 1 of A is a slice",
        "because: a definition reads one element at a time",
        "hint: write te.compute over the part that you need",
    ),
    "float subscript": (
        lambda: te.compute((4,), lambda i: V[i / 2]),
        "AKG-E106: subscript 0 of V is a float64",
        "because: subscripts are integers",
        "hint: use // for the integer quotient, or te.cast(x, 'int64')",
    ),
    "bool subscript": (
        lambda: V[True],
        "AKG-E106: subscript 0 of V is a bool",
        "because: subscripts are integers",
        "hint: use // for the integer quotient, or te.cast(x, 'int64')",
    ),
    "not affine": (
        lambda: te.compute((4, 5), lambda i, j: V[i * j]),
        "AKG-E245: subscript 0 of V is not affine",
        "because: it multiplies or divides variables by one another",
        "hint: subscripts may add axes and sizes, multiply by constants, and use // and % by constants",
    ),
    "above": (
        lambda: A[0, 5],
        "AKG-E246: subscript 1 of A is 5, out of bounds",
        "because: dimension 1 of A has size 5",
        "hint: subscripts count from 0 and do not wrap around",
    ),
    "below": (
        lambda: A[-1, 0],
        "AKG-E246: subscript 0 of A is -1, out of bounds",
        "because: dimension 0 of A has size 4",
        "hint: subscripts count from 0 and do not wrap around",
    ),
    "whole tensor": (
        lambda: te.exp(A),
        "AKG-E103: tensor A is not a scalar",
        "because: its shape is (4, 5)",
        "hint: index it down to one element, as in A[i, j]",
    ),
    "dtype": (
        lambda: te.placeholder((4,), "float31"),
        "AKG-E101: unknown dtype 'float31'",
        "because: akg computes on float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, "
        "uint32, uint16, uint8, bool",
        "hint: did you mean 'float32'?",
    ),
    "index array": (
        lambda: te.placeholder((4,), "index"),
        "AKG-E101: index is not the type of an array",
        "because: it is the type of sizes and axes",
        "hint: use 'int64'",
    ),
    "negative size": (
        lambda: te.placeholder((4, -1)),
        "AKG-E105: size 1 of the shape is -1",
        "because: sizes are not negative",
        "hint: use 0 or more",
    ),
    "float size": (
        lambda: te.compute((4.0,), lambda i: V[i]),
        "AKG-E105: size 0 of the shape is 4.0",
        "because: sizes are integers, or symbols from te.var",
        "hint: write n = te.var('n') for a size that is known when the kernel is called",
    ),
    "product of sizes": (
        lambda: te.compute((n * n,), lambda i: V[0]),
        "AKG-E105: size 0 of the shape is not an affine expression of sizes",
        "because: loop bounds are sums of sizes with constant coefficients",
        "hint: give the product of two sizes a name of its own with te.var",
    ),
    "size of an axis": (
        lambda: te.compute((4,), lambda i: te.placeholder((i,))[0]),
        "AKG-E105: size 0 of the shape depends on an axis",
        "because: an array has one shape for all its elements",
        "hint: use an integer, or te.var for a size that is known when the kernel is called",
    ),
    "name of a size": (
        lambda: te.var("my size"),
        "AKG-E107: 'my size' is not a name",
        "because: names are identifiers",
        "hint: as in te.var('n')",
    ),
    "constant": (
        lambda: te.const(300, "uint8"),
        "AKG-E108: 300 is not a value of uint8",
        "because: uint8 holds the integers from 0 to 255",
        "hint: choose a wider type",
    ),
    "infinity": (
        lambda: te.infinity("int8"),
        "AKG-E108: int8 has no infinity",
        "hint: use te.max_value('int8')",
    ),
    "bits of floats": (
        lambda: te.compute((4,), lambda i: V[i] & V[i]),
        "AKG-E104: bitwise 'and' on float32",
        "because: bit operations need integers or bools",
        "hint: compare first, as in (a > 0) & (b > 0)",
    ),
    "arity": (
        lambda: te.compute((4, 5), lambda i: V[i]),
        "AKG-E241: the function takes 1 argument but the shape has 2 dimensions",
        "because: it is called with one axis per dimension",
        "hint: write lambda i, j: ...",
    ),
    "no value": (
        lambda: te.compute((4,), lambda i: ()),
        "AKG-E241: the function returned no value",
        "because: it returned an empty tuple",
        "hint: return one expression, or a tuple of them",
    ),
    "None": (
        lambda: te.compute((4,), lambda i: None),
        "AKG-E103: NoneType is not a scalar",
        "because: got None",
        "hint: index a tensor down to one element, as in A[i, j]",
    ),
    "truth value": (
        lambda: te.compute((4,), lambda i: V[i] if V[i] > 0 else 0),
        "AKG-E203: a symbolic expression has no truth value while the program is being defined",
        "because: the expression is V[i] > 0.0f32",
        "hint: use te.select(condition, a, b), te.all(...), te.any(...), te.maximum(...) or te.minimum(...) "
        "instead of `if`, `and`, `or`, `max`, `min`",
    ),
    "axis outside": (
        lambda: te.compute((4,), lambda i: te.sum(A[i, k], axis=k) + k),
        "AKG-E242: axis k is used outside of its range",
        "because: k is neither an axis of this tensor nor of a reduction around the place",
        "hint: reduce over it: te.sum(..., axis=k)",
    ),
    "axis in a plain definition": (
        lambda: te.compute((4,), lambda i: A[i, k]),
        "AKG-E242: axis k is used outside of its range",
        "because: k is neither an axis of this tensor nor of a reduction around the place",
        "hint: reduce over it: te.sum(..., axis=k)",
    ),
    "nested": (
        lambda: te.compute((4,), lambda i: te.max(te.sum(A[m, k], axis=k), axis=m)),
        "AKG-E243: a sum reduction inside a max reduction",
        "because: a definition reduces once, over all its reduction axes",
        "hint: give the inner reduction a te.compute of its own, or reduce over a tuple of axes",
    ),
    "no reduction axis": (
        lambda: te.compute((4,), lambda i: te.sum(V[i], axis=i)),
        "AKG-E249: axis=i is not a reduction axis",
        "because: a reduction runs over axes that te.reduce_axis made",
        "hint: write k = te.reduce_axis(extent), use k in the expression, and give axis=k",
    ),
    "number for an axis": (
        lambda: te.sum(V[0], axis=0),
        "AKG-E249: axis=0 is not a reduction axis",
        "because: a reduction runs over axes that te.reduce_axis made",
        "hint: write k = te.reduce_axis(extent), use k in the expression, and give axis=k",
    ),
    "axis twice": (
        lambda: te.sum(A[0, k], axis=(k, k)),
        "AKG-E249: axis k is given twice",
        "hint: give every axis once",
    ),
    "no axis": (
        lambda: te.sum(A[0, k], axis=()),
        "AKG-E249: a reduction over no axis",
        "hint: give axis=k with k = te.reduce_axis(extent)",
    ),
    "type of a combiner": (
        lambda: te.comm_reducer(lambda x, y: x > y, lambda t: 0, name="mine")(A[0, k], axis=k),
        "AKG-E250: the combiner of mine gives bool for value 0, which is float32",
        "because: a reduction keeps its types",
        "hint: return te.cast(x, 'float32')",
    ),
    "length of a combiner": (
        lambda: te.comm_reducer(lambda x, y: (x[0],), lambda s, t: (0, 0), name="mine")((A[0, k], k), axis=k),
        "AKG-E250: the combiner of mine gives 1 values for 2",
        "because: a reduction of tuples combines tuples of one length",
        "hint: return 2 values",
    ),
    "combiner of more": (
        lambda: te.comm_reducer(lambda x, y: x + y * te.scalar("s"), lambda t: 0, name="mine")(A[0, k], axis=k),
        "AKG-E250: the combiner of mine depends on s",
        "because: a combiner computes from its two operands alone",
        "hint: put it into the expression that is reduced",
    ),
    "identity": (
        lambda: te.comm_reducer(lambda x, y: x + y, lambda t: V[0], name="mine")(A[0, k], axis=k),
        "AKG-E250: the identity of mine is not constant",
        "hint: use te.const or a number",
    ),
    "no outputs": (
        lambda: lower_te([]),
        "AKG-E244: no outputs",
        "because: the list is empty",
        "hint: give the tensors to compute: [C]",
    ),
    "placeholder as output": (
        lambda: lower_te([A]),
        "AKG-E244: output A is a placeholder",
        "because: a kernel computes its outputs",
        "hint: copy it: te.compute(A.shape, lambda *i: A[i])",
    ),
    "output twice": (
        lambda: lower_te([T, T]),
        "AKG-E244: output T is given twice",
        "because: each output is an array of its own",
        "hint: give every output once",
    ),
    "number as output": (
        lambda: lower_te([3]),
        "AKG-E244: output 0 is of type int",
        "because: outputs are te tensors",
        "hint: give what te.compute returned",
    ),
    "unused input": (
        lambda: lower_te([T], [A, V]),
        "AKG-E248: input V is not used",
        "because: no output depends on V",
        "hint: leave it out of inputs",
    ),
    "missing input": (
        lambda: lower_te([T], []),
        "AKG-E248: A is missing from inputs",
        "because: the outputs depend on A",
        "hint: add A to inputs, or leave inputs out to take all in order of first use",
    ),
    "input twice": (
        lambda: lower_te([T], [A, A]),
        "AKG-E248: input A is given twice",
        "because: each input is an argument of its own",
        "hint: give every input once",
    ),
    "computed input": (
        lambda: lower_te([T], [A, T]),
        "AKG-E248: input 1 is T, which is computed",
        "because: inputs are placeholders and scalars",
        "hint: give what te.placeholder, te.scalar or te.var returned",
    ),
    "size from nowhere": (
        lambda: lower_te([te.compute((n,), lambda i: V[0], name="out")]),
        "AKG-E247: size n cannot be told from the inputs",
        "because: no dimension of an input gives it: V (4,)",
        "hint: pass it as an argument: inputs=[..., n]",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_message(case):
    fn, *expected = ERRORS[case]
    got = without_place(message(fn))
    if None in expected:
        got[expected.index(None)] = None
    assert got == expected


@pytest.mark.parametrize("case", ERRORS)
def test_place(case):
    """Every error shows the user's own source, never ours."""
    assert "\n  --> FILE\n" in message(ERRORS[case][0])
