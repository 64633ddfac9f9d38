"""Printing and parsing of loop IR."""

import math

import numpy as np
import pytest

from akg.base.dtype import BUFFER_DTYPES, bool_, dtype_of, float16, float32, int32, int64, uint8
from akg.base.errors import AkgError
from akg.ir.buffer import Buffer
from akg.ir.expr import BINARY_OPS, BITWISE, COMPARISONS, Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.functions import CALL_ARITY, FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.lower import lower_te
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Param, Prefetch, Stmt, Store
from akg.ir.text import parse_kernel, to_text
from tests.helpers import assert_same_program
from tests.strategies import random_script, random_te

n, i, j = Var("n"), Var("i"), Var("j")
A = Buffer("A", (n, Const(8)), float32)
B = Buffer("B", (n,), float32)


def kernel(body: Stmt, *more: Param) -> Kernel:
    return Kernel("k", (Param(A, "in"), Param(B, "inout"), Param(n, "size"), *more), body)


def round_trip(k: Kernel) -> str:
    text = to_text(k)
    again = parse_kernel(text)
    assert to_text(again) == text
    assert_same_program(k, again)
    return text


def value_text(value: Expr) -> str:
    """The text of a value in a kernel that has gone through the parser."""
    out = Buffer("Z", (), value.dtype if value.dtype.name != "index" else int64)
    stored = value if value.dtype is out.dtype else Cast(value, out.dtype)
    body = For(i, Const(0), n, For(j, Const(0), n, Store(out, (), stored, "S0")))
    text = round_trip(kernel(body, Param(out, "out"), Param(Var("s"), "scalar")))
    return text.rpartition("] = ")[2].strip()


def test_kernel_reads_like_python() -> None:
    body = For(i, Const(0), n, For(j, Const(0), Const(8), Store(
        B, (i,), Binary("add", Load(B, (i,)), Load(A, (i, j)) * 2.0), "S0", "sum")), "parallel")  # fmt: skip
    assert round_trip(kernel(body)) == (
        "kernel k(A: in float32[n, 8], B: inout float32[n], n: size):\n"
        "    parallel for i in [0, n):\n"
        "        for j in [0, 8):\n"
        "            S0 (sum): B[i] = B[i] + A[i, j] * 2.0f32\n"
    )


@pytest.mark.parametrize("dtype", BUFFER_DTYPES, ids=str)
def test_constants_of_every_type(dtype) -> None:
    values = {"bool": [True, False], "float": [0.1, -2.5, 0.0, -0.0, 1e30, 1e-30, math.inf, -math.inf, math.nan]}
    for value in values.get(dtype.kind, [0, 3, -3, 127]):
        text = value_text(Const(value, dtype))
        assert text.lstrip("-")[0].isalnum()


def test_index_constants_and_negations() -> None:
    assert value_text(Const(-3)) == "int64(-3)"
    assert value_text(Unary("neg", Const(3, int32))) == "-(3i32)"
    assert value_text(Unary("neg", Const(-3, int32))) == "-(-3i32)"
    assert value_text(Unary("neg", Unary("neg", Load(B, (i,))))) == "--B[i]"
    assert value_text(Binary("sub", Const(1, int32), Const(-2, int32))) == "1i32 - -2i32"


@pytest.mark.parametrize("op", sorted(BINARY_OPS))
def test_operators_nest_exactly(op) -> None:
    kind = int32 if op in BITWISE else float32
    x, y, z = Cast(i, kind), Cast(j, kind), Cast(n, kind)
    if op in COMPARISONS:
        value_text(Binary(op, Binary("lt", x, y), Binary(op, y, z)))
        return
    inner = Binary(op, x, y)
    for other in ("add", "mul", "sub", op):
        value_text(Binary(other, inner, z))
        value_text(Binary(other, z, inner))
        value_text(Unary("neg", Binary(other, z, inner)))


def test_precedence_is_that_of_python() -> None:
    condition = Binary("and", Binary("lt", i, j), Unary("not", Binary("eq", i, n)))
    assert value_text(condition) == "(i < j) & ~(i == n)"
    assert value_text(Cast((i + j) * 2 - (n - i), int64)) == "int64((i + j) * 2 - (n - i))"


@pytest.mark.parametrize("fn", sorted(FLOAT_CALLS | PREDICATE_CALLS))
def test_calls(fn) -> None:
    x = Load(B, (i,))
    value_text(Call(fn, (x,) * CALL_ARITY.get(fn, 1), bool_ if fn in PREDICATE_CALLS else float32))


def test_casts_selects_bits_and_abs() -> None:
    x = Load(B, (i,))
    assert value_text(Call("bitcast", (x,), int32)) == "bitcast.int32(B[i])"
    assert value_text(Cast(x, dtype_of("bfloat16"))) == "bfloat16(B[i])"
    assert value_text(Select(Binary("lt", i, j), x, Unary("abs", x))) == "select(i < j, B[i], abs(B[i]))"


