"""Scripts lowered to loop IR and run by the interpreter, against the Python functions themselves."""
# ruff: noqa: F821, SIM201, UP037  (shapes and dtypes are strings inside annotations)

import copy
import math

import numpy as np
import pytest

import akg
from akg.ir.interp import interpret
from akg.ir.script import In, Out, Scalar, Script, Size, Tensor, empty, script, zeros
from akg.ir.stmt import Alloc, Store, walk
from akg.ir.text import parse_kernel, to_text
from akg.ir.verify import verify
from tests.helpers import assert_close
from tests.programs import SAMPLES
from tests.programs.samples import kernel_arguments


def check(program: Script, *given, rtol_terms=8, dtype=None, uninitialised=True):
    """Run the script as Python and as lowered; compare every array and the results."""
    kernel = program.lower()
    verify(kernel)
    assert to_text(parse_kernel(to_text(kernel))) == to_text(kernel)
    plain = copy.deepcopy(given)
    with np.errstate(all="ignore"):
        returned = program(*plain)
    given = copy.deepcopy(given)
    arguments = kernel_arguments(program, given)
    interpret(kernel, *arguments, check_uninitialised=uninitialised)
    for got, want in zip(given, plain):
        if isinstance(want, np.ndarray):
            assert_close(got, want, dtype, terms=rtol_terms)
    if returned is not None:
        results = returned if isinstance(returned, tuple) else (returned,)
        names = [p.name for p in kernel.params]
        outputs = [a for p, a in zip(kernel.params, arguments) if p.role == "out" and p.name in names]
        for got, want in zip(outputs[-len(results) :], results):
            assert_close(got, np.asarray(want).astype(got.dtype), terms=rtol_terms)
    return kernel


def body(program):
    """The text of a kernel without its first line."""
    return "\n".join(line[4:] for line in to_text(program.lower()).splitlines()[1:]).rstrip()


def stores(program):
    return [s for s in walk(program.lower().body) if isinstance(s, Store)]


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("name", SAMPLES)
def test_sample(name, n):
    sample = SAMPLES[name]
    given = sample.inputs(n)
    check(sample.script, *given, rtol_terms=4 * n * n)
    python, reference = copy.deepcopy(given), copy.deepcopy(given)
    sample.script(*python)
    sample.reference(*reference)
    for got, want in zip(python, reference):
        if isinstance(want, np.ndarray):
            assert_close(got, want, terms=64 * n * n)


def test_names_spans_and_roles():
    kernel = SAMPLES["lu"].script.lower()
    assert [s.name for s in walk(kernel.body) if isinstance(s, Store)] == ["S0", "S1", "S2"]
    span = next(s for s in walk(kernel.body) if isinstance(s, Store)).span
    assert span.filename.endswith("samples.py")
    assert span.text[span.column : span.end_column] == "A[i, j] -= A[i, k] * A[k, j]"
    assert [(p.name, p.role) for p in SAMPLES["back_substitution"].script.lower().params] == [
        ("U", "in"), ("b", "in"), ("x", "out"), ("n", "size"),
    ]  # fmt: skip
    assert kernel is SAMPLES["lu"].script.lower()


def test_decorator_forms_and_metadata():
    @script()
    def double(A: Tensor["n", "float32"]):
        """Doubles."""
        for i in range(len(A)):
            A[i] *= 2

    assert isinstance(double, Script) and double.__doc__ == "Doubles." and double.__name__ == "double"
    assert double.source.text.lstrip().startswith("@script()")
    check(double, np.arange(5, dtype=np.float32))


@script
def steps(A: Tensor["n", "int64"]):
    n = A.shape[0]
    for i in range(0, n, 3):
        A[i] += 1
    for i in range(n - 1, -1, -2):
        A[i] = A[i] * 3 + i
    for i in reversed(range(1, n, 2)):
        A[i] += A[i - 1]
    for i in range(n - 2, 0, -1):
        A[i] = A[i + 1] - A[i - 1]
    for i in range(5, 2):
        A[i] = 0


@pytest.mark.parametrize("n", range(9))
def test_steps_and_descending_loops(n):
    check(steps, np.arange(n) + 10)


