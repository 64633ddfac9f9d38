"""Every operator of composite documents against NumPy."""

import numpy as np
import pytest
import scipy.special

import akg
from akg.frontends.composite import drawing
from tests.composite.documents import document, op, single, tensor, values
from tests.helpers import assert_close

A, B = tensor("a", (3, 5)), tensor("b", (3, 5))
ROW = tensor("r", (5,))

UNARY = {
    "Abs": np.abs, "Asinh": np.arcsinh, "ACos": np.arccos, "Asin": np.arcsin, "Atan": np.arctan, "Sin": np.sin,
    "Cos": np.cos, "Tanh": np.tanh, "Erf": scipy.special.erf, "Exp": np.exp, "Expm1": np.expm1, "Log": np.log,
    "Neg": np.negative, "Sqrt": np.sqrt, "Rsqrt": lambda x: 1 / np.sqrt(x), "Reciprocal": lambda x: 1 / x,
    "Round": np.round, "Floor": np.floor, "Sign": np.sign, "ZerosLike": np.zeros_like, "EquivFormat": lambda x: x,
    "FastGeLU": lambda x: x * np.exp(0.851 * (x - np.abs(x))) / (1 + np.exp(-1.702 * np.abs(x))),
}  # fmt: skip
PREDICATES = {"IsNan": np.isnan, "IsInf": np.isinf, "IsFinite": np.isfinite, "LogicalNot": np.logical_not}
BINARY = {
    "Add": np.add, "TensorAdd": np.add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.divide,
    "Div": np.divide, "FloorDiv": np.floor_divide, "FloorMod": np.mod, "Mod": np.fmod, "Minimum": np.minimum,
    "Maximum": np.maximum, "Pow": np.power, "Atan2": np.arctan2,
}  # fmt: skip
COMPARE = {
    "Equal": np.equal, "NotEqual": np.not_equal, "Greater": np.greater, "GreaterEqual": np.greater_equal,
    "Less": np.less, "LessEqual": np.less_equal,
}  # fmt: skip
REDUCE = {"ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min}


def run(desc, *arrays):
    return akg.composite.build(desc)(*arrays)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    a = values((3, 5))
    assert_close(run(single(name, [A], (3, 5)), a), UNARY[name](a))


def test_acosh():
    a = values((3, 5)) + 1
    assert_close(run(single("Acosh", [A], (3, 5)), a), np.arccosh(a))


@pytest.mark.parametrize("name", PREDICATES)
def test_predicates(name):
    a = values((3, 5))
    a[0, :3] = np.nan, np.inf, 0
    np.testing.assert_array_equal(run(single(name, [A], (3, 5), "bool"), a), PREDICATES[name](a))


@pytest.mark.parametrize("name", {**BINARY, **COMPARE})
def test_binary(name):
    a, r = values((3, 5)), values((5,), seed=1)
    a[1] = r
    dtype = "bool" if name in COMPARE else "float32"
    want = {**BINARY, **COMPARE}[name](a, r)
    assert_close(run(single(name, [A, ROW], (3, 5), dtype), a, r), want)
    number = tensor("c", (1,), value=0.25)
    want = {**BINARY, **COMPARE}[name](a, np.float32(0.25))
    assert_close(run(single(name, [A, number], (3, 5), dtype), a), want)


def test_fmod_has_the_sign_of_the_dividend():
    a, b = np.array([-5, 5, -5, 5.5], "float32"), np.array([3, -3, -3, 2], "float32")
    desc = single("Mod", [tensor("a", (4,)), tensor("b", (4,))], (4,))
    np.testing.assert_array_equal(run(desc, a, b), np.fmod(a, b))


@pytest.mark.parametrize("name", ["LogicalAnd", "LogicalOr"])
def test_logical(name):
    a, b = values((3, 5), "bool"), values((3, 5), "bool", 1)
    desc = single(name, [tensor("a", (3, 5), "bool"), tensor("b", (3, 5), "bool")], (3, 5), "bool")
    want = (np.logical_and if name == "LogicalAnd" else np.logical_or)(a, b)
    np.testing.assert_array_equal(run(desc, a, b), want)


@pytest.mark.parametrize("condition", ["bool", "float32"])
def test_select(condition):
    c, a, b = values((3, 5), condition), values((3, 5)), values((3, 5), seed=1)
    c[0] = 0
    desc = single("Select", [tensor("c", (3, 5), condition), A, B], (3, 5))
    np.testing.assert_array_equal(run(desc, c, a, b), np.where(c.astype(bool), a, b))
    desc = single("Select", [tensor("c", (3, 5), condition), A, tensor("z", (1,), value=2.0)], (3, 5))
    np.testing.assert_array_equal(run(desc, c, a), np.where(c.astype(bool), a, np.float32(2)))


@pytest.mark.parametrize(("name", "compare"), [
    ("SelectGE", np.greater_equal), ("SelectLE", np.less_equal), ("SelectGT", np.greater), ("SelectLT", np.less),
])  # fmt: skip
def test_select_compared(name, compare):
    arrays = [values((3, 5), seed=k) for k in range(4)]
    desc = single(name, [tensor(n, (3, 5)) for n in "abcd"], (3, 5))
    a, b, c, d = arrays
    np.testing.assert_array_equal(run(desc, *arrays), np.where(compare(a, b), c, d))


def test_add_n():
    arrays = [values((4,), seed=k) for k in range(150)]
    desc = single("AddN", [tensor(f"x{k}", (4,)) for k in range(150)], (4,))
    assert_close(run(desc, *arrays), np.sum(arrays, axis=0), terms=150)


def test_add_n_of_float16_rounds_once():
    arrays = [values((64,), "float16", k) for k in range(3)]
    desc = single("AddN", [tensor(f"x{k}", (64,), "float16") for k in range(3)], (64,), "float16")
    want = sum(a.astype("float32") for a in arrays).astype("float16")
    np.testing.assert_array_equal(run(desc, *arrays), want)


def test_rows_read_by_loops_of_several_widths():
    """A transpose and a minimum over the same rows of 8: lanes of two widths, out of vectors of their own."""
    a = values((64, 8), "float16")
    x, turned, least = tensor("x", (64, 8), "float16"), tensor("t", (8, 64), "float16"), tensor("m", (64, 1), "float16")
    ops = [op("Transpose", [x], turned, perm=[1, 0]), op("ReduceMin", [x], least, axis=[1], keep_dims=True)]
    for order in (1, -1):
        got = run(document([x], ops[::order], [turned, least]), a)
        np.testing.assert_array_equal(got[0], a.T)
        np.testing.assert_array_equal(got[1], a.min(1, keepdims=True))


@pytest.mark.parametrize("source", ["float32", "float16", "int32", "bool"])
@pytest.mark.parametrize("target", ["float32", "float16", "int32", "bool"])
def test_cast(source, target):
    a = values((3, 5), source)
    desc = single("Cast", [tensor("a", (3, 5), source)], (3, 5), target, dst_type=target)
    np.testing.assert_array_equal(run(desc, a), a.astype(target))


@pytest.mark.parametrize("name", REDUCE)
@pytest.mark.parametrize("axis", [0, [1], [0, -1], [], None])
@pytest.mark.parametrize("keep", [False, True])
def test_reductions(name, axis, keep):
    a = values((3, 5, 4))
    axes = tuple(axis) if isinstance(axis, list) else axis
    want = REDUCE[name](a, axis=None if axis == [] else axes, keepdims=keep)
    given = {} if axis is None else {"axis": axis}
    desc = single(name, [tensor("a", (3, 5, 4))], want.shape, keep_dims=keep, **given)
    assert_close(run(desc, a), want.reshape(want.shape), terms=60)


def test_reductions_of_float16_accumulate_in_float32():
    a = values((4000,), "float16")
    desc = single("ReduceSum", [tensor("a", (4000,), "float16")], (1,), "float16", axis=[0], keep_dims=True)
    np.testing.assert_array_equal(run(desc, a), a.astype("float32").sum(keepdims=True).astype("float16"))


def test_integer_sums_keep_their_type():
    a = values((7, 3), "int32")
    got = run(single("ReduceSum", [tensor("a", (7, 3), "int32")], (3,), "int32", axis=0), a)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, a.sum(0))


