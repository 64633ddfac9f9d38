"""The interpreter: the meaning of every operation, checks of accesses, and orders of iteration."""

import math

import ml_dtypes
import numpy as np
import pytest
from scipy import special

from akg.base.dtype import BUFFER_DTYPES, bfloat16, bool_, float16, float32, float64, index, int8, int32, int64, uint8
from akg.base.errors import InternalError
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.functions import FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.interp import interpret, python_source
from akg.ir.lower import lower_te
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Param, Stmt, Store
from tests.helpers import assert_close, copy_args, fresh_args, written
from tests.strategies import random_script, random_te

n, i, j = Var("n"), Var("i"), Var("j")


def evaluate(value: Expr, **scalars):
    """One expression over scalar arguments, as it arrives in memory."""
    out = Buffer("out", (), value.dtype if value.dtype is not index else int64)
    stored = value if value.dtype is out.dtype else Cast(value, out.dtype)
    params = [Param(Var(name, dtype), "scalar") for name, (dtype, _) in scalars.items()]
    result = np.zeros((), out.dtype.numpy)
    interpret(
        Kernel("k", (*params, Param(out, "out")), Store(out, (), stored, "S0")),
        *(v for _, v in scalars.values()),
        result,
    )
    return result[()]


def binary(op, a, b, dtype):
    return evaluate(Binary(op, Var("a", dtype), Var("b", dtype)), a=(dtype, a), b=(dtype, b))


@pytest.mark.parametrize(
    ("op", "a", "b", "dtype", "want"),
    [
        ("add", 127, 1, int8, -128), ("sub", 0, 1, uint8, 255), ("mul", 2**30, 4, int32, 0),
        ("add", 2**63 - 1, 1, int64, -(2**63)), ("floordiv", -7, 2, int32, -4), ("floordiv", 7, -2, int32, -4),
        ("mod", -7, 3, int32, 2), ("mod", 7, -3, int32, -2), ("mod", -7.5, 2.0, float32, 0.5),
        ("floordiv", -7.5, 2.0, float64, -4.0), ("div", 1.0, 0.0, float32, math.inf), ("shl", 3, 4, uint8, 48),
        ("shr", -8, 1, int32, -4), ("shr", 200, 3, uint8, 25), ("and", 12, 10, int32, 8), ("xor", 12, 10, int32, 6),
        ("or", 12, 3, int64, 15), ("min", -1, 3, int8, -1), ("max", -1, 3, int8, 3), ("lt", -1, 3, int8, True),
        ("ge", 2.0, 2.0, float64, True), ("ne", 2.0, math.nan, float64, True),
        ("eq", math.nan, math.nan, float32, False),
        ("floordiv", -7, 2, index, -4), ("mod", -7, 2, index, 1), ("min", 2, -3, index, -3),
        ("and", True, False, bool_, False), ("or", True, False, bool_, True), ("xor", True, True, bool_, False),
    ],
)  # fmt: skip
def test_binary(op, a, b, dtype, want) -> None:
    assert binary(op, a, b, dtype) == want


@pytest.mark.parametrize("dtype", [float16, bfloat16, float32, float64], ids=str)
@pytest.mark.parametrize("op", ["min", "max"])
def test_min_and_max_propagate_nan(op, dtype) -> None:
    assert np.isnan(float(binary(op, 1.0, math.nan, dtype)))
    assert np.isnan(float(binary(op, math.nan, 1.0, dtype)))
    assert float(binary(op, 1.0, 2.0, dtype)) == (1.0 if op == "min" else 2.0)


def test_float32_arithmetic_rounds_to_float32() -> None:
    x = Var("x", float32)
    value = Binary("sub", Binary("add", x, Const(1.0, float32)), Const(1.0, float32))
    assert evaluate(value, x=(float32, 2.0**-25)) == 0.0
    assert evaluate(Const(0.1, float32)) == np.float32(0.1)


@pytest.mark.parametrize(("dtype", "unit"), [(float16, 2.0**-10), (bfloat16, 2.0**-7)], ids=str)
def test_16_bit_floats_round_only_at_casts_and_stores(dtype, unit) -> None:
    x, one = Var("x", dtype), Const(1.0, dtype)
    tiny = unit / 8
    kept = Binary("sub", Binary("add", x, one), one)  # in float32: nothing is lost
    assert float(evaluate(kept, x=(dtype, tiny))) == tiny
    rounded = Binary("sub", Cast(Cast(Binary("add", x, one), float32), dtype), one)
    assert float(evaluate(rounded, x=(dtype, tiny))) == 0.0
    assert float(evaluate(Binary("add", x, one), x=(dtype, tiny))) == 1.0


