"""Loop IR of any schedule tree, by isl's generator (Grosser, Verdoolaege and Cohen 2015).

The direct generator (`akg.poly.astgen.scan`) serves rectangular bands; this one serves the rest: skewed, triangular
and shifted ones. Every member becomes a band of its own, so that a mark can carry its loop kind through the
generator, which may drop a loop of one iteration or split one in several. Tile members are generated
unscaled (``floor(row / T)``) over unshifted point loops: a fraction of the time of isl's own tiling.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from akg.base.errors import AkgError, InternalError
from akg.ir.expr import Binary, Const, Expr, Var, binary, select, unary
from akg.ir.rewrite import substitute, substitute_stmt
from akg.ir.simplify import simplify, simplify_stmt
from akg.ir.stmt import Block, For, If, LoopKind, Stmt, block
from akg.poly import isl
from akg.poly.domain import Model, member_value, model_of
from akg.poly.scop import CopyNames, Scop
from akg.poly.tree import Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence

BUDGET = 40_000_000  # isl operations, some ten seconds
_KINDS: dict[str, LoopKind] = {k: k for k in ("serial", "parallel", "vector", "unroll", "block", "thread")}  # pyright: ignore[reportAssignmentType]


def generate_with_isl(scop: Scop, tree: Domain, operations: int = BUDGET) -> Stmt:
    """The body of a kernel that runs `tree`; allocations of temporaries are left to the caller.

    Loops have fresh variables c0, c1, ... and, where isl finds strides, steps other than 1.

    Raises:
        AkgError: AKG-E330 if a loop's bounds depend on data (only the original order can be generated).
        isl.Unknown: if the budget of operations ran out.
    """
    model = model_of(scop, symbolic=False)
    for name in scop.statements:
        where = model.statement(name)
        if where.opaque_bounds:
            raise AkgError(
                "AKG-E330",
                f"the loops around {name} cannot be reordered",
                span=where.statement.store.span,
                because="their bounds depend on data or are not affine",
                hint='use strategy="original" for this kernel',
            )
    with isl.budget(operations):
        node = isl.schedule_root(model.statement(n).domain for n in tree.statements)
        node = _insert(model, node, tree.child, tree.statements, _has_kinds(tree.child))
        syntax = isl.generate_ast(node, model.context)
        return simplify_stmt(_Emitter(model).emit(syntax, {v.name: v for v in scop.sizes}, None))


def _has_kinds(node: Node) -> bool:
    if isinstance(node, Band):
        return any(m.kind != "serial" for m in node.members) or _has_kinds(node.child)
    if isinstance(node, Sequence):
        return any(_has_kinds(f.child) for f in node.children)
    return not isinstance(node, Leaf) and _has_kinds(node.child)


def _insert(model: Model, at: isl.ScheduleNode, node: Node, names: tuple[str, ...], marks: bool) -> isl.ScheduleNode:
    """Insert a subtree at a leaf of isl's tree; the same position, now the subtree's root."""
    if isinstance(node, Leaf):
        return at
    if isinstance(node, (Mark, Filter)):  # a filter below no sequence restricts nothing
        return _insert(model, at, node.child, names, marks)
    if isinstance(node, Band):
        depth = 0
        for member in node.members:
            at = isl.insert_member(at, [_row(model, name, member) for name in names])
            if marks:
                at = isl.insert_mark(at, member.kind).child(0)
                depth += 1
            at = at.child(0)
            depth += 1
        return _insert(model, at, node.child, names, marks).ancestor(depth)
    filters = [isl.union_set(isl.universe(model.statement(n).space) for n in f.statements) for f in node.children]
    at = isl.insert_sequence(at, filters)
    for k, child in enumerate(node.children):
        at = _insert(model, at.child(k).child(0), child.child, child.statements, marks).ancestor(2)
    return at


def _row(model: Model, name: str, member: Member) -> isl.Aff:
    row = member_value(model, name, member)
    if row is None:
        raise InternalError(f"a row of {name} is not over its iterators: {member.rows[name]}")
    return row


_BINARY: dict[str, str] = {
    "add": "add", "sub": "sub", "mul": "mul", "min": "min", "max": "max", "div": "floordiv", "fdiv_q": "floordiv",
    "pdiv_q": "floordiv", "pdiv_r": "mod", "zdiv_r": "mod", "and": "and", "and_then": "and", "or": "or",
    "or_else": "or", "eq": "eq", "le": "le", "lt": "lt", "ge": "ge", "gt": "gt",
}  # fmt: skip


@dataclass(slots=True)
class _Emitter:
    """Translates isl's syntax tree; `scope` maps names in isl's text to our variables."""

    model: Model
    counter: int = 0
    taken: set[str] = field(default_factory=set)
    names: CopyNames = field(init=False)

    def __post_init__(self) -> None:
        kernel = self.model.scop.kernel
        self.taken = {p.name for p in kernel.params} | {b.name for b in self.model.scop.temporaries}
        self.names = CopyNames(self.model.scop.statements)

    def emit(self, node: isl.AstNode, scope: dict[str, Expr], kind: LoopKind | None) -> Stmt:
        """The statement of a node; `kind` is that of the member whose loop comes next."""
        what = isl.node_kind(node)
        if what == "mark":
            return self.emit(node.mark_get_node(), scope, _KINDS[node.mark_get_id().get_name()])
        if what == "for":
            return self._loop(node, scope, kind)
        if what == "if":
            orelse = self.emit(node.if_get_else_node(), scope, kind) if node.if_has_else_node() else None
            return If(self.expr(node.if_get_cond(), scope), self.emit(node.if_get_then_node(), scope, kind), orelse)
        if what == "block":
            children = node.block_get_children()
            return block(*[self.emit(children.get_at(k), scope, kind) for k in range(children.n_ast_node())])
        return self._instance(node.user_get_expr(), scope)

    def _loop(self, node: isl.AstNode, scope: dict[str, Expr], kind: LoopKind | None) -> Stmt:
        name = isl.expr_parts(node.for_get_iterator())[1]
        begin = self.expr(node.for_get_init(), scope)
        if node.for_is_degenerate():
            return self.emit(node.for_get_body(), {**scope, str(name): begin}, None)
        var = self._fresh()
        inner = {**scope, str(name): var}
        _, op, (left, right) = isl.expr_parts(node.for_get_cond())
        bound = self.expr(right, inner)
        step = isl.expr_parts(node.for_get_inc())[1]
        if self.expr(left, inner) is not var or op not in ("le", "lt") or not isinstance(step, int):
            raise InternalError(f"isl's loop has an unusual form: {node}")
        end = _plus_one(bound) if op == "le" else bound
        if kind in ("unroll", "vector"):  # register tiles count from 0
            extent = simplify(end - begin)
            if isinstance(extent, Const):
                inner[str(name)], begin, end = begin + var, Const(0), extent
        loop = For(var, begin, end, Block(()), kind or "serial", step)
        if kind == "unroll" and loop.const_trips is None:
            kind = "serial"
        return For(var, loop.begin, loop.end, self.emit(node.for_get_body(), inner, None), kind or "serial", step)

    def _fresh(self) -> Var:
        while (name := f"c{self.counter}") in self.taken:
            self.counter += 1
        self.counter += 1
        return Var(name)

    def _instance(self, call: isl.AstExpr, scope: dict[str, Expr]) -> Stmt:
        _, _, (head, *arguments) = isl.expr_parts(call)
        where = self.model.statement(str(isl.expr_parts(head)[1]))
        values = {v: self.expr(e, scope) for v, e in zip(where.statement.iterators, arguments, strict=True)}
        store = where.statement.store
        result = substitute_stmt(replace(store, name=self.names.of(store.name)), values)
        for guard in reversed(where.opaque_guards):
            result = If(substitute(guard, values), result)
        return result

    def expr(self, expr: isl.AstExpr, scope: dict[str, Expr]) -> Expr:
        """An expression of isl's syntax tree over our variables."""
        kind, head, operands = isl.expr_parts(expr)
        if kind == "id":
            return scope[str(head)]
        if kind == "int":
            return Const(int(head))
        parts = [self.expr(o, scope) for o in operands]
        if head == "minus":
            return unary("neg", parts[0])
        if head in ("cond", "select"):
            return select(parts[0], parts[1], parts[2])
        op = _BINARY.get(str(head))
        if op is None:
            raise InternalError(f"isl's expression has an unknown operation {head}: {expr}")
        result = parts[0]
        for part in parts[1:]:  # min and max may have several operands
            result = binary(op, result, part)
        return result


def _plus_one(bound: Expr) -> Expr:
    """``bound + 1``, inside of minima and maxima."""
    if isinstance(bound, Binary) and bound.op in ("min", "max"):
        return binary(bound.op, _plus_one(bound.a), _plus_one(bound.b))
    return bound + 1
