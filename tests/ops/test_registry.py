"""Every operator of the library, given what it does not take: it defines something, or says what is wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from akg import ops, te
from akg.base.errors import AkgError
from akg.ir.te.tensor import Tensor
from bench import typical

DTYPES = ("float64", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool")
NAMES = [entry.name for entry in ops.table()]
Change = Callable[[int, tuple[int, ...], str], tuple[tuple[int, ...], str]]


class Changed(typical.Inputs):
    """Inputs that are not what the operator's recipe asks for."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change

    def __call__(self, *shape: int, dtype: str = "float32") -> Any:
        sizes, kind = self._change(len(self.made), shape, dtype)
        self.made.append(te.placeholder(sizes, kind, name=f"x{len(self.made)}"))
        return self.made[-1]


CHANGES: dict[str, Change] = {
    **{f"all {d}": (lambda k, shape, dtype, d=d: (shape, d)) for d in DTYPES},
    **{f"first {d}": (lambda k, shape, dtype, d=d: (shape, dtype if k else d)) for d in DTYPES},
    **{f"last {d}": (lambda k, shape, dtype, d=d: (shape, d if k else dtype)) for d in DTYPES},
    "no dimensions": lambda k, shape, dtype: ((), dtype),
    "one dimension": lambda k, shape, dtype: (shape[:1], dtype),
    "one more": lambda k, shape, dtype: ((*shape, 3), dtype),
    "first of another rank": lambda k, shape, dtype: ((2, *shape) if k == 0 else shape, dtype),
    "second of another rank": lambda k, shape, dtype: ((2, *shape) if k == 1 else shape, dtype),
    "first longer": lambda k, shape, dtype: ((*shape[:-1], shape[-1] + 1) if k == 0 else shape, dtype),
    "second longer": lambda k, shape, dtype: ((*shape[:-1], shape[-1] + 1) if k == 1 else shape, dtype),
    "empty": lambda k, shape, dtype: ((0,) * len(shape), dtype),
    "first empty": lambda k, shape, dtype: ((0, *shape[1:]) if k == 0 else shape, dtype),
    "ones": lambda k, shape, dtype: ((1,) * len(shape), dtype),
}


def defined(name: str, change: Change) -> str | None:
    """The code of the error, if there is one."""
    try:
        outputs, _ = typical.define(name, Changed(change))
    except AkgError as error:
        return error.code if error.because or error.hint else f"{error.code} without a reason"
    assert all(isinstance(output, Tensor) for output in outputs), name
    return None


@pytest.mark.parametrize("name", NAMES)
def test_what_an_operator_does_not_take(name: str) -> None:
    """Types, ranks and sizes one by one; another exception is a defect."""
    for title, change in CHANGES.items():
        try:
            code = defined(name, change)
        except Exception as error:  # whatever it is
            raise AssertionError(f"{name}, {title}: {type(error).__name__}: {error}") from error
        assert code is None or not code.endswith("reason"), (name, title, code)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_tensor(name: str) -> None:
    """Text, a list and None in place of the first argument."""
    function = ops.get(name).function
    for value in ("X", [1.0, 2.0], None, object()):
        try:
            function(value)
        except (AkgError, TypeError):  # a missing argument is Python's to tell
            continue
        raise AssertionError(f"{name} takes {value!r}")


def test_most_types_and_ranks_are_checked() -> None:
    """The changes above are mistakes indeed: most operators refuse several."""
    for name in ("matmul", "conv2d", "cross_entropy", "layer_norm", "take"):
        codes = {defined(name, change) for change in CHANGES.values()} - {None}
        assert len(codes) >= 2, (name, codes)
