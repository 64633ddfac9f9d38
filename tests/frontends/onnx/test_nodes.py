"""ONNX's own node tests. A sample always; all of them with `pytest -m long`."""

import warnings
from typing import Any

import numpy as np
import pytest

from akg.base.errors import AkgError

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx.backend.test.loader import load_model_tests  # noqa: E402
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt, Runner  # noqa: E402

from akg.frontends.onnx import Backend  # noqa: E402

SAMPLE = 12
# Results of float16 that differ from the expected ones by one unit in the last place.
LAST_PLACE = {"test_attention_4d_causal_fp16", "test_attention_4d_causal_fp16_expanded"}
# Results that are 0 but for the rounding of the expected ones, in float32.
NOISE = {"test_dft_inverse", "test_dft_inverse_opset19"}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the expected results' computation
    CASES = {case.name: case for case in load_model_tests(kind="node")}
NAMES = sorted(CASES)


def array(x: Any) -> Any:
    return onnx.numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x


def run(name: str) -> str:
    """Run a case; why it is left out, or nothing if it passed."""
    case = CASES[name]
    try:
        prepared = Backend.prepare(case.model, "CPU")
        for inputs, outputs in case.data_sets or []:
            if any(isinstance(x, list) or x is None for x in inputs):
                return "sequences"
            got = prepared.run([array(x) for x in inputs])
            rtol = 2**-9 if name in LAST_PLACE else case.rtol
            atol = 1e-6 if name in NOISE else case.atol
            Runner.assert_similar_outputs([array(x) for x in outputs], got, rtol, atol)
    except BackendIsNotSupposedToImplementIt as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("name", NAMES[::SAMPLE])
def test_sample(name: str) -> None:
    reason = run(name)
    if reason:
        pytest.skip(reason)


@pytest.mark.long
def test_all() -> None:
    """At least 1,550 of the cases pass, and no case fails."""
    reasons: dict[str, str] = {}
    failures: dict[str, str] = {}
    for name in NAMES:
        try:
            reasons[name] = run(name)
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
    assert failures == {}
    assert sum(not r for r in reasons.values()) >= 1550, {n: r for n, r in reasons.items() if r}


def model(nodes: list[Any], inputs: dict[str, Any], outputs: list[str], **more: Any) -> Any:
    """A model of float32 tensors; int64 ones have names that end in _i."""
    h = onnx.helper

    def info(name: str, shape: Any) -> Any:
        kind = onnx.TensorProto.INT64 if name.endswith("_i") else onnx.TensorProto.FLOAT
        return h.make_tensor_value_info(name, kind, shape)

    graph = h.make_graph(nodes, "g", [info(n, s) for n, s in inputs.items()], [info(n, None) for n in outputs], **more)
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)])


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return onnx.helper.make_node(op, inputs, outputs, **attributes)