@pytest.mark.parametrize(
    ("value", "source", "target", "want"),
    [
        (-2.7, float32, int32, -2), (2.7, float64, int8, 2), (300, int32, int8, 44), (-1, int32, uint8, 255),
        (0.5, float32, bool_, True), (math.nan, float32, bool_, True), (0, int8, bool_, False),
        (True, bool_, float32, 1.0),
        (True, bool_, int32, 1), (0.1, float64, float32, np.float32(0.1)), (3.9, float32, index, 3),
        (5, index, float64, 5.0),
        (2**24 + 1, int64, float32, 2.0**24), (65520.0, float32, float16, math.inf), (-5, index, int8, -5),
    ],
)  # fmt: skip
def test_casts(value, source, target, want) -> None:
    assert evaluate(Cast(Var("x", source), target), x=(source, value)) == want


def test_unary() -> None:
    x, b = Var("x", int8), Var("b", bool_)
    assert evaluate(Unary("neg", x), x=(int8, -128)) == -128
    assert evaluate(Unary("abs", x), x=(int8, -5)) == 5
    assert evaluate(Unary("not", x), x=(int8, 5)) == -6
    assert evaluate(Unary("not", b), b=(bool_, True)) == np.False_
    assert evaluate(Unary("not", Binary("lt", Const(1), Const(2)))) == np.False_


REFERENCE = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power, "round": np.rint, "erf": special.erf,
    "sigmoid": special.expit, "rsqrt": lambda x: 1 / np.sqrt(x), "fma": lambda a, b, c: a * b + c,
    "ldexp": lambda x, n: x * 2.0 ** np.floor(n),
}  # fmt: skip
ARITY = {"atan2": 2, "pow": 2, "copysign": 2, "ldexp": 2, "fma": 3}


@pytest.mark.parametrize("dtype", [float16, float32, float64], ids=str)
@pytest.mark.parametrize("fn", sorted(FLOAT_CALLS))
def test_calls(fn, dtype) -> None:
    arity = ARITY.get(fn, 1)
    call = Call(fn, tuple(Var(f"x{k}", dtype) for k in range(arity)), dtype)
    for x in ((0.3, -0.6, 1.7), (0.9, 2.25, 0.1), (1.5, -0.5, 2.0), (-2.5, 3.0, 0.0)):
        given = [dtype.numpy.type(v) for v in x[:arity]]
        with np.errstate(all="ignore"):
            want = REFERENCE.get(fn, getattr(np, fn, None))(*(np.float64(v) for v in given))
        got = evaluate(call, **{f"x{k}": (dtype, v) for k, v in enumerate(given)})
        assert_close(got, np.asarray(want).astype(dtype.numpy), dtype)


def test_round_goes_to_even_and_fma_rounds_once() -> None:
    x = Var("x", float64)
    assert [evaluate(Call("round", (x,), float64), x=(float64, v)) for v in (0.5, 1.5, -2.5)] == [0.0, 2.0, -2.0]
    a = 1.0 + 2.0**-30
    value = Call("fma", (x, x, Const(-1.0 - 2.0**-29, float64)), float64)
    assert evaluate(value, x=(float64, a)) == 2.0**-60


@pytest.mark.parametrize("fn", sorted(PREDICATE_CALLS))
def test_predicates(fn) -> None:
    for x in (1.0, math.inf, -math.inf, math.nan):
        assert evaluate(Call(fn, (Var("x", float32),), bool_), x=(float32, x)) == getattr(np, fn)(x)


def test_bitcast() -> None:
    assert evaluate(Call("bitcast", (Const(1.0, float32),), int32)) == 0x3F800000
    assert evaluate(Call("bitcast", (Const(0x3F800000, int32),), float32)) == 1.0
    assert evaluate(Call("bitcast", (Const(-1.5, float64),), int64)) == np.float64(-1.5).view(np.int64)
    with pytest.raises(InternalError, match="bitcast"):
        evaluate(Call("bitcast", (Const(1.0, float32),), int64))


A = Buffer("A", (n,), float32)
B = Buffer("B", (n,), float32)
PARAMS = (Param(A, "in"), Param(B, "inout"), Param(n, "size"))


