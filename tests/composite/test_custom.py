"""`Custom` operators: hybrid sources compute what they say, and hostile ones are refused without being executed."""

import builtins

import numpy as np
import pytest
import scipy.special

import akg
from akg.base.errors import AkgError
from tests.composite.documents import document, op, single, tensor, values
from tests.helpers import assert_close

A, B = tensor("a", (4, 6)), tensor("b", (6,))

DIFFERENCES = '''
@script
def differences(a, b):
    """Scaled, then the difference to the element before."""
    c = output_tensor(a.shape, a.dtype)
    t = allocate((a.shape[1],), a.dtype, "local")
    for i in parallel(a.shape[0]):
        for j in range(a.shape[1]):
            t[j] = a[i, j] * float32(2) + exp(b[j])
        for j in range(a.shape[1]):
            if j > 0:
                c[i, j] = t[j] - t[j - 1]
            else:
                c[i, j] = t[j]
    return c
'''

IN_PLACE = """
def both(a, b):
    c = output_tensor(a.shape, a.dtype)
    for i, j in grid(a.shape):
        a[i, j] = a[i, j] + b[j]
        c[i, j] = a[i, j] * a[i, j]
    return c
"""

TWO = """
def two(a, b):
    s = output_tensor((a.shape[0],), "float32")
    m = output_tensor((a.shape[0],), "float32")
    for i in range(4):
        m[i] = a[i, 0]
        for j in range(6):
            s[i] += a[i, j]
            m[i] = max(m[i], a[i, j])
    return s, m
"""


def custom(source, name="", shape=(4, 6), **more):
    return single("Custom", [A, B], shape, func_source_str=source, func_name=name, **more)


def test_loops_compute_what_they_say():
    a, b = values((4, 6)), values((6,), seed=1)
    want = np.diff(a * 2 + np.exp(b), axis=1, prepend=np.float32(0))
    got = akg.composite.build(custom(DIFFERENCES, "differences", func_type="hybrid"))(a, b)
    assert_close(got, want, terms=4)


def test_written_inputs_are_updated_and_neighbours_are_fused_around():
    e, c, out = tensor("e", (4, 6)), tensor("c", (4, 6)), tensor("out", (4, 6))
    desc = document([A, B], [
        op("Exp", [A], e), op("Custom", [A, B], c, func_source_str=IN_PLACE, func_name="both"), op("Add", [c, e], out),
    ], [out])  # fmt: skip
    a, b = values((4, 6)), values((6,), seed=1)
    before = a.copy()
    kernel = akg.composite.build(desc)
    got = kernel(a, b)
    assert_close(a, before + b)
    assert_close(got, (before + b) ** 2 + np.exp(before))
    assert len(kernel.compiled.kernels) == 3


def test_several_results():
    desc = custom(TWO, "two", (4,))
    desc["op_desc"][0]["output_desc"].append(tensor("m", (4,)))
    desc["output_desc"].append(tensor("m", (4,)))
    desc["input_desc"] = [[A], [B]]
    a, b = values((4, 6)), values((6,))
    s, m = akg.composite.build(desc)(a, b)
    assert_close(s, a.sum(1), terms=6)
    np.testing.assert_array_equal(m, a.max(1))


FUNCTIONS = """
    @ms_kernel
    def f(a, b):
        c = output_tensor(a.shape, a.dtype)
        for i, j in grid(a.shape):
            c[i, j] = rsqrt(a[i, j]) * erf(b[j]) + sigmoid(b[j]) + round(a[i, j])
            c[i, j] += select(b[j] > 0.5, atan2(b[j], 2.0), 0.0)
        for i in range(4):
            m = allocate((1,), a.dtype, "local")
            m[0] = min_value(a.dtype)
            for j in range(6):
                m[0] = max(m[0], a[i, j])
            c[i, 0] = c[i, 0] + m[0]
        return c
"""


def test_functions_and_limits_of_indented_sources():
    a, b = values((4, 6)), values((6,), seed=1)
    want = scipy.special.erf(b) / np.sqrt(a) + 1 / (1 + np.exp(-b)) + np.round(a)
    want += np.where(b > 0.5, np.arctan2(b, 2), 0)
    want[:, 0] += a.max(1)
    got = akg.composite.build(custom(FUNCTIONS, "f"))(a, b)
    assert_close(got, want.astype("float32"), terms=4)