def test_mlp_with_weights() -> None:
    rng = np.random.default_rng(1)
    w, b = rng.standard_normal((8, 5)).astype(np.float32), rng.standard_normal(5).astype(np.float32)
    proto = model(
        [node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["s"]), node("Relu", ["s"], ["y"])],
        {"x": ("n", 8)}, ["y"],
        initializer=[onnx.numpy_helper.from_array(w, "w"), onnx.numpy_helper.from_array(b, "b")],
    )  # fmt: skip
    import akg

    loaded = akg.onnx.load(proto.SerializeToString())
    assert loaded.inputs == ("x",)
    for rows in (3, 7):
        x = rng.standard_normal((rows, 8)).astype(np.float32)
        np.testing.assert_allclose(loaded(x), np.maximum(x @ w + b, 0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(loaded(x=x), np.maximum(x @ w + b, 0), rtol=1e-5, atol=1e-5)
    assert "matmul" in loaded.explain()


def test_inputs_that_decide_shapes() -> None:
    """A shape that is computed from an input: kernels are built for its elements."""
    proto = model(
        [node("Concat", ["shape_i", "last_i"], ["to_i"], axis=0), node("Reshape", ["x", "to_i"], ["y"])],
        {"x": [6, 4], "shape_i": [1]}, ["y"],
        initializer=[onnx.numpy_helper.from_array(np.array([-1]), "last_i")],
    )  # fmt: skip
    import akg

    loaded = akg.onnx.load(proto)
    assert loaded.static == ("shape_i",)
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    for rows in (2, 3, 2):
        assert loaded(x, np.array([rows])).shape == (rows, 24 // rows)


def test_known_results() -> None:
    """Outputs that depend on shapes alone, beside computed ones."""
    proto = model([node("Shape", ["x"], ["s_i"]), node("Neg", ["x"], ["y"])], {"x": [2, 3]}, ["s_i", "y"])
    import akg

    x = np.ones((2, 3), np.float32)
    shape, y = akg.onnx.load(proto)(x)
    assert shape.tolist() == [2, 3]
    assert (y == -x).all()


BAD = [
    (b"not a model", (), "AKG-E722", "no ONNX model"),
    (b"", (), "AKG-E722", "no outputs"),
    ("/does/not/exist.onnx", (), "AKG-E722", "no such file"),
    (17, (), "AKG-E722", "object of type int"),
    (lambda: model([node("Unique", ["x"], ["y"])], {"x": [2]}, ["y"]), (2,), "AKG-E721", "operator Unique"),
    (lambda: model([node("Loop", ["", "c"], ["y"])], {"x": [2], "c": [1]}, ["y"]), (2, 1), "AKG-E722",
     "without attribute 'body'"),
    (lambda: model([node("MatMul", ["x"], ["y"])], {"x": [2]}, ["y"]), (2,), "AKG-E722", "1 inputs"),
    (lambda: model([node("Neg", ["z"], ["y"])], {"x": [2]}, ["y"]), (2,), "AKG-E722", "nothing defines 'z'"),
    (lambda: model([node("Add", ["x", "w"], ["y"])], {"x": [2], "w": [3]}, ["y"]), (2, 3), "AKG-E", "node Add"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "shapes", "code", "text"), BAD, ids=range(len(BAD)))
def test_errors(made: Any, shapes: tuple[int, ...], code: str, text: str) -> None:
    import akg

    def load_and_run() -> None:
        akg.onnx.load(made() if callable(made) else made)(*[np.zeros(n, np.float32) for n in shapes])

    with pytest.raises(AkgError, match=text) as caught:
        load_and_run()
    assert caught.value.code.startswith(code)


def test_wrong_inputs() -> None:
    import akg

    loaded = akg.onnx.load(model([node("Neg", ["x"], ["y"])], {"x": [2]}, ["y"]))
    with pytest.raises(AkgError, match="got 0 inputs"):
        loaded()
    with pytest.raises(AkgError, match="elements of type int64"):
        loaded(np.zeros(2, np.int64))


def ranked(x: np.ndarray, k: int, largest: bool) -> np.ndarray:
    return np.argsort(-x if largest else x, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize(("length", "k"), [(1, 1), (60, 60), (700, 5), (3000, 9)])
@pytest.mark.parametrize("largest", [0, 1])
def test_greatest_elements(length: int, k: int, largest: int) -> None:
    """Long rows go by blocks; the first of equal elements comes first."""
    import akg

    x = np.random.default_rng(length).integers(-40, 40, (3, length)).astype(np.float32)
    proto = model([node("TopK", ["x", "k"], ["v", "at_i"], largest=largest)], {"x": [3, length]}, ["v", "at_i"],
                  initializer=[onnx.numpy_helper.from_array(np.array([k]), "k")])  # fmt: skip
    values, at = akg.onnx.load(proto)(x)
    want = ranked(x, k, bool(largest))
    np.testing.assert_array_equal(at, want)
    np.testing.assert_array_equal(values, np.take_along_axis(x, want, 1))


def branch(name: str, nodes: list[Any], output: str, **more: Any) -> Any:
    h = onnx.helper
    return h.make_graph(nodes, name, [], [h.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)], **more)


def test_computed_conditions() -> None:
    """Both branches are computed, and x does not become known: one build for all elements."""
    import akg

    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0), node("Greater", ["s", "zero"], ["up"]),
        node("If", ["up"], ["y"], then_branch=branch("t", [node("Exp", ["x"], ["a"])], "a"),
             else_branch=branch("e", [node("Neg", ["x"], ["b"])], "b")),
    ]  # fmt: skip
    loaded = akg.onnx.load(model(nodes, {"x": [5]}, ["y"],
                                 initializer=[onnx.numpy_helper.from_array(np.float32(0), "zero")]))  # fmt: skip
    assert loaded.static == ()
    for x in (np.ones(5, np.float32), -np.ones(5, np.float32)):
        np.testing.assert_allclose(loaded(x), np.exp(x) if x[0] > 0 else -x, rtol=1e-5)


def counted(condition: str) -> Any:
    """A loop that adds x to its state, and collects it; its condition is the known one, or a comparison."""
    h = onnx.helper
    one = [h.make_tensor_value_info(n, t, s) for n, t, s in
           (("k", onnx.TensorProto.INT64, []), ("c", onnx.TensorProto.BOOL, []), ("s", onnx.TensorProto.FLOAT, [4]))]
    outs = [h.make_tensor_value_info(n, t, s) for n, t, s in
            ((condition, onnx.TensorProto.BOOL, []), ("t", onnx.TensorProto.FLOAT, [4]),
             ("row", onnx.TensorProto.FLOAT, [4]))]  # fmt: skip
    body = [node("Add", ["s", "x"], ["t"]), node("Identity", ["t"], ["row"]), node("Identity", ["c"], ["kept"]),
            node("ReduceSum", ["t"], ["sum"], keepdims=0),
            node("Cast", ["sum"], ["computed"], to=onnx.TensorProto.BOOL)]  # fmt: skip
    graph = h.make_graph(body, "body", one, outs)
    return model([node("Loop", ["trips_i", "", "x"], ["last", "rows"], body=graph)],
                 {"x": [4], "trips_i": []}, ["last", "rows"])  # fmt: skip


def test_loops_are_written_out() -> None:
    import akg

    x = np.arange(4, dtype=np.float32)
    loaded = akg.onnx.load(counted("kept"))
    for trips in (3, 1):
        last, rows = loaded(x, np.array(trips))
        np.testing.assert_array_equal(rows, [(k + 2) * x for k in range(trips)])
        np.testing.assert_array_equal(last, (trips + 1) * x)
    with pytest.raises(AkgError, match="computed condition"):
        akg.onnx.load(counted("computed"))(x, np.array(3))
    with pytest.raises(AkgError, match="trips"):
        loaded(x, np.array(10**9))


def test_sequences_of_several_lengths() -> None:
    """Beyond its end a sequence gives zeros, and its last state is that at its end, in both directions."""
    import akg

    rng = np.random.default_rng(4)
    w, r = (rng.standard_normal((2, 12, n)).astype(np.float32) for n in (5, 3))
    given = [onnx.numpy_helper.from_array(v, n) for v, n in ((w, "w"), (r, "r"))]
    x, lengths = rng.standard_normal((6, 2, 5)).astype(np.float32), [6, 4]

    def layer(inputs: list[str], shape: list[int], **more: Any) -> Any:
        return model([node("LSTM", inputs, ["y", "h"], hidden_size=3, direction="bidirectional")], {"x": shape},
                     ["y", "h"], initializer=[*given, *more.get("more", [])])  # fmt: skip

    ends = onnx.numpy_helper.from_array(np.array(lengths, np.int32), "ends")
    y, h = akg.onnx.load(layer(["x", "w", "r", "", "ends"], [6, 2, 5], more=[ends]))(x)
    for b, n in enumerate(lengths):
        own_y, own_h = akg.onnx.load(layer(["x", "w", "r"], [n, 1, 5]))(np.ascontiguousarray(x[:n, b : b + 1]))
        np.testing.assert_allclose(y[:n, :, b], own_y[:, :, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h[:, b], own_h[:, 0], rtol=1e-5, atol=1e-6)
        assert not y[n:, :, b].any()
