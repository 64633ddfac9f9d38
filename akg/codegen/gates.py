"""Products with the logistic function, as in SiLU and GELU, as one function of two arguments.

``a * sigmoid(x)`` is ``a / (1 + exp(-x))``: the division makes the product, too.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from akg.ir.expr import Binary, Call, Expr
from akg.ir.rewrite import rewrite, rewrite_stmt, walk_expr
from akg.ir.stmt import Kernel, expressions, walk


def gate_products(kernel: Kernel) -> Kernel:
    """`kernel` with a call of ``gated`` for each product that alone uses a logistic function."""
    nodes = {node for stmt in walk(kernel.body) for root in expressions(stmt) for node in walk_expr(root)}
    if not any(_is_sigmoid(node) for node in nodes):
        return kernel
    users = Counter(child for node in nodes for child in node.children)
    memo: dict[Expr, Expr] = {}

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Binary) or node.op != "mul":
            return None
        for a, gate in ((node.a, node.b), (node.b, node.a)):
            if isinstance(gate, Call) and _is_sigmoid(gate) and users[gate] == 1:
                return Call("gated", (a, *gate.args), node.dtype)
        return None

    return replace(kernel, body=rewrite_stmt(kernel.body, lambda _: None, lambda root: rewrite(root, rule, memo)))


def _is_sigmoid(node: Expr) -> bool:
    return isinstance(node, Call) and node.fn == "sigmoid"
