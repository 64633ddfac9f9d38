"""Schedules in words: what becomes of each loop, and which dependence keeps it from being parallel."""

from __future__ import annotations

from collections.abc import Iterable

from akg.ir.text import to_text
from akg.poly import isl
from akg.poly.dependence import Dependence, Open, distance, left_open, open_dependences, within
from akg.poly.domain import Model, model_of
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Leaf, Member, Node, Sequence, statements_below
from akg.poly.witness import Witness, witness


def explain(scop: Scop, tree: Domain, dependences: Iterable[Dependence]) -> str:
    """One line for every loop of the schedule, with the dependence that forbids parallelism and an instance of it."""
    model = model_of(scop)
    lines = [f"{scop.kernel.name}: {len(tree.statements)} statements"]
    _explain(model, tree.child, tree.statements, open_dependences(dependences), 1, lines)
    return "\n".join(lines)


def _explain(model: Model, node: Node, names: tuple[str, ...], parts: list[Open], depth: int, lines: list[str]) -> None:
    pad = "  " * depth
    if isinstance(node, Leaf):
        lines.append(f"{pad}{', '.join(names)}")
    elif isinstance(node, Sequence):
        for child in node.children:
            _explain(model, child.child, child.statements, within(parts, child.statements), depth, lines)
    elif isinstance(node, Band):
        if len(node.members) > 1 and node.permutable:
            lines.append(f"{pad}permutable band of {len(node.members)}: its loops may be interchanged and tiled")
        for member in node.members:
            lines.extend(f"{pad}{line}" for line in _member(model, member, names, parts))
            parts = left_open(model, parts, (member,))
            depth, pad = depth + 1, pad + "  "
        _explain(model, node.child, names, parts, depth, lines)
    else:
        _explain(model, node.child, statements_below(node, names), parts, depth, lines)


def _member(model: Model, member: Member, names: tuple[str, ...], parts: list[Open]) -> list[str]:
    head = f"loop {_title(member, names)}: "
    others = [w for d in _carried(model, member, parts) if not d[0].is_reduction for w in (witness(model, *d),) if w]
    reductions = sorted({d[0].sink for d in _carried(model, member, parts) if d[0].is_reduction})
    if not others and not reductions:
        return [head + (member.kind if member.kind != "serial" else "may run in parallel, runs in order")]
    how = "in order" if member.kind == "serial" else member.kind
    if not others:
        reason = f"carries only the reduction{'s' if len(reductions) > 1 else ''} {', '.join(reductions)}"
        return [f"{head}{how}, {reason}"]
    return [f"{head}{how}, carries", *[f"    {w}" for w in _distinct(others)]]


def _carried(model: Model, member: Member, parts: list[Open]) -> list[tuple[Dependence, isl.Set]]:
    """The open dependences with a nonzero distance in a member, with that part of them."""
    result: list[tuple[Dependence, isl.Set]] = []
    for dependence, part in parts:
        d = distance(model, dependence, member)
        zero = model.pair(dependence.source, dependence.sink).zero
        moved = isl.intersect(part, d.gt_basic_set(zero))
        if isl.is_empty(moved):
            moved = isl.intersect(part, d.lt_basic_set(zero))
        if not isl.is_empty(moved):
            result.append((dependence, moved))
    return result


def _distinct(found: list[Witness], limit: int = 3) -> list[str]:
    """One witness per pair of statements and array, at most `limit`, and how many more there are."""
    kept: dict[tuple[str, str, str], str] = {}
    for w in found:
        kept.setdefault((w.source.statement, w.sink.statement, w.buffer), str(w))
    texts = list(kept.values())
    rest = len(found) - min(len(texts), limit)
    return texts[:limit] + ([f"and {rest} more"] if rest else [])


def _title(member: Member, names: tuple[str, ...]) -> str:
    rows: dict[str, None] = {to_text(member.rows[n].to_expr()): None for n in names}
    title = " | ".join(rows)
    return f"{title} in tiles of {member.tile}" if member.tile else title
