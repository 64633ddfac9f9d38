"""Running reductions: their loop IR by the interpreter, against loops in NumPy."""

import numpy as np
import pytest

import akg
from akg import te
from akg.ir.interp import interpret
from akg.ir.text import parse_kernel, to_text
from akg.ir.verify import verify


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"), [((5,), 0), ((0,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1), ((1, 1), 1)]
)
def test_interpreter(shape: tuple[int, ...], axis: int, exclusive: bool, reverse: bool) -> None:
    x = te.placeholder(shape, "int64", name="x")
    y = te.scan(shape, lambda *i: x[i] * 2 + 1, axis, "sum", exclusive=exclusive, reverse=reverse, name="y")
    kernel = akg.lower([y], inputs=[x]).kernel
    verify(kernel)
    assert to_text(parse_kernel(to_text(kernel))) == to_text(kernel)
    values = np.arange(int(np.prod(shape))).reshape(shape) ** 2
    terms = values * 2 + 1
    lines = np.flip(terms, axis) if reverse else terms
    want = np.cumsum(lines, axis) - (lines if exclusive else 0)
    found = np.full(shape, 85)
    interpret(kernel, values, found)
    np.testing.assert_array_equal(found, np.flip(want, axis) if reverse else want)


def test_one_operation_per_element() -> None:
    x = te.placeholder((te.var("n"),), "float32", name="x")
    y = te.scan(x.shape, lambda i: x[i], 0, "max", name="y")
    assert akg.lower([y], inputs=[x]).text == (
        "kernel y(x: in float32[n], y: out float32[n], n: size):\n"
        "    if n > 0:\n"
        "        y_first: y[0] = x[0]\n"
        "        for i_1 in [1, n):\n"
        "            y: y[i_1] = max(y[i_1 - 1], x[i_1])\n"
    )