@pytest.mark.parametrize(("name", "function"), [("Argmax", np.argmax), ("Argmin", np.argmin)])
def test_places_of_extrema(name, function):
    a = values((3, 5))
    got = run(single(name, [A], (3,), "int32", axis=1), a)
    np.testing.assert_array_equal(got, function(a, 1).astype("int32"))


@pytest.mark.parametrize("hit", [False, True])
def test_any(hit):
    a = np.zeros((3, 5), bool)
    a[2, 4] = hit
    desc = single("ElemAny", [tensor("a", (3, 5), "bool")], (1,), dst_type="float32")
    np.testing.assert_array_equal(run(desc, a), [float(hit)])


@pytest.mark.parametrize(("elements", "every"), [([1.0, 2.0], True), ([1.0, 0.0], False), ([3.0, -1.0], False)])
def test_all(elements, every):
    a = np.array(elements, "float32")
    for dtype in ("bool", "float32"):
        got = run(single("ElemAll", [tensor("a", (2,))], (1,), dtype, dst_type=dtype), a)
        np.testing.assert_array_equal(got, np.array([every], dtype))


BOOLS = {
    "Add": np.add, "Mul": np.multiply, "Maximum": np.maximum, "Minimum": np.minimum, "Less": np.less,
    "GreaterEqual": np.greater_equal,
}  # fmt: skip


