"""Documents as a whole: several operators, assignments, versions, and mistakes."""

import json

import numpy as np
import pytest

import akg
from akg.base.errors import AkgError
from tests.composite.documents import document, op, single, tensor, text, values
from tests.helpers import assert_close

A, B = tensor("a", (3, 5)), tensor("b", (3, 5))


def test_text_and_dict_are_the_same():
    a = values((3, 5))
    desc = single("Exp", [A], (3, 5))
    for form in (desc, text(desc), text(desc).encode()):
        assert_close(akg.composite.build(form)(a), np.exp(a))
    assert akg.composite.build(desc).name == "Fused_test"


def softmax():
    top, shifted, power = tensor("top", (3, 1)), tensor("shifted", (3, 5)), tensor("power", (3, 5))
    total, out = tensor("total", (3, 1)), tensor("out", (3, 5))
    return document([A], [
        op("ReduceMax", [A], top, axis=[-1], keep_dims=True), op("Sub", [A, top], shifted), op("Exp", [shifted], power),
        op("ReduceSum", [power], total, axis=[1], keep_dims=True), op("RealDiv", [power, total], out),
    ], [out, top])  # fmt: skip


def test_a_chain_with_reductions_is_one_kernel():
    a = values((3, 5))
    kernel = akg.composite.build(softmax())
    out, top = kernel(a)
    power = np.exp(a - a.max(1, keepdims=True))
    assert_close(out, power / power.sum(1, keepdims=True), terms=5)
    np.testing.assert_array_equal(top, a.max(1, keepdims=True))
    assert len(kernel.compiled.kernels) == 1
    given = (np.empty((3, 5), "float32"), np.empty((3, 1), "float32"))
    assert kernel(a, out=given)[0] is given[0]
    np.testing.assert_array_equal(given[0], out)


def test_hints_of_other_backends_change_nothing():
    desc = {**softmax(), "buffer_stitch": {"stitch_op": [["total"]]}, "version": 1, "target_info": {"arch": "x86_64"}}
    desc["parallel_fusion"] = {"fusion_type": "block_fusion", "core_num": [1, 1], "sub_graph": [["out"], ["top"]]}
    a = values((3, 5))
    np.testing.assert_array_equal(akg.composite.build(desc)(a)[0], akg.composite.build(softmax())(a)[0])


def test_attributes_as_inputs():
    axis = tensor("axis", (1,), "int64", 1)
    shape = tensor("shape", (2,), "int64", [5, 3])
    total, out, turned = tensor("total", (3,)), tensor("out", (5, 3)), tensor("turned", (5, 3))
    desc = document([A], [
        op("ReduceSum", [A, axis], total, keep_dims=False), op("Reshape", [A, shape], out),
        op("Transpose", [A, tensor("perm", (2,), "int64", [1, 0])], turned),
    ], [total, out, turned], version=2)  # fmt: skip
    a = values((3, 5))
    got = akg.composite.build(desc)(a)
    assert_close(got[0], a.sum(1), terms=5)
    np.testing.assert_array_equal(got[1], a.reshape(5, 3))
    np.testing.assert_array_equal(got[2], a.T)


def adam():
    """m and v get new elements, w is updated with them; later operators see the new elements."""
    m, v, w, g = (tensor(n, (3, 5)) for n in "mvwg")
    names = ["m1", "m2", "m3", "v1", "v2", "v3", "v4", "root", "step", "new", "o1", "o2", "o3"]
    t = {n: tensor(n, (3, 5)) for n in names}
    c = [tensor(f"c{k}", (1,), value=x) for k, x in enumerate((0.9, 0.1, 0.99, 0.01))]
    return document([m, v, w, g], [
        op("Mul", [m, c[0]], t["m1"]), op("Mul", [g, c[1]], t["m2"]), op("Add", [t["m1"], t["m2"]], t["m3"]),
        op("Mul", [v, c[2]], t["v1"]), op("Mul", [g, g], t["v2"]), op("Mul", [t["v2"], c[3]], t["v3"]),
        op("Add", [t["v1"], t["v3"]], t["v4"]), op("Assign", [m, t["m3"]], t["o1"]),
        op("Assign", [v, t["v4"]], t["o2"]), op("Sqrt", [v], t["root"]), op("RealDiv", [m, t["root"]], t["step"]),
        op("Sub", [w, t["step"]], t["new"]), op("InplaceAssign", [w, t["new"], t["step"]], t["o3"], fake_output=False),
    ], [t["o1"], t["o3"]])  # fmt: skip


