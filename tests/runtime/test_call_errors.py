"""Every mistake in a call has its own message; native and careful calls give the same."""

from typing import Any

import numpy as np
import pytest

from akg.base.errors import AkgError
from akg.ir.expr import Var
from tests.runtime.handmade import kernel, param, stub
from tests.runtime.test_kernel import ADD, ADD_SIGNATURE, OnlyDlpack

n = Var("n")
F = np.float32
A, B = np.zeros(6, F), np.zeros(6, F)
TAKES = "because: the kernel is add(A: float32[n], B: float32[n]) -> C: float32[n]"


@pytest.fixture(scope="module")
def add() -> Any:
    return kernel(ADD, ADD_SIGNATURE, sources={"llvm": lambda: ADD})


def message(call: Any) -> str:
    """The message without the place in this file."""
    with pytest.raises(AkgError) as caught:
        call()
    assert caught.value.span is not None and caught.value.span.filename == __file__
    caught.value.span = None
    return str(caught.value)


def readonly(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    data = data.copy()
    data.flags.writeable = False
    return data


def misaligned(length: int) -> np.ndarray[Any, Any]:
    return np.zeros(4 * length + 1, np.uint8)[1:].view(F)


class OnGpu(OnlyDlpack):
    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


class NeedsGradient(OnlyDlpack):
    def __dlpack__(self, **keywords: Any) -> object:
        raise BufferError("it requires gradient")


memory = np.zeros(8, F)

CASES: dict[str, tuple[Any, str]] = {
    "too few": (
        lambda add: add(A),
        "AKG-E501: add takes 2 arguments, got 1\nbecause: it expects A: float32[n], B: float32[n]\n"
        "hint: pass every argument by position, as in add(A, B)",
    ),
    "too many": (
        lambda add: add(A, B, A),
        "AKG-E501: add takes 2 arguments, got 3\nbecause: it expects A: float32[n], B: float32[n]\n"
        "hint: outputs are returned, or written into out=",
    ),
    "rank": (
        lambda add: add(A, B.reshape(2, 3)),
        "AKG-E502: argument 'B' has 2 dimensions, expected 1\nbecause: its shape is (2, 3), and "
        + TAKES.removeprefix("because: ") + "\nhint: add or remove axes with reshape",
    ),
    "sizes disagree": (
        lambda add: add(A[:5].copy(), B),
        "AKG-E504: argument 'B' has shape (6,), expected (n,)\nbecause: n is 5 from A but 6 from B\n"
        "hint: pass arrays whose common dimensions agree",
    ),
    "output size": (
        lambda add: add(A, B, out=np.zeros(7, F)),
        "AKG-E504: output 'C' has shape (7,), expected (n,)\nbecause: n is 6 from A but 7 from C\n"
        "hint: pass arrays whose common dimensions agree",
    ),
    "dtype": (
        lambda add: add(A.astype("float64"), B),
        f"AKG-E505: argument 'A' has dtype float64, expected float32\n{TAKES}\nhint: convert it: A.astype('float32')",
    ),
    "byte order": (
        lambda add: add(A.astype(">f4"), B),
        f"AKG-E505: argument 'A' has dtype byte-swapped float32, expected float32\n{TAKES}\n"
        "hint: convert it: A.astype('float32')",
    ),
    "no such dtype": (
        lambda add: add(A.astype("complex64"), B),
        f"AKG-E505: argument 'A' has dtype complex64, expected float32\n{TAKES}\nhint: convert it: A.astype('float32')",
    ),
    "strides": (
        lambda add: add(np.zeros(12, F)[::2], B),
        "AKG-E506: argument 'A' is not contiguous\nbecause: its strides are (8,) bytes, dense row-major would be (4,)\n"
        "hint: pass np.ascontiguousarray(array)",
    ),
    "output strides": (
        lambda add: add(A, B, out=np.zeros(12, F)[::2]),
        "AKG-E506: output 'C' is not contiguous\nbecause: its strides are (8,) bytes, dense row-major would be (4,)\n"
        "hint: write into a contiguous array, then copy",
    ),
    "dlpack strides": (
        lambda add: add(OnlyDlpack(np.zeros(12, F)[::2], False), B),
        "AKG-E506: argument 'A' is not contiguous\nbecause: its strides are (8,) bytes, dense row-major would be (4,)\n"
        "hint: pass np.ascontiguousarray(array)",
    ),
    "read-only": (
        lambda add: add(A, B, out=readonly(A)),
        "AKG-E507: output 'C' is read-only\nbecause: the kernel writes to it\n"
        "hint: pass a writable array, such as a copy",
    ),
    "output is input": (
        lambda add: add(A, B, out=B),
        "AKG-E508: output 'C' is the same memory as argument 'B'\n"
        "because: add may write C before it has read or written all of B\nhint: pass a separate array",
    ),
    "output overlaps": (
        lambda add: add(memory[:6], B, out=memory[2:]),
        "AKG-E508: output 'C' overlaps argument 'A'\n"
        "because: add may write C before it has read or written all of A\nhint: pass a separate array",
    ),
    "misaligned": (
        lambda add: add(A, misaligned(6)),
        f"AKG-E509: argument 'B' is misaligned\n"
        f"because: its data begin {misaligned(6).ctypes.data % 4} bytes past a multiple of 4\n"
        "hint: pass a copy: array.copy()",
    ),
    "device": (
        lambda add: add(OnGpu(A, True), B),
        "AKG-E510: argument 'A' is not in host memory\nbecause: the array is on CUDA, and the kernel runs on the CPU\n"
        "hint: copy it to the CPU first, for example with x.cpu()",
    ),
    "export refused": (
        lambda add: add(NeedsGradient(A, True), B),
        "AKG-E511: argument 'A' cannot be exported through DLPack\n"
        "because: it requires gradient\nhint: detach it first: x.detach()",
    ),
    "list": (
        lambda add: add([1.0, 2.0], B),
        "AKG-E511: argument 'A' is no array: list\nbecause: arrays are NumPy arrays and objects with DLPack, "
        "__array_interface__ or the buffer protocol\nhint: pass np.asarray(value, dtype)",
    ),
    "None": (
        lambda add: add(None, B),
        "AKG-E511: argument 'A' is no array: NoneType\nbecause: arrays are NumPy arrays and objects with DLPack, "
        "__array_interface__ or the buffer protocol\nhint: pass a NumPy array, or a tensor with __dlpack__",
    ),
    "out count": (
        lambda add: add(A, B, out=(A, B)),
        "AKG-E514: out= has 2 arrays, add 1 output\nbecause: its outputs are C: float32[n]\n"
        "hint: pass one array per output, in that order",
    ),
    "keyword": (
        lambda add: add(A, B, ouf=A),
        "AKG-E514: add has no keyword argument 'ouf'\nbecause: a call takes out= and the kernel's sizes by name\n"
        "hint: did you mean 'out'?",
    ),
    "size by name disagrees": (
        lambda add: add(A, B, n=5),
        "AKG-E504: argument 'A' has shape (6,), expected (n,)\nbecause: n is 5 from the keyword but 6 from A\n"
        "hint: pass arrays whose common dimensions agree",
    ),
    "source": (
        lambda add: add.source("lvm"),
        "AKG-E515: kernel add has no source 'lvm'\nbecause: it has llvm\nhint: did you mean 'llvm'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_message(add: Any, name: str) -> None:
    call, want = CASES[name]
    assert message(lambda: call(add)) == want


def test_const_shape() -> None:
    fixed = stub("fixed", [param("A", "in", "float32", [2, 3])])
    assert message(lambda: fixed(np.zeros((2, 4), F))) == (
        "AKG-E503: argument 'A' has shape (2, 4), expected (2, 3)\nbecause: dimension 1 is 4, not 3\n"
        "hint: build the kernel for this shape, or with a symbolic size"
    )


def test_derived_shape() -> None:
    padded = stub("padded", [param("A", "in", "float32", [n]), param("B", "in", "float32", [n + 2])], ["n"])
    assert message(lambda: padded(A, np.zeros(7, F))) == (
        "AKG-E504: argument 'B' has shape (7,), expected (n + 2,)\n"
        "because: n + 2 is 8 (n = 6 from A) but dimension 0 of B is 7\nhint: pass arrays whose common dimensions agree"
    )


def test_negative_size() -> None:
    shifted = stub("shifted", [param("A", "in", "float32", [n + 2])], ["n"])
    assert message(lambda: shifted(np.zeros(1, F))) == (
        "AKG-E513: size n is negative: -1 from A\nbecause: the kernel is shifted(A: float32[n + 2]) -> None\n"
        "hint: pass an array that is large enough"
    )


def test_unknown_size() -> None:
    fill = stub("fill", [param("R", "out", "float32", [n])], ["n"])
    assert message(lambda: fill()) == (
        "AKG-E516: the size n is not known\nbecause: no argument has an extent that tells it; the kernel is "
        "fill() -> R: float32[n]\nhint: pass it by name: fill(..., n=...)"
    )
    assert message(lambda: fill(n="3")) == (
        "AKG-E512: size 'n' is no integer: str\nbecause: the kernel is fill() -> R: float32[n]\n"
        "hint: pass an integer, as in n=128"
    )


@pytest.mark.parametrize(
    ("dtype", "value", "because"),
    [
        ("int8", 200, "200 is out of range"), ("int64", 2**63, f"{2**63} is out of range"),
        ("int32", 1.5, "it is of type float"), ("float32", "1", "it is of type str"),
        ("float64", 10**400, f"{10**400} is out of range"), ("bool", 1, "it is of type int"),
        ("float32", np.zeros(3, F), "it is an array of 1 dimensions"),
    ],
)  # fmt: skip
def test_scalar(dtype: str, value: Any, because: str) -> None:
    scale = stub("scale", [param("x", "scalar", dtype)])
    assert message(lambda: scale(value)) == (
        f"AKG-E512: argument 'x' is no {dtype} scalar\nbecause: {because}\n"
        f"hint: pass a Python number; the kernel is scale(x: {dtype}) -> None"
    )


def test_in_place_arguments() -> None:
    swap = stub("swap", [param("A", "inout", "float32", [2]), param("B", "inout", "float32", [2])])
    data = np.zeros(3, F)
    assert message(lambda: swap(data[:2], data[1:])).startswith("AKG-E508: argument 'B' overlaps argument 'A'\n")
    assert message(lambda: swap(readonly(data[:2]), data[1:])).startswith("AKG-E507: argument 'A' is read-only\n")
    assert swap(data[:2], np.zeros(2, F)) is None