@script
def bounds(A: Tensor["n", "n", "float64"], k: Size):
    n, _ = A.shape
    m = n - 1
    for i in range(max(0, k - 1), min(n, k + 3)):
        for j in range(i // 2, (n + i) % 4):
            if j < n:
                A[i, j] += 1.0
    for i in range(n):
        back = m - i
        if (i % 2 == 0 and not (i == back)) or k > n:
            A[i, back] = 2.0
        elif 0 < i <= k:
            A[back, i] = 3.0
        else:
            A[i, i] = -A[i, i]
    A[-1, -1] = abs(k - n)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("k", [0, 2, 9])
def test_affine_bounds_and_conditions(n, k):
    check(bounds, np.random.default_rng(n).random((n, n)), k)


@script
def local_scalars(A: In["n", "m", "float32"], B: Out["n", "float32"], C: Out["n", "float64"]):
    n, m = A.shape
    scale = 2.0
    for i in range(n):
        s = 0.0
        big = A[i, 0]
        for j in range(m):
            s += A[i, j] * scale
            big = max(big, A[i, j])
        count: "int32" = 0
        for j in range(m):
            if A[i, j] > 0:
                count += 1
        B[i] = s - big
        C[i] = s / float(count) if count > 0 else -1.0


def test_local_scalars():
    kernel = check(local_scalars, np.random.default_rng(0).standard_normal((4, 6), dtype=np.float32),
                   np.empty(4, np.float32), np.empty(4))  # fmt: skip
    allocated = {s.buffer.name: s.buffer for s in walk(kernel.body) if isinstance(s, Alloc)}
    assert {n: b.dtype.name for n, b in allocated.items()} == {"s": "float32", "big": "float32", "count": "int32"}
    assert all(b.scope == "local" for b in allocated.values())
    assert [s.reduction for s in stores(local_scalars)] == [None, None, "sum", "max", None, None, None, None]


@script
def carried(A: In["n", "float64"], B: Out["n", "float64"]):
    last = 0.0
    total = 0.0
    for i in range(A.shape[0]):
        B[i] = A[i] - last
        last = A[i]
        total += last
    for i in range(A.shape[0]):
        B[i] = B[i] + total


def test_scalars_carried_between_iterations_live_outside():
    kernel = check(carried, np.random.default_rng(0).random(6), np.empty(6))
    assert {s.buffer.scope for s in walk(kernel.body) if isinstance(s, Alloc)} == {"global"}


@script
def data_conditions(A: Tensor["n", "float64"], B: Tensor["n", "float64"], flag: Scalar["bool"]):
    for i in range(len(A)):
        same = A
        if A[i] > 0.5:
            same[i] = 2 * A[i]
            t = A[i] * 2
            B[i] = t + 1
            A[i] = 0.0
        elif i > 0 and A[i - 1] < 0.1:
            B[i] -= 1
        else:
            for j in range(i):
                B[j] += 0.5
        if i > 0 and B[i - 1] > 1 and flag:
            B[i - 1] = 1.0
        if A[i] < 0.25:
            u = A[i]
            v = u + 1
            w: float = u
        elif A[i] < 0.5:
            u = 1.0
            v = u
            w = v
        else:
            v = 3.0
            w = 2.0
        B[i] += v + w
        if A[i] < 0.25:
            A[i] = 1.0
        else:
            A[i] = 2.0
        B[i] = A[i] if not flag or A[i] > 1 else B[i]


@pytest.mark.parametrize("flag", [True, False])
def test_data_dependent_conditions_become_selects(flag):
    rng = np.random.default_rng(3)
    check(data_conditions, rng.random(8), rng.random(8), flag)


@script
def returns(A: In["n", "m", "float32"]):
    n, m = A.shape
    B = np.zeros((m, n), dtype=np.float32)
    C = np.full(n, 1.5)
    total = 0.0
    for i in range(n):
        row = np.empty_like(A, dtype=np.float64)
        for j in range(m):
            row[i, j] = A[i, j]
            B[j, i] = A[i, j] + row[i, j]
            total += A[i, j]
        C[i] += i
    return B, C, total


def test_local_arrays_and_results():
    kernel = check(returns, np.random.default_rng(3).random((3, 4), dtype=np.float32), uninitialised=False)
    assert [(p.name, p.role) for p in kernel.params] == [
        ("A", "in"), ("B", "out"), ("C", "out"), ("total", "out"), ("n", "size"), ("m", "size"),
    ]  # fmt: skip


@script
def more_arrays(A: In["n", "float32"], B: Out["n", "float32"]):
    n = A.shape[0]
    T = A.copy()
    U = zeros(n, "float32")
    V = empty((n,), "float32")
    W = np.ones_like(A)
    alias = U
    for i in range(n):
        V[i] = T[i] + U[i]
        alias[i] += V[i]
    for i in range(n):
        B[i] = U[i] * W[i]


def test_more_arrays_and_aliases():
    check(more_arrays, np.random.default_rng(0).random(5, dtype=np.float32), np.empty(5, np.float32))


HALF = 0.5
WIDTH = 3


@script
def functions(A: In["n", "float32"], I: In["n", "int32"], B: Out["n", 24, "float64"], alpha: float, k: int):
    for i in range(A.shape[0]):
        B[i, 0] = np.exp(A[i]) + np.sqrt(A[i]) * np.tanh(A[i])
        B[i, 1] = math.exp(A[i]) + math.sqrt(abs(A[i])) + math.pi
        B[i, 2] = np.maximum(A[i], 0.5) - np.minimum(A[i], HALF)
        B[i, 3] = np.where(A[i] > HALF, A[i], -A[i])
        B[i, 4] = A[i] ** 2 + A[i] ** 0.5 + 2.0**3 + I[i] ** 2 + A[i] ** 0
        B[i, 5] = I[i] // 2 + I[i] % 3 + I[i] / 4
        B[i, 6] = np.float32(alpha) * 3 + float(I[i]) + int(A[i] * 10)
        B[i, 7] = alpha * A[i] + k * A[i] + k * I[i]
        B[i, 8] = max(A[i], alpha, 0.1) + min(I[i], 3)
        B[i, 9] = np.abs(-A[i]) + np.sign(A[i]) + np.clip(A[i], 0.2, 0.6) + np.square(A[i])
        B[i, 10] = (I[i] & 3) | (I[i] << 1) ^ (I[i] >> 1)
        B[i, 11] = ~I[i]
        B[i, 12] = np.floor(A[i] * 10) + math.floor(A[i] * 10) + np.ceil(A[i])
        B[i, 13] = (i + WIDTH) / 2 + i // 2 + i**2 - i % WIDTH
        B[i, 14] = i // -2 + i % -3
        B[i, 15] = np.arctan2(A[i], 0.5) + np.log1p(A[i])
        B[i, 16] = np.pi * A[i] + np.float64(2.5)
        B[i, 17] = 1 if (A[i] > 0.2 and A[i] < 0.6) or i == 0 else 2.5
        B[i, 18] = I[i] * 0.5
        B[i, 19] = -(+A[i]) + np.add(A[i], 1) / np.divide(1, 3)
        B[i, 20] = 0.2 < A[i] <= 0.7
        B[i, 21] = np.power(A[i], 2) + pow(A[i], 1)
        B[i, 22] = bool(I[i]) + True
        B[i, 23] = np.isnan(A[i]) or np.isfinite(A[i])


def test_functions_and_types():
    rng = np.random.default_rng(0)
    check(functions, rng.random(6, dtype=np.float32), rng.integers(0, 9, 6, dtype=np.int32), np.empty((6, 24)),
          0.3, 4, dtype="float32")  # fmt: skip


@script
def scaled_by_powers(A: Tensor["n", "float32"], H: Tensor["n", "float16"], D: Tensor["n", "float64"],
                     N: Tensor["n", "int64"], I: Tensor["n", "int32"], out: Tensor["n", 5, "float64"]):  # fmt: skip
    for i in range(len(A)):
        out[i, 0] = np.ldexp(A[i], N[i])
        out[i, 1] = np.ldexp(H[i], I[i])
        out[i, 2] = np.ldexp(D[i], I[i]) + math.ldexp(A[i], 3)
        out[i, 3] = np.ldexp(I[i], 2)
        out[i, 4] = np.ldexp(A[i], i) / 3


def test_ldexp():
    """The exponent is an integer that leaves the type alone, however far it goes; denormals are rounded once."""
    n = np.array([0, 3, -3, 120, -140, -149, 2000, -2000, 30, -20, 2**31 - 1, -(2**31)])
    a = np.array([1.5, -0.7, 0.1, 1.9, 1.3, 1.7, 0.0, 2.0, -0.0, 1.0 / 3, 1.1, 3.3])
    given = a.astype(np.float32), a.astype(np.float16), a, n, n.astype(np.int32)
    got, want = np.empty((12, 5)), np.empty((12, 5))
    with np.errstate(all="ignore"):
        scaled_by_powers(*given, want)
    akg.build(scaled_by_powers)(*given, got)
    np.testing.assert_array_equal(got, want)


@script
def scaled_by_a_float(A: Tensor["n", "float32"]):
    for i in range(len(A)):
        A[i] = np.ldexp(A[i], A[i])


def test_ldexp_by_a_float():
    with pytest.raises(akg.AkgError, match="AKG-E225: the exponent of ldexp is float32"):
        akg.lower(scaled_by_a_float)


@script
def weak_types(A: Tensor["n", "float32"], B: Tensor["n", "float16"], alpha: float, beta: Scalar["float64"]):
    for i in range(len(A)):
        A[i] = A[i] * alpha + 0.1
        B[i] = B[i] * alpha
        A[i] = A[i] * beta


def test_python_numbers_are_weak():
    check(weak_types, np.ones(3, np.float32), np.ones(3, np.float16), 0.1, 0.1)
    assert body(weak_types) == (
        "for i in [0, n):\n"
        "    S0: A[i] = A[i] * float32(alpha) + 0.1f32\n"
        "    S1 (prod): B[i] = B[i] * float16(alpha)\n"
        "    S2: A[i] = float32(float64(A[i]) * beta)"
    )


@script
def updates(A: Tensor["n", "float64"], X: In["n", "float64"], s: Tensor["float64"]):
    for i in range(len(A)):
        A[0] = X[i] + A[0]
        A[0] = A[0] - X[i]
        A[0] *= X[i]
        A[0] = min(X[i], A[0])
        A[0] = np.maximum(A[0], X[i])
        A[0] += A[i]
        A[0] = X[i] - A[0]
        A[0] /= X[i]
        s[()] += X[i] * s


def test_reductions_are_tagged():
    check(updates, np.arange(1.0, 5.0), np.arange(1.0, 5.0) / 3, np.array(0.5))
    assert [s.reduction for s in stores(updates)] == ["sum", "sum", "prod", "min", "max", "sum", None, None, None]


@script
def names(double: Tensor["n", "float64"], é: Tensor["n", "float64"]):
    n = double.shape[0]
    for i in range(n):
        for int_ in range(n):
            double[i] += é[int_]
    for i in range(n):
        é[i] = i


def test_names_are_c_identifiers():
    check_names = names.lower()
    verify(check_names)
    assert [p.name for p in check_names.params] == ["double_", "_e9", "n"]


@script
def symbolic(A: Tensor["n", "2*n+1", "float64"]):
    n = A.shape[0]
    for i in range(n):
        at = 2 * i
        A[i, at] = 1.0
        at = at + 1
        A[i, at] = 2.0
        for j in range(2):
            at = 2 * i + j
            A[i, at] += 1.0
    k = 1
    for i in range(n):
        A[i, k] = 3.0


def test_index_names_are_substituted():
    program = symbolic.lower()
    verify(program)
    assert not [s for s in walk(program.body) if isinstance(s, Alloc)]
    got = np.zeros((3, 7))
    interpret(program, got, 3)
    want = np.zeros((3, 7))
    symbolic(want)
    assert_close(got, want)


def make(width):
    @script
    def shift(A: Tensor["n", "float64"]):
        for i in range(width, len(A)):
            A[i - width] = A[i] + width

    return shift


def test_closures_are_read():
    for width in (1, 2):
        check(make(width), np.arange(6.0))


def test_annotation_objects():
    vector = In["n", "float32"]

    @script
    def scale(A: vector, B: Out["n", np.float32]):
        for i in range(len(A)):
            B[i] = 2 * A[i]

    check(scale, np.arange(3, dtype=np.float32), np.empty(3, np.float32))


def test_rebound_in_branches():
    @script
    def branches(A: Tensor["n", "float64"], n: Size):
        for i in range(n):
            if i < 2:
                x = 1.0
            else:
                x = A[i - 2]
            y = 0
            if A[i] > 0.5:
                y = 1
            A[i] += x + y
        c = 5
        for i in range(n):
            A[i] += c
            c = c + 1

    check(branches, np.random.default_rng(0).random(6), 6)
