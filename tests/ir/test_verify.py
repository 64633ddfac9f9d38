"""Every rule of the verifier, broken once."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from akg.base.dtype import bfloat16, bool_, float32, index, int32, int64
from akg.base.errors import InternalError
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Call, Cast, Combiner, Const, Expr, Load, Reduce, Select, Unary, Var
from akg.ir.lower import lower_te
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Param, Prefetch, Stmt, Store
from akg.ir.verify import is_update, verify
from tests.strategies import random_script, random_te

n, i, j = Var("n"), Var("i"), Var("j")
A = Buffer("A", (n,), float32)
B = Buffer("B", (n, n), float32)
H = Buffer("H", (n,), bfloat16)
T = Buffer("T", (Const(4),), float32, "local")
PARAMS = (Param(A, "in"), Param(B, "out"), Param(H, "inout"), Param(Var("flag", bool_), "scalar"), Param(n, "size"))
x = Load(A, (i,))


def over_i(body: Stmt, kind: str = "serial") -> Stmt:
    return For(i, Const(0), n, body, kind)  # type: ignore[arg-type]


def put(value: Expr, name: str = "S0", indices: tuple[Expr, ...] = (i, i), reduction: str | None = None) -> Stmt:
    return Store(B, indices, value, name, reduction)


def raw(cls: type, **fields: object) -> Expr:
    """A node as a careless pass would leave it, past the constructor's checks."""
    node = object.__new__(cls)
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def test_a_good_kernel_passes() -> None:
    update = put(Binary("add", Load(B, (i, i)), x), reduction="sum")
    verify(Kernel("k", PARAMS, over_i(Alloc(T, Block((update, Store(T, (Const(0),), x, "S1")))))))


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_pass(seed) -> None:
    verify(random_script(np.random.default_rng(seed)).kernel)
    program = random_te(np.random.default_rng(seed))
    verify(lower_te(program.outputs, program.inputs))


