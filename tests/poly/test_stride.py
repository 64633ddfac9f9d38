"""Strides of accesses whose subscripts have quotients and remainders beside a loop's own term."""

from akg.ir import te
from akg.ir.buffer import Buffer
from akg.ir.expr import Const
from akg.poly.access import GATHER, stride
from akg.poly.scop import Access


def test_terms_of_other_loops_do_not_matter():
    b, k = te.var("b"), te.var("k")
    x = Buffer("x", (Const(1024), Const(256)), te.placeholder((1,), "float32").dtype, "global")
    access = Access(x, (b // 4 * 128 + k, b % 4 * 64 - k * 3), False)
    assert stride(access, k) == 256 - 3
    assert stride(access, b) == GATHER
