"""PyTorch tensors as arguments: results are tensors, and mistakes are explained."""

from typing import Any

import numpy as np
import pytest

from akg.base.errors import AkgError
from tests.runtime.handmade import kernel, param, stub
from tests.runtime.test_kernel import ADD, ADD_SIGNATURE

torch: Any = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def add() -> Any:
    return kernel(ADD, ADD_SIGNATURE)


def test_tensors(add: Any) -> None:
    a, b = torch.arange(5.0), torch.ones(5)
    got = add(a, b)
    assert type(got) is torch.Tensor and torch.equal(got, a + b)
    c = torch.zeros(5)
    assert add(a, b, out=c) is c and torch.equal(c, a + b)
    assert torch.equal(add(a, np.ones(5, np.float32)), a + b)
    assert type(add(np.ones(5, np.float32), a)) is np.ndarray


def test_bfloat16() -> None:
    copy = stub(
        "copy", [param("A", "in", "bfloat16", [1]), param("R", "out", "bfloat16", [1])],
        body="%x = load i16, ptr %p0\nstore i16 %x, ptr %p1",
    )  # fmt: skip
    a = torch.full((1,), 1.5, dtype=torch.bfloat16)
    got, out = copy(a), torch.zeros(1, dtype=torch.bfloat16)
    assert got.dtype == torch.bfloat16 and torch.equal(got, a)
    assert copy(a, out=out) is out and torch.equal(out, a)


def test_scalar_and_tuple() -> None:
    two = stub(
        "two", [param("A", "inout", "float32", [1]), param("x", "scalar", "float32"), param("P", "out", "float32", []),
                param("Q", "out", "float32", [])],
        body="store float %p1, ptr %p0\nstore float %p1, ptr %p2\nstore float %p1, ptr %p3",
    )  # fmt: skip
    a = torch.zeros(1)
    for number in (2.5, torch.tensor(2.5)):
        p, q = two(a, number)
        assert type(p) is type(q) is torch.Tensor and p.item() == q.item() == a.item() == 2.5


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: torch.zeros(5, requires_grad=True), "AKG-E511"), (lambda: torch.zeros(10)[::2], "AKG-E506"),
        (lambda: torch.zeros(5, device="meta"), "AKG-E511"), (lambda: torch.zeros(5, dtype=torch.int32), "AKG-E505"),
        (lambda: torch.zeros(4), "AKG-E504"),
    ],
    ids=["gradient", "strides", "meta", "dtype", "size"],
)  # fmt: skip
def test_mistakes(add: Any, make: Any, code: str) -> None:
    with pytest.raises(AkgError) as caught:
        add(np.zeros(5, np.float32), make())
    assert caught.value.code == code and "'B'" in caught.value.message
    assert caught.value.span is not None and caught.value.span.filename == __file__