sum_of = Combiner("sum", (Var("a"),), (Var("b"),), (Var("a") + Var("b"),), (Const(0),))
BROKEN: dict[str, Callable[[], Stmt]] = {
    "the name 'i' is declared twice": lambda: Block((over_i(put(x)), over_i(put(x, "S1")))),
    "the name 'A' is declared twice": lambda: Alloc(Buffer("A", (), float32), Block(())),
    "the name 'a-b' is not an identifier": lambda: Alloc(Buffer("a-b", (), float32), Block(())),
    "two stores are named 'S0'": lambda: over_i(Block((put(x), put(x)))),
    "the variable 'i' is not defined here": lambda: put(x),
    "the variable 'j' is not defined here": lambda: over_i(put(x, indices=(i, j))),
    "a load of T, which is not declared here": lambda: over_i(Block((Alloc(T, Block(())), put(Load(T, (Const(0),)))))),
    "a store to T, which is not declared here": lambda: Store(T, (Const(0),), Const(0.0, float32), "S0"),
    "a store to the input A": lambda: over_i(Store(A, (i,), x, "S0")),
    "1 subscripts for rank 2:": lambda: over_i(put(x, indices=(i,))),
    "2 subscripts for rank 1 in": lambda: over_i(put(Load(A, (i, i)))),
    "a subscript is int64, not index:": lambda: over_i(put(x, indices=(i, Cast(i, int64)))),
    "a subscript is int32, not index in": lambda: over_i(put(Load(A, (Cast(i, int32),)))),
    "a value of int32 is stored to float32": lambda: over_i(put(Const(1, int32))),
    "a bound is int32, not index": lambda: For(i, Const(0), Const(4, int32), put(x)),
    "a loop variable is int32, not index": lambda: For(Var("t", int32), Const(0), n, Block(())),
    "a step is not positive": lambda: For(i, Const(0), n, put(x), "serial", 0),
    "unknown kind of loop 'warp'": lambda: over_i(put(x), "warp"),
    "an unrolled loop has no constant trip count": lambda: over_i(put(x), "unroll"),
    "a parallel loop in a vector loop": lambda: over_i(For(j, Const(0), n, Block(()), "parallel"), "vector"),
    "a vector loop in a vector loop": lambda: over_i(
        Block((put(x), For(j, Const(0), n, Block(()), "vector"))), "vector"
    ),
    "a barrier in a vector loop": lambda: over_i(Barrier(), "vector"),
    "a prefetch to a cache of level 3": lambda: over_i(Prefetch(A, (i,), 3)),
    "a barrier of unknown scope 'world'": lambda: Barrier("world"),
    "a register buffer has a symbolic shape": lambda: Alloc(Buffer("R", (n,), float32, "register"), Block(())),
    "a shape depends on i, which is no size": lambda: over_i(Alloc(Buffer("R", (i,), float32), Block(()))),
    "a dimension is int32, not index": lambda: Alloc(Buffer("R", (Const(3, int32),), float32), Block(())),
    "a buffer of index": lambda: Alloc(Buffer("R", (n,), index), Block(())),
    "a condition is index, not bool:": lambda: over_i(If(i, put(x))),
    "a condition is index, not bool in": lambda: over_i(put(raw(Select, cond=i, a=x, b=x, dtype=float32))),
    "branches of float32 and int32": lambda: over_i(
        put(raw(Select, cond=Const(True, bool_), a=x, b=Const(1, int32), dtype=float32))
    ),
    "operands of float32 and int32": lambda: over_i(put(raw(Binary, op="add", a=x, b=Const(1, int32), dtype=float32))),
    "'add' on bool": lambda: over_i(If(Binary("add", Const(True, bool_), Var("flag", bool_)), put(x))),
    "'and' on float32": lambda: over_i(put(Binary("and", x, x))),
    "'div' on index": lambda: over_i(put(x, indices=(i, Binary("div", i, n)))),
    "'lt' on float32 gives float32": lambda: over_i(put(raw(Binary, op="lt", a=x, b=x, dtype=float32))),
    "bitwise 'not' on float32": lambda: over_i(put(Unary("not", x))),
    "'neg' on bool": lambda: over_i(If(Unary("neg", Var("flag", bool_)), put(x))),
    "2 operands for 'exp', which takes 1": lambda: over_i(put(Call("exp", (x, x), float32))),
    "'exp' on int32 gives float32": lambda: over_i(put(Call("exp", (Const(1, int32),), float32))),
    "'isnan' on int32 gives bool": lambda: over_i(If(Call("isnan", (Const(1, int32),), bool_), put(x))),
    "'bitcast' from int64 to float32": lambda: over_i(put(Call("bitcast", (Const(1, int64),), float32))),
    "a reduction of a definition": lambda: over_i(put(Reduce(sum_of, (x,), (Axis(j, Const(0), n, True),)))),
    "a reduction 'sum' is not of the form `add(B[i, i], term)`": lambda: over_i(
        put(Binary("add", x, Load(B, (i, i))), reduction="sum")
    ),
    "a reduction 'max' is not of the form": lambda: over_i(put(Binary("add", Load(B, (i, i)), x), reduction="max")),
    "a reduction 'mean' is not of the form `unknown`": lambda: over_i(put(x, reduction="mean")),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_rule(rule) -> None:
    with pytest.raises(InternalError, match=re.escape("k after 'tile': ") + ".*" + re.escape(rule)):
        verify(Kernel("k", PARAMS, BROKEN[rule]()), after="tile")


BAD_PARAMS = {
    "a buffer has the role 'size'": Param(Buffer("Z", (), float32), "size"),
    "a variable has the role 'in'": Param(Var("z"), "in"),
    "a size is int32, not index": Param(Var("z", int32), "size"),
    "the name 'n' is declared twice": Param(n, "size"),
    "a shape depends on z, which is no size": Param(Buffer("Z", (Var("z"),), float32), "in"),
}


@pytest.mark.parametrize("rule", BAD_PARAMS)
def test_broken_parameter(rule) -> None:
    with pytest.raises(InternalError, match=re.escape(rule)):
        verify(Kernel("k", (*PARAMS, BAD_PARAMS[rule]), Block(())))


def test_an_update_may_widen_a_16_bit_float() -> None:
    old = Load(H, (i,))
    wide = Cast(Binary("add", Cast(old, float32), x), bfloat16)
    assert is_update(Store(H, (i,), wide, "S0", "sum"))
    assert not is_update(Store(H, (i + 1,), wide, "S0", "sum"))
