"""Losses against NumPy in float64: reductions, types, labels, weights, smoothing, errors."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import akg
from akg import ops, te
from tests.helpers import Array
from tests.ops.common import FLOATS, SHAPES, compare, draw, message_of, placeholder, run, wide

REDUCE: dict[str, Callable[[Array], Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda a: a}


def huber(d: Array, delta: float) -> Array:
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def cosine(a: Array, b: Array) -> Array:
    lengths = np.maximum(np.linalg.norm(a, axis=-1), 1e-8) * np.maximum(np.linalg.norm(b, axis=-1), 1e-8)
    return np.sum(a * b, axis=-1) / lengths


PAIRS: dict[str, tuple[Any, Callable[[Array, Array], Array]]] = {
    "mse_loss": (ops.mse_loss, lambda a, t: (a - t) ** 2),
    "l1_loss": (ops.l1_loss, lambda a, t: np.abs(a - t)),
    "huber_loss": (
        lambda x, t, reduction: ops.huber_loss(x, t, delta=0.7, reduction=reduction), lambda a, t: huber(a - t, 0.7),
    ),
    "smooth_l1_loss": (
        lambda x, t, reduction: ops.smooth_l1_loss(x, t, beta=0.5, reduction=reduction),
        lambda a, t: huber(a - t, 0.5) / 0.5,
    ),
    "hinge_loss": (ops.hinge_loss, lambda a, t: np.maximum(1 - a * t, 0)),
    "kl_div": (ops.kl_div, lambda a, t: special.xlogy(t, t) - t * a),
    "binary_cross_entropy": (
        ops.binary_cross_entropy, lambda a, t: -(t * np.log(a) + (1 - t) * np.log1p(-a)),
    ),
    "binary_cross_entropy_with_logits": (
        ops.binary_cross_entropy_with_logits, lambda a, t: np.logaddexp(a, 0) - a * t,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", [*SHAPES, ()], ids=str)
def test_pairs_over_shapes(shape: tuple[int, ...]) -> None:
    x, t = placeholder(shape, "float32"), placeholder(shape, "float32", "t")
    a, b = draw(shape, "float32", low=0.05, high=0.95), draw(shape, "float32", seed=1, low=0.05, high=0.95)
    reduction = list(REDUCE)[len(shape) % 3]
    found = run([define(x, t, reduction=reduction) for define, _ in PAIRS.values()], [x, t], a, b)
    wanted = [REDUCE[reduction](np.asarray(reference(wide(a), wide(b)))) for _, reference in PAIRS.values()]
    compare(PAIRS, found, wanted, terms=max(a.size, 1))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", list(REDUCE))
def test_pairs_of_types(reduction: str, dtype: str) -> None:
    """A target that broadcasts, over symbolic sizes."""
    x, t = placeholder(("m", "n"), dtype), placeholder(("n",), dtype, "t")
    kernel = akg.build([define(x, t, reduction=reduction) for define, _ in PAIRS.values()], inputs=[x, t])
    for shape in ((1, 1), (3, 7), (5, 33)):
        a, b = draw(shape, dtype, low=0.05, high=0.95), draw(shape[1:], dtype, seed=1, low=0.05, high=0.95)
        wanted = [REDUCE[reduction](reference(wide(a), wide(b))) for _, reference in PAIRS.values()]
        compare(PAIRS, kernel(a, b), wanted, terms=a.size, dtypes=[dtype] * len(PAIRS))


def test_edges() -> None:
    """Probability 0 in a divergence counts nothing; logits beyond the range of exp; probabilities 0 and 1."""
    x, t = placeholder((4,), "float32"), placeholder((4,), "float32", "t")
    a, b = np.array([-500, 500, 88, 0], np.float32), np.array([0, 1, 0.5, 0], np.float32)
    p = np.array([0, 1, 0, 1], np.float32)
    outputs = [ops.kl_div(x, t, reduction="none"), ops.binary_cross_entropy_with_logits(x, t, reduction="none")]
    wanted = [special.xlogy(wide(b), wide(b)) - wide(b) * a, np.logaddexp(wide(a), 0) - wide(a) * b]
    compare(["kl_div", "logits"], run(outputs, [x, t], a, b), wanted)
    found = run([ops.binary_cross_entropy(x, t, reduction="none")], [x, t], p, np.array([1, 1, 0, 0], np.float32))
    compare(["probabilities"], found, [[100, 0, 0, 100]])


def test_kl_div_keywords() -> None:
    x, t = placeholder((6, 9), "float32"), placeholder((6, 9), "float32", "t")
    a = special.log_softmax(draw((6, 9), "float32"), axis=1)
    b = special.log_softmax(draw((6, 9), "float32", seed=1), axis=1)
    outputs = [ops.kl_div(x, t, log_target=True), ops.kl_div(x, t, log_target=True, reduction="batchmean")]
    terms = np.exp(wide(b)) * (wide(b) - a)
    compare(["mean", "batchmean"], run(outputs, [x, t], a, b), [terms.mean(), terms.sum() / 6], terms=54)


# --- labels ---------------------------------------------------------------------------------------------

LABELLED = ((1, 1), (1, 7), (5, 2), (3, 10), (17, 31), (2, 3, 5), (4, 6, 1), (1, 5, 3, 2), (2, 4, 3, 3), (33, 130))


def picked(scores: Array, labels: Array) -> Array:
    return np.take_along_axis(scores, np.expand_dims(labels, 1), 1).squeeze(1)


@pytest.mark.parametrize("shape", LABELLED, ids=str)
def test_labels_over_shapes(shape: tuple[int, ...]) -> None:
    places = (shape[0], *shape[2:])
    x, y = placeholder(shape, "float32"), placeholder(places, "int64", "y")
    scores = draw(shape, "float32")
    labels = np.random.default_rng(0).integers(0, shape[1], places)
    reduction = list(REDUCE)[shape[0] % 3]
    outputs = [ops.cross_entropy(x, y, reduction=reduction), ops.nll_loss(x, y, reduction=reduction)]
    logs = special.log_softmax(wide(scores), axis=1)
    wanted = [REDUCE[reduction](-picked(logs, labels)), REDUCE[reduction](-picked(wide(scores), labels))]
    compare(["cross_entropy", "nll_loss"], run(outputs, [x, y], scores, labels), wanted, terms=scores.size)


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_labels_of_types(dtype: str, kind: str) -> None:
    x, y = placeholder(("n", "c"), dtype), placeholder(("n",), kind, "y")
    kernel = akg.build([ops.cross_entropy(x, y)], inputs=[x, y])
    for shape in ((1, 3), (7, 10), (33, 64)):
        scores = draw(shape, dtype)
        labels = np.random.default_rng(0).integers(0, shape[1], shape[0]).astype(kind)
        wanted = -picked(special.log_softmax(wide(scores), axis=1), labels.astype(int)).mean()
        compare(["cross_entropy"], [kernel(scores, labels)], [wanted], terms=shape[1])


@pytest.mark.parametrize("ignore", [None, 2, -100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_label_keywords(ignore: int | None, weighted: bool, smoothing: float) -> None:
    """Against the definition of the frameworks: weights of labels average, smoothing spreads over weighted classes."""
    x, y, w = placeholder((4, 6, 5), "float32"), placeholder((4, 5), "int64", "y"), placeholder((6,), "float32", "w")
    scores, weights = draw((4, 6, 5), "float32"), draw((6,), "float32", low=0.2)
    labels = np.random.default_rng(0).integers(0, 6, (4, 5))
    if ignore is not None:
        labels[0, :2] = ignore
    counted = np.ones((4, 5), bool) if ignore is None else labels != ignore
    known = np.where(counted, labels, 0)
    share = wide(weights) if weighted else np.ones(6)
    logs = special.log_softmax(wide(scores), axis=1)
    rest = -np.mean(logs * share[None, :, None], axis=1)
    each = np.where(counted, (1 - smoothing) * -picked(logs, known) * share[known] + smoothing * rest, 0)
    wanted = [each.sum() / (share[known] * counted).sum(), each.sum(), each]
    keywords: dict[str, Any] = {"ignore_index": ignore, "label_smoothing": smoothing}
    given = w if weighted else None
    outputs = [ops.cross_entropy(x, y, given, reduction=r, **keywords) for r in REDUCE]
    arguments = [x, y, w] if weighted else [x, y]
    arrays = [scores, labels, weights] if weighted else [scores, labels]
    compare([f"{r} {keywords}" for r in REDUCE], run(outputs, arguments, *arrays), wanted, terms=120)


def test_labels_that_are_no_class() -> None:
    """They read nothing outside, and the call raises, whatever the reduction; an ignored one does not."""
    x, y, w = placeholder((5, 3), "float32"), placeholder((5,), "int64", "y"), placeholder((3,), "float32", "w")
    scores, weights = draw((5, 3), "float32"), draw((3,), "float32", low=0.2)
    for define, reduction, more in itertools.product((ops.nll_loss, ops.cross_entropy), REDUCE, ([], [w])):
        kernel = akg.build([define(x, y, *more, ignore_index=-100, reduction=reduction)], inputs=[x, y, *more])
        arrays = [weights] * len(more)
        assert np.isfinite(kernel(scores, np.array([0, 1, -100, 2, -100]), *arrays)).all()
        for bad in (3, -1, -2, 2**40, -(2**63)):
            with pytest.raises(akg.AkgError, match="a subscript is out of range") as caught:
                kernel(scores, np.array([0, 1, bad, 2, -100]), *arrays)
            assert caught.value.code == "AKG-E518"
            assert "a value read from y lies outside 0..2" in str(caught.value)
            assert f"{define.__name__}(x, y" in str(caught.value) or "define(x, y" in str(caught.value)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["int8", "int32", "uint8"])
def test_labels_that_are_no_class_of_types(kind: str, smoothing: float) -> None:
    x, y = placeholder((5, 3, 4), "float32"), placeholder((5, 4), kind, "y")
    kernel = akg.build([ops.cross_entropy(x, y, label_smoothing=smoothing)], inputs=[x, y])
    scores, labels = draw((5, 3, 4), "float32"), np.ones((5, 4), kind)
    assert np.isfinite(kernel(scores, labels))
    labels[4, 3] = 3
    with pytest.raises(akg.AkgError, match="AKG-E518"):
        kernel(scores, labels)


def test_classes_along_another_axis() -> None:
    x, y = placeholder((4, 5, 6), "float32"), placeholder((4, 5), "int32", "y")
    scores = draw((4, 5, 6), "float32")
    labels = np.random.default_rng(0).integers(0, 6, (4, 5)).astype(np.int32)
    logs = special.log_softmax(wide(scores), axis=-1)
    wanted = -np.take_along_axis(logs, labels[..., None].astype(int), -1).mean()
    compare(["cross_entropy"], run([ops.cross_entropy(x, y, axis=-1)], [x, y], scores, labels), [wanted], terms=6)


# --- lines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) > 1 and s[-1]], ids=str)
def test_lines_over_shapes(shape: tuple[int, ...]) -> None:
    x, y, z = (placeholder(shape, "float32", n) for n in "xyz")
    a, b, c = (draw(shape, "float32", seed=k) for k in range(3))
    outputs = [
        ops.cosine_similarity(x, y), ops.triplet_loss(x, y, z, reduction="none"),
        ops.triplet_loss(x, y, z, margin=0.5, p=1, axis=0, reduction="sum"),
    ]  # fmt: skip

    def triplet(margin: float, p: float, axis: int) -> Array:
        near, far = (np.linalg.norm(wide(a) - o, ord=p, axis=axis) for o in (b, c))
        return np.maximum(near - far + margin, 0)

    wanted = [cosine(wide(a), wide(b)), triplet(1.0, 2, -1), triplet(0.5, 1, 0).sum()]
    found = run(outputs, [x, y, z], a, b, c)
    compare(["cosine_similarity", "triplet_loss", "triplet_loss 1"], found, wanted, terms=max(a.size, 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_lines_of_types(dtype: str) -> None:
    x, y, z = (placeholder((7, 33), dtype, n) for n in "xyz")
    a, b, c = (draw((7, 33), dtype, seed=k) for k in range(3))
    a[3] = 0
    found = run([ops.cosine_similarity(x, y), ops.triplet_loss(x, y, z)], [x, y, z], a, b, c)
    near, far = (np.linalg.norm(wide(a) - wide(o), axis=-1) for o in (b, c))
    wanted = [cosine(wide(a), wide(b)), np.maximum(near - far + 1, 0).mean()]
    compare(["cosine_similarity", "triplet_loss"], found, wanted, terms=33, dtypes=[dtype] * 2)


# --- errors ---------------------------------------------------------------------------------------------

X, Y, I, L, W = (te.placeholder(s, d, name=n) for s, d, n in [
    ((3, 4), "float32", "X"), ((3, 5), "float32", "Y"), ((3, 4), "int32", "I"), ((3,), "int64", "L"),
    ((4,), "float32", "W"),
])  # fmt: skip
ERRORS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: ops.mse_loss(X, Y),
        "AKG-E272: mse_loss: shapes (3, 4) and (3, 5) do not broadcast\n"
        "because: dimension 1 of the result would be 4 and 5\nhint: sizes must be equal, or 1",
    ),
    (
        lambda: ops.mse_loss(I, I),
        "AKG-E274: mse_loss: the common type of x and target is int32\nbecause: it must be a float\n"
        "hint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.mse_loss(X, X, reduction="men"),
        "AKG-E275: mse_loss: reduction is 'men'\nbecause: reduction is one of 'mean', 'sum', 'none'\n"
        "hint: did you mean 'mean'?",
    ),
    (
        lambda: ops.huber_loss(X, X, delta=0),
        "AKG-E275: huber_loss: delta is 0\nbecause: the loss is quadratic up to delta > 0\nhint: as in delta=1.0",
    ),
    (
        lambda: ops.smooth_l1_loss(X, X, beta=-1),
        "AKG-E275: smooth_l1_loss: beta is -1\nbecause: the loss is quadratic up to beta >= 0\nhint: as in beta=1.0",
    ),
    (
        lambda: ops.cross_entropy(X, X),
        "AKG-E274: cross_entropy: labels is float32\nbecause: it must be an integer\n"
        "hint: convert it: akg.ops.astype(x, dtype)",
    ),
    (
        lambda: ops.cross_entropy(X, L, axis=0),
        "AKG-E276: cross_entropy: labels has shape (3,)\nbecause: it must be (4,): x without its axis 0\n"
        "hint: reshape labels",
    ),
    (
        lambda: ops.nll_loss(Y, L, W),
        "AKG-E276: nll_loss: weight has shape (4,)\nbecause: it must be (5,): one weight for each class\n"
        "hint: reshape weight",
    ),
    (
        lambda: ops.cross_entropy(X, L, label_smoothing=2.0),
        "AKG-E275: cross_entropy: label_smoothing is 2.0\nbecause: it is a share\nhint: give a value from 0 to 1",
    ),
    (
        lambda: ops.cross_entropy(X, L, axis=2),
        "AKG-E273: cross_entropy: axis 2 is out of range\nbecause: the tensor has 2 dimensions\n"
        "hint: give axis from -2 to 1",
    ),
    (
        lambda: ops.triplet_loss(X, X, 1.0),  # type: ignore[arg-type]
        "AKG-E271: triplet_loss: negative is a float\nbecause: operators define tensors in terms of tensors\n"
        "hint: declare the argument: te.placeholder(shape, dtype)",
    ),
]


@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.partition("\n")[0] for _, text in ERRORS])
def test_errors(call: Callable[[], Any], text: str) -> None:
    assert message_of(call) == text