def test_assigned_inputs_are_updated_in_place():
    m, v, w, g = (values((3, 5), seed=k) for k in range(4))
    want_m, want_v = m * 0.9 + g * 0.1, v * 0.99 + g * g * 0.01
    step = want_m / np.sqrt(want_v)
    want_w = w - step
    first, third = akg.composite.build(adam())(m, v, w, g)
    for got, want in ((m, want_m), (v, want_v), (w, want_w), (first, want_m), (third, step)):
        assert_close(got, want)


def test_outputs_are_arrays_of_their_own():
    one, two = tensor("one", (3, 5)), tensor("two", (3, 5))
    desc = document([A, B], [op("Assign", [A, B], one), op("Assign", [B, B], two)], [one, two, B])
    a, b = values((3, 5)), values((3, 5), seed=1)
    got = akg.composite.build(desc)(a, b)
    for x in (*got, a):
        np.testing.assert_array_equal(x, b)
    assert not any(np.shares_memory(x, b) for x in (*got, a))
    assert not np.shares_memory(got[0], got[1])


def test_scalars_and_no_inputs():
    scalar, out = tensor("s", ()), tensor("out", ())
    desc = document([scalar], [op("Exp", [scalar], out)], [out])
    s = np.float32(0.5).reshape(())
    assert_close(akg.composite.build(desc)(s), np.exp(s))
    filled = single("BroadcastTo", [tensor("c", (1,), value=2.5)], (2, 3), shape=[2, 3])
    np.testing.assert_array_equal(akg.composite.build(filled)(), np.full((2, 3), 2.5, "float32"))


def broken(path, value):
    """The softmax document with one part replaced; ``...`` removes it."""
    desc = json.loads(text(softmax()))
    place = desc
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return desc