def run(body: Stmt, a, b, **options) -> None:
    interpret(Kernel("k", PARAMS, body), a, b, len(b), **options)


def arrays(size: int = 5):
    return np.arange(size, dtype=np.float32), np.zeros(size, np.float32)


def test_select_is_lazy_and_accesses_are_checked() -> None:
    a, b = arrays()
    inside = Binary("lt", i + 1, n)
    run(For(i, Const(0), n, Store(B, (i,), Select(inside, Load(A, (i + 1,)), Const(9.0, float32)), "S0")), a, b)
    assert b.tolist() == [1, 2, 3, 4, 9]
    with pytest.raises(IndexError, match=r"S7: A\[5\] is outside shape \(5,\)"):
        run(For(i, Const(0), n, Store(B, (i,), Load(A, (i + 1,)), "S7")), a, b)
    with pytest.raises(IndexError, match=r"S8: B\[-1\] is outside"):
        run(Store(B, (Const(-1),), Const(0.0, float32), "S8"), a, b)
    bound = Cast(Load(A, (n,)), index)
    with pytest.raises(IndexError, match=r"bounds of i: A\[5\]"):
        run(For(i, Const(0), bound, Block(())), a, b)


def test_loops_step_and_may_be_empty() -> None:
    a, b = arrays(8)
    run(For(i, Const(1), n, Store(B, (i,), Load(A, (i,)), "S0"), "serial", 3), a, b)
    assert b.tolist() == [0, 1, 0, 0, 4, 0, 0, 7]
    run(For(j, Const(5), Const(2), Store(B, (j,), Const(1.0, float32), "S1")), a, b)
    assert b.sum() == 12


def test_if_else() -> None:
    a, b = arrays()
    one, two = (Store(B, (i,), Const(v, float32), f"S{v}") for v in (1.0, 2.0))
    run(For(i, Const(0), n, If(Binary("lt", i, Const(2)), one, two)), a, b)
    assert b.tolist() == [1, 1, 2, 2, 2]


def race() -> Stmt:
    """A loop that claims to be parallel but carries a value from one iteration to the next."""
    body = Store(B, (i,), Binary("add", Load(B, (i - 1,)), Load(A, (i,))), "S0")
    return For(i, Const(1), n, body, "parallel")


def test_other_orders_expose_a_race() -> None:
    results = []
    for order in ("forward", "reverse", "shuffle"):
        a, b = arrays(16)
        run(race(), a, b, order=order, seed=3)
        results.append(b.tolist())
    assert results[0] != results[1]
    assert results[0] != results[2]


def test_independent_iterations_do_not_care_about_order() -> None:
    for order in ("reverse", "shuffle"):
        a, b = arrays(16)
        run(For(i, Const(0), n, Store(B, (i,), Load(A, (i,)) * 2.0, "S0"), "vector"), a, b, order=order, seed=1)
        assert (b == 2 * a).all()


def test_uninitialised_reads() -> None:
    t = Buffer("T", (n,), float32, "local")
    use = For(j, Const(0), n, Store(B, (j,), Load(t, (j,)), "S1"))
    partly = For(i, Const(1), n, Store(t, (i,), Const(1.0, float32), "S0"))
    a, b = arrays()
    run(Alloc(t, Block((partly, use))), a, b)
    assert np.isnan(b[0])
    assert b[1:].tolist() == [1.0] * 4
    with pytest.raises(RuntimeError, match=r"S1: reads T\[0\], which nothing has written"):
        run(Alloc(t, Block((partly, use))), a, b, check_uninitialised=True)
    out = Kernel("k", (Param(B, "out"), Param(n, "size")), Store(B, (Const(0),), Load(B, (Const(1),)), "S0"))
    with pytest.raises(RuntimeError, match=r"S0: reads B\[1\]"):
        interpret(out, b, 5, check_uninitialised=True)


@pytest.mark.parametrize("dtype", BUFFER_DTYPES, ids=str)
def test_temporaries_of_every_type(dtype) -> None:
    t, out = Buffer("T", (Const(2),), dtype), Buffer("O", (Const(2),), dtype)
    body = Alloc(
        t, Block((Store(t, (Const(0),), Const(1, dtype), "S0"), Store(out, (Const(1),), Load(t, (Const(0),)), "S1")))
    )
    result = np.zeros(2, dtype.numpy)
    interpret(Kernel("k", (Param(out, "out"),), body), result)
    assert result.astype(float).tolist() == [0.0, 1.0]