@pytest.mark.parametrize("name", BOOLS)
def test_bools_count_as_numbers(name):
    a, b = values((3, 5), "bool"), values((3, 5), "bool", 1)
    inputs = [tensor("a", (3, 5), "bool"), tensor("b", (3, 5), "bool")]
    np.testing.assert_array_equal(run(single(name, inputs, (3, 5), "bool"), a, b), BOOLS[name](a, b))
    constant = single(name, [inputs[0], tensor("c", (1,), "bool", 1)], (3, 5), "bool")
    np.testing.assert_array_equal(run(constant, a), BOOLS[name](a, np.True_))


@pytest.mark.parametrize(("name", "function"), [("ReduceSum", np.any), ("ReduceMax", np.any), ("ReduceMin", np.all)])
def test_reductions_of_bools(name, function):
    a = np.ones((2, 300), bool)
    a[1, 7] = False
    got = run(single(name, [tensor("a", (2, 300), "bool")], (2,), "bool", axis=[1]), a)
    np.testing.assert_array_equal(got, function(a, 1))


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["CumSum", "CumProd"])
def test_running(name, exclusive, reverse):
    a = values((3, 5))
    x = a[:, ::-1] if reverse else a
    want = (np.cumsum if name == "CumSum" else np.cumprod)(x, axis=1)
    if exclusive:
        want = np.concatenate([np.full((3, 1), float(name == "CumProd")), want[:, :-1]], axis=1)
    want = (want[:, ::-1] if reverse else want).astype("float32")
    assert_close(run(single(name, [A], (3, 5), axis=1, exclusive=exclusive, reverse=reverse), a), want, terms=5)