OUT = ["op_desc", 4, "output_desc", 0]
MISTAKES = [
    ("no JSON", lambda: "{", "AKG-E710"),
    ("no object", lambda: "[1]", "AKG-E710"),
    ("not even text", lambda: 7, "AKG-E710"),
    ("deep", lambda: "[" * 100000, "AKG-E710"),
    ("version", lambda: broken(["version"], 9), "AKG-E711"),
    ("no operators", lambda: broken(["op_desc"], []), "AKG-E711"),
    ("operators of a wrong type", lambda: broken(["op_desc"], {"a": 1}), "AKG-E711"),
    ("operator of a wrong type", lambda: broken(["op_desc", 0], "Exp"), "AKG-E711"),
    ("no name", lambda: broken(["op"], ...), "AKG-E711"),
    ("no outputs", lambda: broken(["output_desc"], ...), "AKG-E711"),
    ("no output of an operator", lambda: broken(["op_desc", 0, "output_desc"], []), "AKG-E711"),
    ("inputs of a wrong type", lambda: broken(["input_desc"], [tensor("a", (3, 5))]), "AKG-E711"),
    ("attributes of a wrong type", lambda: broken(["op_desc", 0, "attr"], [3]), "AKG-E711"),
    ("negative size", lambda: broken([*OUT, "shape"], [-1, 5]), "AKG-E711"),
    ("size that is no integer", lambda: broken([*OUT, "shape"], [3.0, 5]), "AKG-E711"),
    ("size beyond memory", lambda: broken([*OUT, "shape"], [2**40, 2**40]), "AKG-E711"),
    ("no type", lambda: broken([*OUT, "data_type"], ...), "AKG-E711"),
    ("value of a wrong type", lambda: single("Exp", [tensor("a", (1,), value="x")], (1,)), "AKG-E713"),
    ("value that is an object", lambda: single("Exp", [tensor("a", (1,), value={"a": 1})], (1,)), "AKG-E711"),
    ("value beyond its type", lambda: single("Abs", [tensor("a", (1,), "int32", 2**70)], (1,), "int32"), "AKG-E713"),
    ("infinite integer", lambda: single("Abs", [tensor("a", (1,), "int32", np.inf)], (1,), "int32"), "AKG-E713"),
    ("output twice", lambda: broken(["op_desc", 1, "output_desc", 0, "tensor_name"], "top"), "AKG-E702"),
    ("parts of another size", lambda: single("Split", [A], (3, 4), axis=1), "AKG-E713"),
    ("unknown type", lambda: broken([*OUT, "data_type"], "float31"), "AKG-E101"),
    ("unknown operator", lambda: broken(["op_desc", 2, "name"], "Expp"), "AKG-E712"),
    ("no attribute", lambda: single("Transpose", [A], (5, 3)), "AKG-E713"),
    ("attribute of a wrong type", lambda: single("Transpose", [A], (5, 3), perm=["x"]), "AKG-E713"),
    ("axis out of range", lambda: broken(["op_desc", 0, "attr", 0, "value"], [7]), "AKG-E273"),
    ("missing input", lambda: single("Add", [A], (3, 5)), "AKG-E713"),
    ("no input at all", lambda: single("AddN", [], (3, 5)), "AKG-E713"),
    ("layout of NPUs", lambda: single("Exp", [{**A, "format": "FRACTAL_NZ"}], (3, 5)), "AKG-E714"),
    ("unknown layout", lambda: single("LayoutTransform", [A], (3, 5), src_format="4", dst_format="NC"), "AKG-E713"),
    ("complex function", lambda: single("Exp", [tensor("a", (3,), "complex64")], (3,), "complex64"), "AKG-E714"),
    ("missing tensor", lambda: broken(["op_desc", 1, "input_desc", 0, 0, "tensor_name"], "nowhere"), "AKG-E701"),
    ("missing output", lambda: broken(["output_desc", 0, "tensor_name"], "nowhere"), "AKG-E701"),
    ("cycle", lambda: broken(["op_desc", 0, "input_desc", 0, 0, "tensor_name"], "out"), "AKG-E701"),
    ("input twice", lambda: broken(["input_desc"], [[A], [A]]), "AKG-E702"),
    ("input as output", lambda: broken(["op_desc", 0, "output_desc", 0, "tensor_name"], "a"), "AKG-E702"),
    ("input of another size", lambda: broken(["op_desc", 1, "input_desc", 0, 0, "shape"], [4, 5]), "AKG-E704"),
    ("output of another size", lambda: broken([*OUT, "shape"], [3, 6]), "AKG-E704"),
    ("result of another shape", lambda: broken(["output_desc", 0, "shape"], [5, 3]), "AKG-E704"),
    ("result of another type", lambda: broken(["output_desc", 0, "data_type"], "float16"), "AKG-E704"),
    ("shapes that do not broadcast", lambda: single("Add", [A, tensor("b", (4,))], (3, 5)), "AKG-E272"),
    ("values of a wrong number", lambda: single("Exp", [tensor("a", (3,), value=[1, 2])], (3,)), "AKG-E704"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "code"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistakes(make, code):
    with pytest.raises(AkgError) as caught:
        akg.composite.build(make())
    assert caught.value.code == code, caught.value
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_random_damage_is_an_akg_error():
    """Any part of a document replaced by anything: it builds, or it raises an error of akg's with a code."""
    rng = np.random.default_rng(3)
    junk = [None, 0, -1, 1.5, True, "", "x", [], {}, [[]], [{}], [None], {"a": 1}, 10**30, "float16", [0], [2, 2]]

    def places(value, trail):
        yield trail
        if isinstance(value, dict):
            for key in value:
                yield from places(value[key], [*trail, key])
        elif isinstance(value, list):
            for k in range(len(value)):
                yield from places(value[k], [*trail, k])

    trails = [t for t in places(softmax(), []) if t]
    for k in rng.permutation(len(trails))[:150]:
        value = junk[rng.integers(len(junk))]
        try:
            akg.composite.build(broken(trails[k], value))
        except AkgError:
            pass
        except Exception as error:
            raise AssertionError(f"{trails[k]} = {json.dumps(value)}: {type(error).__name__}: {error}") from error