def test_threads_wait_at_barriers() -> None:
    """Reversal through shared memory: wrong unless every thread stores before any loads."""
    shared = Buffer("T", (n,), float32, "shared")
    own = Buffer("R", (), float32, "register")
    fill = Alloc(own, Block((Store(own, (), Load(A, (i,)), "S0"), Store(shared, (i,), Load(own, ()), "S1"))))
    body = Block((fill, Barrier("block"), Store(B, (i,), Load(shared, (n - 1 - i,)), "S2")))
    for order in ("forward", "reverse", "shuffle"):
        a, b = arrays(6)
        run(Alloc(shared, For(i, Const(0), n, body, "thread")), a, b, order=order)
        assert b.tolist() == a[::-1].tolist()
    lonely = For(i, Const(0), n, If(Binary("lt", i, Const(2)), Barrier("block")), "thread")
    with pytest.raises(RuntimeError, match="same barrier"):
        run(lonely, *arrays(6))


def test_deep_nests_and_large_shared_expressions() -> None:
    out = Buffer("O", (), int64)
    value = Load(out, ())
    for _ in range(60):
        value = Binary("add", value, value)
    body: Stmt = Store(out, (), Binary("add", Load(out, ()), Const(1, int64)), "S0")
    for k in range(40):
        body = For(Var(f"i{k}"), Const(0), Const(2 if k < 3 else 1), body)
    result = np.zeros((), np.int64)
    interpret(Kernel("k", (Param(out, "inout"),), Block((body, Store(out, (), value, "S1")))), result)
    assert int(result) == -(2**63)  # 8 instances, doubled 60 times, wrapped


def test_deep_expression() -> None:
    a, b = arrays()
    value: Expr = Load(A, (i,))
    for _ in range(2000):
        value = Binary("add", Const(1.0, float32), value)
    run(For(i, Const(0), n, Store(B, (i,), value, "S0")), a, b)
    assert (b == a + 2000).all()


def test_arguments_are_checked() -> None:
    a, b = arrays()
    k = Kernel("k", PARAMS, Block(()))
    with pytest.raises(TypeError, match="takes 3 arguments"):
        interpret(k, a, b)
    with pytest.raises(TypeError, match="expected float32, not float64"):
        interpret(k, a.astype(float), b, 5)
    with pytest.raises(TypeError, match="expected an ndarray"):
        interpret(k, [1.0], b, 5)
    with pytest.raises(ValueError, match=r"A: expected shape \(4,\), not \(5,\)"):
        interpret(k, a, b, 4)


def test_source_can_be_read() -> None:
    assert "for v" in python_source(Kernel("k", PARAMS, race()))


@pytest.mark.parametrize("seed", range(120))
def test_definitions_match_numpy(seed) -> None:
    program = random_te(np.random.default_rng(seed))
    kernel = lower_te(program.outputs, program.inputs)
    values = program.arrays(seed)
    args = [values.get(p.name, a) for p, a in zip(kernel.params, fresh_args(kernel, program.sizes))]
    interpret(kernel, *args, check_uninitialised=True)
    for got, reference in zip(written(kernel, args).values(), program.references):
        assert_close(got, reference(values), got.dtype, terms=4 * program.terms)


@pytest.mark.parametrize("seed", range(60))
def test_random_nests_stay_in_bounds_and_bounded(seed) -> None:
    program = random_script(np.random.default_rng(seed))
    args = fresh_args(program.kernel, program.sizes, seed)
    again = copy_args(args)
    interpret(program.kernel, *args)
    interpret(program.kernel, *again)
    for name, array in written(program.kernel, args).items():
        assert np.isfinite(array.astype(float)).all()
        np.testing.assert_array_equal(array, written(program.kernel, again)[name])


def test_bfloat16_arrays() -> None:
    x, y = Buffer("X", (n,), bfloat16), Buffer("Y", (n,), bfloat16)
    body = For(i, Const(0), n, Store(y, (i,), Load(x, (i,)) * 3.0, "S0"))
    given = np.linspace(-1, 1, 9).astype(ml_dtypes.bfloat16)
    got = np.zeros_like(given)
    interpret(Kernel("k", (Param(x, "in"), Param(y, "out"), Param(n, "size")), body), given, got, 9)
    np.testing.assert_array_equal(got, (given.astype(np.float32) * 3).astype(ml_dtypes.bfloat16))