MOVES = [
    ("Reshape", (3, 5), (5, 3), {"shape": [5, 3]}, lambda a: a.reshape(5, 3)),
    ("ExpandDims", (3, 5), (3, 1, 5), {"axis": 1}, lambda a: a[:, None]),
    ("Transpose", (2, 3, 4), (4, 2, 3), {"perm": [2, 0, 1]}, lambda a: a.transpose(2, 0, 1)),
    ("BroadcastTo", (3, 1), (2, 3, 4), {"shape": [2, 3, 4]}, lambda a: np.broadcast_to(a, (2, 3, 4))),
    ("Tile", (2, 3), (4, 9), {"multiples": [2, 3]}, lambda a: np.tile(a, (2, 3))),
    ("Tile", (3, 1), (3, 4), {}, lambda a: np.broadcast_to(a, (3, 4))),
    ("PadAkg", (2, 3), (5, 4), {"head": [1, 0], "tail": [2, 1], "pad_val": 7.0},
     lambda a: np.pad(a, ((1, 2), (0, 1)), constant_values=7)),
    ("UnPadAkg", (4, 5), (3, 3), {"tail": [1, 2]}, lambda a: a[:3, :3]),
    ("StridedSlice", (6, 7), (2, 3), {"begin": [1, 0], "end": [5, 6], "strides": [2, 2]}, lambda a: a[1:5:2, 0:6:2]),
    ("StridedSlice", (6, 7), (5, 4), {"begin": [2, 3], "end": [5, 5], "strides": [1, 1], "begin_mask": 1,
     "end_mask": 2}, lambda a: a[:5, 3:]),
    ("StridedSlice", (6, 7), (7,), {"begin": [-2, 0], "end": [0, 7], "strides": [1, 1], "shrink_axis_mask": 1},
     lambda a: a[-2]),
    ("StridedSlice", (2, 3, 4), (2, 3, 2), {"begin": [0, 1], "end": [0, 3], "strides": [1, 1], "ellipsis_mask": 1},
     lambda a: a[..., 1:3]),
    ("StridedSlice", (3, 4), (1, 2, 4), {"begin": [0, 1], "end": [0, 3], "strides": [1, 1], "new_axis_mask": 1},
     lambda a: a[None, 1:3]),
    ("StridedSlice", (5,), (5,), {"begin": [-1], "end": [-6], "strides": [-1]}, lambda a: a[::-1]),
    ("StridedSliceV2", (2, 6, 4), (2, 2, 4), {"begin": [1], "end": [5], "axes": [1], "strides": [2]},
     lambda a: a[:, 1:5:2]),
    ("LayoutTransform", (2, 8, 3, 5), (2, 2, 3, 5, 4), {"src_format": "NCHW", "dst_format": "NCHW4c"},
     lambda a: a.reshape(2, 2, 4, 3, 5).transpose(0, 1, 3, 4, 2)),
    ("LayoutTransform", (2, 2, 3, 5, 4), (2, 8, 3, 5), {"src_format": "NCHW4c", "dst_format": "NCHW"},
     lambda a: a.transpose(0, 1, 4, 2, 3).reshape(2, 8, 3, 5)),
    ("LayoutTransform", (2, 8, 3, 5), (2, 3, 5, 8), {"src_format": "NCHW", "dst_format": "NHWC"},
     lambda a: a.transpose(0, 2, 3, 1)),
    ("TransData", (1, 5, 2, 3), (1, 1, 2, 3, 16), {"src_format": "NCHW", "dst_format": "NC1HWC0"},
     lambda a: np.pad(a, ((0, 0), (0, 11), (0, 0), (0, 0))).reshape(1, 1, 16, 2, 3).transpose(0, 1, 3, 4, 2)),
    ("TransData", (1, 1, 2, 3, 16), (1, 5, 2, 3), {"src_format": "NC1HWC0", "dst_format": "NCHW"},
     lambda a: a.transpose(0, 1, 4, 2, 3).reshape(1, 16, 2, 3)[:, :5]),
]  # fmt: skip


@pytest.mark.parametrize("move", MOVES, ids=[f"{m[0]}-{k}" for k, m in enumerate(MOVES)])
def test_moves(move):
    name, source, target, attributes, want = move
    a = values(source)
    np.testing.assert_array_equal(run(single(name, [tensor("a", source)], target, **attributes), a), want(a))


def test_concat():
    a, b = values((2, 3)), values((2, 4), seed=1)
    desc = single("Concat", [tensor("a", (2, 3)), tensor("b", (2, 4))], (2, 7), axis=1)
    np.testing.assert_array_equal(run(desc, a, b), np.concatenate([a, b], 1))


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("sizes", [(3, 4), (7,), (0, 2, 5)])
def test_split(axis, sizes):
    a = values((2, 7))
    outputs = [tensor(f"out{k}", (2, n)) for k, n in enumerate(sizes)]
    cut = op("Split", [tensor("a", (2, 7))], outputs[0], axis=axis)
    cut["output_desc"] = outputs
    got = run(document([tensor("a", (2, 7))], [cut], outputs), a)
    want = np.split(a, np.cumsum(sizes)[:-1], 1)
    for have, part in zip([got] if len(sizes) == 1 else got, want, strict=True):
        np.testing.assert_array_equal(have, part)


def squares(counter, key):
    """32 bits of a counter, in Python's integers (Widynski's "Squares", four rounds)."""
    mask = (1 << 64) - 1
    y = x = counter * key & mask
    z = (y + key) & mask
    for add in (y, z, y):
        x = (x * x + add) & mask
        x = (x >> 32) | (x << 32) & mask
    return ((x * x + z) & mask) >> 32


