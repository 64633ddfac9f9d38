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

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the expected results' computation
    CASES = {case.name: case for case in load_model_tests(kind="node")}
NAMES = sorted(CASES)


def run(name: str) -> str:
    """Run a case; why it is left out, or nothing if it passed."""
    case = CASES[name]
    try:
        prepared = Backend.prepare(case.model, "CPU")
        for inputs, outputs in case.data_sets or []:
            if any(isinstance(x, list) for x in inputs):
                return "sequences"
            got = prepared.run(list(inputs))
            rtol = 2**-9 if name in LAST_PLACE else case.rtol
            Runner.assert_similar_outputs(outputs, got, rtol, case.atol)
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
    """At least 1,400 of the cases pass, and no case fails."""
    reasons: dict[str, str] = {}
    failures: dict[str, str] = {}
    for name in NAMES:
        try:
            reasons[name] = run(name)
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
    assert failures == {}
    assert sum(not r for r in reasons.values()) >= 1400, {n: r for n, r in reasons.items() if r}


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
    ("/does/not/exist.onnx", (), "AKG-E722", "no such file"),
    (17, (), "AKG-E722", "object of type int"),
    (lambda: model([node("Loop", ["", "c"], ["y"])], {"x": [2], "c": [1]}, ["y"]), (2, 1), "AKG-E721",
     "operator Loop"),
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
