"""Index arithmetic on several values at once agrees with substitution and simplification of one at a time."""

import random

import numpy as np

from akg.base.dtype import bool_, float32, index
from akg.ir.buffer import Buffer
from akg.ir.evaluate import evaluate
from akg.ir.expr import Const, Expr, Load, Select, Var, binary, cast
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify

I, J = Var("i"), Var("j")
OPS = ("add", "sub", "mul", "floordiv", "mod", "min", "max")


def _random(rng: random.Random, depth: int) -> Expr:
    if depth == 0:
        return rng.choice([I, J, Const(rng.randint(-5, 9))])
    a, b = _random(rng, depth - 1), _random(rng, depth - 1)
    op = rng.choice([*OPS, "select", "cast"])
    if op == "select":
        return Select(_condition(a, b, rng), a, b)
    if op == "cast":
        return cast(_condition(a, b, rng), index) + cast(_condition(b, a, rng), index)
    if op in ("floordiv", "mod"):
        b = Const(rng.choice([-3, 1, 2, 7]))
    return binary(op, a, b)


def _condition(a: Expr, b: Expr, rng: random.Random) -> Expr:
    first = binary(rng.choice(["lt", "le", "eq", "ne", "gt", "ge"]), a, b)
    return binary(rng.choice(["and", "or"]), first, binary("lt", b, Const(3)))


def test_values_agree_with_substitution() -> None:
    rng = random.Random(7)
    decided = 0
    for number in range(200):
        expr = _random(rng, 3)
        i, j = np.arange(6), np.arange(6)[::-1] - 2
        found = evaluate(expr, {I: i, J: j})
        assert found is not None, (number, str(expr))
        for a, b, got in zip(i, j, np.broadcast_to(found, 6), strict=True):
            want = simplify(substitute(expr, {I: Const(int(a)), J: Const(int(b))}))
            if isinstance(want, Const):
                decided += 1
                assert int(want) == int(got), (number, str(expr), a, b)
    assert decided > 900


def test_what_has_no_value() -> None:
    table = Buffer("t", (Const(8),), index)
    wide = Buffer("x", (Const(8),), float32)
    values = {I: np.arange(4)}
    assert evaluate(I + J, values) is None
    assert evaluate(Load(table, (I,)), values) is None
    assert evaluate(binary("floordiv", Const(4), I), values) is None
    assert evaluate(cast(Load(wide, (I,)), index), values) is None
    assert evaluate(Const(True, bool_), values) is not None
