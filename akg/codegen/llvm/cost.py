"""How much work a loop is, to decide whether threads pay."""

from __future__ import annotations

from akg.ir.expr import Call, Const, Expr, binary
from akg.ir.rewrite import substitute, walk_expr
from akg.ir.simplify import simplify
from akg.ir.stmt import For, If, Stmt, Store, expressions, sub_statements

CALL_WEIGHT = 12  # a mathematical function that was not expanded, in simple operations
VECTOR_GAIN = 4  # lanes do not make memory faster, so less than their number


def work(stmt: Stmt) -> Expr:
    """The operations of a statement, as an index expression over enclosing variables; triangular loops by midpoint."""
    if isinstance(stmt, For):
        body = work(stmt.body)
        extent = simplify(stmt.end - stmt.begin)
        trips = binary("floordiv", extent + (stmt.step - 1), stmt.step)
        middle = binary("floordiv", stmt.begin + stmt.end, 2)
        total = trips * substitute(body, {stmt.var: middle})
        return simplify(binary("floordiv", total, VECTOR_GAIN) if stmt.kind == "vector" else total)
    if isinstance(stmt, Store):
        return Const(_nodes(stmt))
    total: Expr = Const(_nodes(stmt) if isinstance(stmt, If) else 0)
    for inner in sub_statements(stmt):
        total = total + work(inner)
    return total


def _nodes(stmt: Stmt) -> int:
    nodes = {node for e in expressions(stmt) for node in walk_expr(e)}
    return sum(CALL_WEIGHT if isinstance(node, Call) else 1 for node in nodes if not isinstance(node, Const))