HEAD = "def f(a, b):\n    c = output_tensor(a.shape, a.dtype)\n"
HOSTILE = {
    "import": "import os\ndef f(a, b):\n    return a\n",
    "import inside": HEAD + "    import os\n    return c\n",
    "call of a builtin": HEAD + "    open('/tmp/akg-hostile', 'w')\n    return c\n",
    "attribute walk": HEAD + "    x = a.__class__.__mro__\n    return c\n",
    "attribute of a result": HEAD + "    x = c.tofile\n    return c\n",
    "dunder name": HEAD + "    x = __import__\n    return c\n",
    "eval": HEAD + "    c[0, 0] = eval('1')\n    return c\n",
    "lambda": HEAD + "    g = lambda x: x\n    return c\n",
    "comprehension": HEAD + "    x = [i for i in range(3)]\n    return c\n",
    "endless loop": HEAD + "    while True:\n        pass\n    return c\n",
    "decorator that is a call": "@f(open('/tmp/akg-hostile', 'w'))\ndef f(a, b):\n    return a\n",
    "default that is a call": "def f(a, b=open('/tmp/akg-hostile', 'w')):\n    return a\n",
    "second function": HEAD + "    return c\ndef g(a):\n    return a\n",
    "statement after": HEAD + "    return c\nopen('/tmp/akg-hostile', 'w')\n",
    "class": "class f:\n    pass\n",
    "nested function": HEAD + "    def g():\n        return 1\n    return c\n",
    "global": HEAD + "    global x\n    return c\n",
    "yield": HEAD + "    yield c\n",
    "try": HEAD + "    try:\n        pass\n    finally:\n        pass\n    return c\n",
    "with": HEAD + "    with a:\n        pass\n    return c\n",
    "f-string": HEAD + "    x = f'{a}'\n    return c\n",
    "walrus": HEAD + "    for i in range((n := 3)):\n        pass\n    return c\n",
    "power tower": HEAD + "    c[0, 0] = 9 ** 9 ** 9\n    return c\n",
    "shift": HEAD + "    c[0, 0] = 1 << 10 ** 12\n    return c\n",
    "huge number": HEAD + "    c[0, 0] = 1" + "0" * 100 + "\n    return c\n",
    "keywords": HEAD + "    c[0, 0] = max(1, 2, key=b)\n    return c\n",
    "star": HEAD + "    c[0, 0] = max(*a)\n    return c\n",
    "delete": HEAD + "    del a\n    return c\n",
    "not Python": "def f(a, b:\n",
    "loop variable before its loop": HEAD + "    for i in range(4):\n        c[i, 0] = j\n"
    "        for j in range(6):\n            c[i, j] = 1.0\n    return c\n",
    "loop up to itself": HEAD + "    for j in range(j):\n        c[0, j] = a[0, j]\n    return c\n",
    "loop up to data": HEAD + "    for i in range(4):\n        for j in range(exp(a[i, j])):\n"
    "            c[i, j] = 1.0\n    return c\n",
    "limit of no type": HEAD + "    c[0, 0] = min_value('float99')\n    return c\n",
    "limit of nothing": HEAD + "    c[0, 0] = min_value()\n    return c\n",
    "two arguments": HEAD + "    c[0, 0] = rsqrt(a[0, 0], b[0])\n    return c\n",
    "null": "def f(a, b):\n    return a\0\n",
    "deep": HEAD + "    c[0, 0] = " + "(" * 5000 + "1" + ")" * 5000 + "\n    return c\n",
    "deep operators": HEAD + "    c[0, 0] = " + "-" * 20000 + "1\n    return c\n",
    "long": HEAD + "    # " + "x" * 100000 + "\n    return c\n",
    "wrong number of arguments": "def f(a):\n    return a\n",
    "another name": "def g(a, b):\n    return a\n",
    "endless grid": HEAD + "    for i, j, k in grid(a.shape):\n        c[i, j] = a[i, j]\n    return c\n",
    "argument returned": "def f(a, b):\n    return a\n",
    "nothing returned": HEAD + "    c[0, 0] = a[0, 0]\n",
    "unknown name": HEAD + "    c[0, 0] = x\n    return c\n",
    "out of bounds": HEAD + "    for i in range(100):\n        c[i, 0] = a[i, 0]\n    return c\n",
    "array from data": "def f(a, b):\n    c = output_tensor((a[0, 0],), a.dtype)\n    return c\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_are_refused_and_not_executed(name, monkeypatch, tmp_path):
    opened = []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda *a, **k: opened.append(a) or real(*a, **k))
    with pytest.raises(AkgError) as caught:
        akg.composite.build(custom(HOSTILE[name], "f"))
    assert caught.value.code in ("AKG-E101", "AKG-E715", "AKG-E704") or caught.value.code.startswith("AKG-E2")
    assert not any("akg-hostile" in str(a) for a in opened)


@pytest.mark.parametrize("kind", ["ir_builder", "tvm_compute", 3])
def test_sources_that_would_have_to_be_executed(kind):
    with pytest.raises(AkgError, match="func_type") as caught:
        akg.composite.build(custom(DIFFERENCES, "differences", func_type=kind))
    assert caught.value.code == "AKG-E714"


def test_a_source_that_is_no_text():
    for source in (None, 3, ["def f(): pass"]):
        with pytest.raises(AkgError) as caught:
            akg.composite.build(custom(source, "f"))
        assert caught.value.code == "AKG-E713"