def test_names_that_are_no_identifiers() -> None:
    odd, word = Buffer('a b"#', (n,), uint8), Buffer("True", (n,), uint8)
    loop = For(Var("in"), Const(0), n, Block((
        Store(word, (Var("in"),), Load(odd, (Var("in"),)), "for"),
        Store(word, (Var("in"),), Load(word, (Var("in"),)), "block"),
    )))  # fmt: skip
    assert '"for": "True"[in] = "a b\\"#"[in]' in round_trip(kernel(loop, Param(odd, "in"), Param(word, "out")))


def test_every_shape_of_block_survives() -> None:
    t = Buffer("T", (Const(4),), float32, "register")
    u = Buffer("U", (n, Const(2)), float16, "local")
    v, w = Buffer("V", (n,), float16, "shared"), Buffer("W", (), float16)
    store = [Store(B, (i,), Const(float(k), float32), f"S{k}") for k in range(6)]
    body = Block((
        Block(()), Block((store[0],)), Block((Block((store[1], Block(()))),)), Barrier("block"),
        If(Binary("lt", i, n), Block((store[2],)), Block(())),
        Prefetch(B, (i,), 1, writes=True), Prefetch(B, (i + 7,), 2),
        Alloc(t, Block((Barrier("kernel"), Alloc(u, store[3])))),
        If(Binary("lt", i, n), Alloc(v, Alloc(w, Block((store[4], Barrier("block"))))), store[5]),
    ))  # fmt: skip
    for kind in ("serial", "parallel", "vector", "unroll", "block", "thread"):
        round_trip(kernel(For(i, Const(-2), n - 1, body, kind, 3)))
    round_trip(kernel(Block(())))
    round_trip(kernel(Alloc(t, Block(()))))


def test_shared_parts_keep_the_text_linear() -> None:
    value: Expr = Load(B, (i,))
    for _ in range(60):
        value = Binary("mul", value, value)
    assert len(to_text(value)) < 5000
    text = round_trip(kernel(For(i, Const(0), n, Store(B, (i,), value, "S0"))))
    assert len(text) < 6000


@pytest.mark.parametrize("nest", [lambda e: Binary("add", Const(1.0, float32), e), lambda e: Call("exp", (e,), float32),
                                  lambda e: Binary("min", e, Const(1.0, float32))])  # fmt: skip
def test_deep_expressions_print(nest) -> None:
    value: Expr = Load(B, (i,))
    for _ in range(3000):
        value = nest(value)
    text = to_text(kernel(For(i, Const(0), n, Store(B, (i,), value, "S0"))))
    assert to_text(parse_kernel(text)) == text


def test_expression_with_temporaries_is_one_line() -> None:
    value: Expr = Load(B, (i,))
    for _ in range(12):
        value = Binary("mul", value, value)
    assert "\n" not in str(value)
    assert str(i + 1) == "i + 1"


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_survive(seed) -> None:
    round_trip(random_script(np.random.default_rng(seed)).kernel)
    program = random_te(np.random.default_rng(seed))
    round_trip(lower_te(program.outputs, program.inputs))


GOOD = "kernel k(B: inout float32[n], n: size):\n    for i in [0, n):\n        S0: B[i] = exp(B[i]) * 2.0f32\n"


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("exp(", "expp(", 3, 20, "unknown function 'expp'"),
        ("exp(", "fma(", 3, 20, "fma takes 3 operands, not 1"),
        ("2.0f32", "2.0f64", 3, 30, "the operands of '*' are float32 and float64"),
        ("2.0f32", "2.0f99", 3, 32, "unknown suffix 'f99'"),
        ("2.0f32", "$1", 3, 32, "$1 is not defined"),
        ("2.0f32", "?", 3, 32, "unexpected character '?'"),
        ("[0, n)", "[0, m)", 2, 18, "unknown variable 'm'"),
        ("[0, n)", "[0, n]", 2, 19, "expected ')', found ']'"),
        ("S0: B[i]", "S0: C[i]", 3, 13, "unknown buffer 'C'"),
        ("inout", "both", 1, 13, "unknown role 'both'"),
        ("* 2.0f32", "* 2.0f32 9", 3, 39, "unexpected '9'"),
        ("        S0", "S0", 2, 5, "expected an indented body"),
        ("float32[n]", "int32[n]", 3, 20, "B holds int32"),
    ],
)
def test_errors_say_where(old, new, line, column, message) -> None:
    with pytest.raises(AkgError) as caught:
        parse_kernel(GOOD.replace(old, new, 1))
    if "B holds" not in message:
        assert f"line {line}, column {column}: {message}" in str(caught.value)
    assert caught.value.code == "AKG-E210"


def test_empty_text_is_an_error() -> None:
    with pytest.raises(AkgError, match="no kernel"):
        parse_kernel("\n  # nothing\n")