def test_normal_numbers():
    """Elements are functions of seeds and place: those of the definition, and distributed as they say."""
    got = run(single("StandardNormal", [], (50, 400), seed=3, seed2=5))
    key = drawing.key_of(3, 5)
    uniform = [(squares(k, key) + 0.5) / 2**32 for k in range(12)]
    want = [np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v) for u, v in zip(uniform[::2], uniform[1::2], strict=True)]
    np.testing.assert_allclose(got.ravel()[:6], want, rtol=1e-4, atol=1e-4)
    assert abs(got.mean()) < 0.03 and abs(got.std() - 1) < 0.03 and abs((got**4).mean() - 3) < 0.2
    other = run(single("StandardNormal", [tensor("s", (2,), "int64", [50, 400])], (50, 400), seed=4))
    assert abs(np.corrcoef(got.ravel(), other.ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(run(single("StandardNormal", [], (20000,), seed=3, seed2=5)), got.ravel())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot(axis):
    indices = np.array([[0, 3, -1], [2, 9, 1]], "int32")
    want = np.moveaxis(np.where(np.arange(4) == indices[..., None], 5.0, -1.0), -1, axis).astype("float32")
    inputs = [tensor("i", (2, 3), "int32"), tensor("on", (1,), value=5.0), tensor("off", (1,), value=-1.0)]
    np.testing.assert_array_equal(run(single("OneHot", inputs, want.shape, axis=axis, depth=4), indices), want)


def test_gathers():
    a, i = values((6, 4)), np.array([5, 0, 3], "int32")
    desc = single("Gather", [tensor("a", (6, 4)), tensor("i", (3,), "int32")], (3, 4), axis=0)
    np.testing.assert_array_equal(run(desc, a, i), a[i])
    at = np.array([[5, 1], [0, 0]], "int32")
    desc = single("GatherNd", [tensor("a", (6, 4)), tensor("i", (2, 2), "int32")], (2,))
    np.testing.assert_array_equal(run(desc, a, at), a[at[:, 0], at[:, 1]])


def test_scatters():
    a, u, i = values((6, 4)), values((3, 4), seed=1), np.array([[5], [0], [5]], "int32")
    want = a.copy()
    np.add.at(want, i[:, 0], u)
    desc = single("TensorScatterAdd", [tensor("a", (6, 4)), tensor("i", (3, 1), "int32"), tensor("u", (3, 4))], (6, 4))
    assert_close(run(desc, a, i, u), want, terms=3)
    desc = single("UnsortedSegmentSum", [tensor("u", (3, 4)), tensor("i", (3,), "int32")], (6, 4), num_segments=6)
    assert_close(run(desc, u, i[:, 0].copy()), want - a, terms=3)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_products(transpose_a, transpose_b, dtype):
    a, b, c = values((2, 4, 6), dtype), values((2, 6, 5), dtype, 1), values((5,), dtype, 2)
    given = [x.swapaxes(1, 2).copy() if f else x for x, f in ((a, transpose_a), (b, transpose_b))]
    inputs = [tensor("a", given[0].shape, dtype), tensor("b", given[1].shape, dtype)]
    flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    want = a.astype("float32") @ b.astype("float32")
    desc = single("BatchMatMul", inputs, (2, 4, 5), dtype, **flags)
    assert_close(run(desc, *given), want.astype(dtype), terms=6)
    desc = single("BatchMatMul", [*inputs, tensor("c", (5,), dtype)], (2, 4, 5), dtype, **flags)
    assert_close(run(desc, *given, c), (want + c.astype("float32")).astype(dtype), terms=6)


def test_products_that_are_the_same_along_an_axis():
    a, b = values((8, 1, 1, 7)), values((2, 8, 5, 7, 1), seed=1)
    wide, out = tensor("w", (2, 8, 5, 2, 7)), tensor("out", (2, 8, 5, 2, 1))
    first, second = tensor("a", a.shape), tensor("b", b.shape)
    ops = [op("BroadcastTo", [first], wide, shape=[2, 8, 5, 2, 7]), op("BatchMatMul", [wide, second], out)]
    got = run(document([first, second], ops, [out]), a, b)
    assert_close(got, np.broadcast_to(a, (2, 8, 5, 2, 7)) @ b, terms=7)


def convolved(x, w, stride, padding, dilation=(1, 1)):
    """NHWC by (out, kh, kw, c), in NumPy."""
    left, right, top, bottom = padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))).astype("float64")
    kh, kw = w.shape[1:3]
    height = (x.shape[1] - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    width = (x.shape[2] - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    y = np.zeros((x.shape[0], height, width, w.shape[0]))
    for i in range(kh):
        for j in range(kw):
            rows = x[:, i * dilation[0] :][:, :: stride[0]][:, :height]
            y += rows[:, :, j * dilation[1] :][:, :, :: stride[1]][:, :, :width] @ w[:, i, j].T.astype("float64")
    return y.astype("float32")


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [((1, 1), (0, 0, 0, 0), (1, 1)), ((2, 1), (1, 0, 2, 1), (1, 2))]
)
def test_convolution(stride, padding, dilation):
    x, w = values((2, 9, 8, 3)), values((4, 3, 2, 3), seed=1)
    want = convolved(x, w, stride, padding, dilation)
    desc = single(
        "Conv2D", [tensor("x", x.shape), tensor("w", w.shape)], want.shape, stride=[1, 1, *stride],
        dilation=[1, 1, *dilation], pad_list=list(padding), kernel_size=[3, 2], data_format="NHWC",
    )  # fmt: skip
    assert_close(run(desc, x, w), want, terms=18)


@pytest.mark.parametrize("depthwise", [False, True])
def test_convolution_of_blocks(depthwise):
    x = values((1, 2, 5, 6, 4))
    w = values((2, 1, 3, 3, 1, 4) if depthwise else (3, 2, 3, 3, 4, 2), seed=1)
    plain = x.transpose(0, 2, 3, 1, 4).reshape(1, 5, 6, 8)
    weights = w.transpose(0, 5, 2, 3, 1, 4).reshape(w.shape[0] * w.shape[5], 3, 3, -1)
    if depthwise:
        weights = np.einsum("ohwi,oc->ohwc", weights, np.eye(8)).astype("float32")
    want = convolved(plain, weights, (1, 1), (1, 1, 0, 0))
    want = want.reshape(*want.shape[:3], w.shape[0], w.shape[5]).transpose(0, 3, 1, 2, 4)
    desc = single(
        "Conv2D", [tensor("x", x.shape), tensor("w", w.shape)], want.shape, stride=[1, 1], dilation=[1, 1],
        pad_list=[1, 1, 0, 0], data_format="NC1HWC0", is_depth_wise=depthwise,
    )  # fmt: skip
    assert_close(run(desc, x, w), want, terms=72)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "NCHW4c"])
def test_pooling(kind, layout):
    a = values((2, 8, 6, 4))
    blocks = a.reshape(2, 8, 3, 2, 2, 2)
    want = blocks.max((3, 5)) if kind == "max" else blocks.mean((3, 5))
    whole = a.max((2, 3), keepdims=True) if kind == "max" else a.mean((2, 3), keepdims=True)

    def laid(x):
        if layout == "NHWC":
            return x.transpose(0, 2, 3, 1).copy()
        return x if layout == "NCHW" else x.reshape(2, 2, 4, *x.shape[2:]).transpose(0, 1, 3, 4, 2).copy()

    common = {"pool_type": kind, "data_layout": layout}
    x = tensor("x", laid(a).shape)
    desc = single("Pool2D", [x], laid(want).shape, kernel_size=[2, 2], strides=[2, 2], pad=[0, 0, 0, 0], **common)
    assert_close(run(desc, laid(a)), laid(want), terms=4)
    desc = single("Pool2D", [x], laid(whole).shape, **common, **{"global": True})
    assert_close(run(desc, laid(a)), laid(whole), terms=24)


def test_complex_numbers():
    a = (values((3, 5)) + 1j * values((3, 5), seed=1)).astype("complex64")
    c, out, im = tensor("c", (3, 5), "complex64"), tensor("out", (3, 5), "complex64"), tensor("im", (3, 5))
    double = tensor("double", (3, 5), "complex64")
    desc = document([c, A], [
        op("CImag", [c], im), op("Mul", [c, c], double), op("Complex", [im, A], out),
    ], [im, out, double])  # fmt: skip
    b = values((3, 5), seed=2)
    imag, both, square = run(desc, a, b)
    np.testing.assert_array_equal(imag, a.imag)
    np.testing.assert_array_equal(both, a.imag + 1j * b)
    assert_close(square.real, (a * a).real.copy())
    assert_close(square.imag, (a * a).imag.copy())
