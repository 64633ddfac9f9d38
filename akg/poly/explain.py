"""Schedules in words: what becomes of each loop, and which dependence keeps it from being parallel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from akg.ir.text import to_text
from akg.poly import isl
from akg.poly.dependence import Dependence, Open, left_open, open_dependences, within
from akg.poly.domain import Model, model_of
from akg.poly.scop import Scop
from akg.poly.tree import Band, Domain, Leaf, Member, Node, Sequence, statements_below
from akg.poly.witness import Witness, witness

WITNESSES = 3  # shown for each loop, one for a pair of statements and an array
CONCURRENT = frozenset({"parallel", "vector", "block", "thread"})


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """One loop of a schedule.

    Attributes:
        number: from 1, in the order of the tree.
        depth: loops around it.
        band: members of its permutable band if it is the first of several, else 0.
        witnesses: instances of dependences that forbid it to run in parallel, at concrete sizes.
        more: further dependences that do.
        reductions: statements whose accumulation it carries, the only obstacle if there are no witnesses.
    """

    number: int
    depth: int
    member: Member
    statements: tuple[str, ...]
    band: int
    witnesses: tuple[Witness, ...]
    more: int
    reductions: tuple[str, ...]

    @property
    def title(self) -> str:
        """The rows of the statements: ``t * 2 + i | t * 2 + j``, with the size of tiles."""
        return member_title(self.member, self.statements)

    @property
    def is_free(self) -> bool:
        """Whether no dependence forbids it to run in parallel."""
        return not self.witnesses and not self.more and not self.reductions

    @property
    def verdict(self) -> str:
        """How it runs: "parallel", "vector", "sequential", "unrolled" or "sequential, could be parallel"."""
        if self.member.kind == "serial":
            return "sequential, could be parallel" if self.is_free else "sequential"
        return {"unroll": "unrolled"}.get(self.member.kind, self.member.kind)

    @property
    def is_forbidden(self) -> bool:
        """Whether it runs in order because it must."""
        return self.member.kind not in CONCURRENT and not self.is_free

    @property
    def why(self) -> str:
        """The reason for the verdict in a few words."""
        if self.witnesses or self.more:
            return "carries dependences"
        if self.reductions:
            return f"carries only the reduction{'s' if len(self.reductions) > 1 else ''} {', '.join(self.reductions)}"
        return "carries no dependence"


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Statements at the end of a path, `depth` loops around them."""

    depth: int
    statements: tuple[str, ...]


def loops_of(scop: Scop, tree: Domain, dependences: Iterable[Dependence]) -> list[Loop | Body]:
    """Every loop of a schedule with what it carries, and the statements inside, in the order of the tree."""
    reader = _Reader(model_of(scop))
    reader.visit(tree.child, tree.statements, open_dependences(reader.model, dependences), 0)
    return reader.entries


def explain(scop: Scop, tree: Domain, dependences: Iterable[Dependence]) -> str:
    """A line for every loop of the schedule, and instances of the dependences that forbid parallelism."""
    return loops_text(scop.kernel.name, loops_of(scop, tree, dependences), {})


def loops_text(name: str, entries: Iterable[Loop | Body], advice: Mapping[int, str]) -> str:
    """The text of `explain`, with advice for loops by number."""
    entries = list(entries)
    loops = [e for e in entries if isinstance(e, Loop)]
    count = sum(len(e.statements) for e in entries if isinstance(e, Body))
    lines = [f"{name}: {_plural(count, 'statement')}, {_plural(len(loops), 'loop')}"]
    for entry in entries:
        pad = "  " * (entry.depth + 1)
        if isinstance(entry, Body):
            lines.append(f"{pad}{', '.join(entry.statements)}")
        else:
            lines.extend(f"{pad}{line}" for line in _loop_lines(entry, advice.get(entry.number, "")))
    return "\n".join(lines)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _loop_lines(loop: Loop, advice: str) -> list[str]:
    lines: list[str] = []
    if loop.band:
        lines.append(f"permutable band of {loop.band}: its loops may be interchanged and tiled")
    if loop.is_free:
        lines.append(f"loop {loop.title}: {loop.verdict}")
    else:
        lines.append(f"loop {loop.title}: {loop.verdict}, {loop.why}")
    lines.extend(f"    {w}" for w in loop.witnesses)
    if loop.more:
        lines.append(f"    and {loop.more} more")
    lines.extend(f"    {line}" for line in advice.splitlines())
    return lines


def member_title(member: Member, names: Iterable[str]) -> str:
    """The distinct rows of some statements, with the size of tiles."""
    rows = dict.fromkeys(to_text(member.rows[n].to_expr()) for n in names)
    waves = dict.fromkeys(to_text(other[n].to_expr()) for other in member.skew for n in names)
    title = " | ".join(rows)
    if not member.tile:
        return title
    return f"{title} in tiles of {member.tile}" + (f", plus tiles of {' | '.join(waves)}" if waves else "")


class _Reader:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.entries: list[Loop | Body] = []
        self.count = 0

    def visit(self, node: Node, names: tuple[str, ...], parts: list[Open], depth: int) -> None:
        if isinstance(node, Leaf):
            self.entries.append(Body(depth, names))
        elif isinstance(node, Sequence):
            for child in node.children:
                self.visit(child.child, child.statements, within(parts, child.statements), depth)
        elif isinstance(node, Band):
            first = len(node.members) if len(node.members) > 1 and node.permutable else 0
            for position, member in enumerate(node.members):
                self.entries.append(self.loop(member, names, parts, depth, 0 if position else first))
                parts = left_open(parts, (member,))
                depth += 1
            self.visit(node.child, names, parts, depth)
        else:
            self.visit(node.child, statements_below(node, names), parts, depth)

    def loop(self, member: Member, names: tuple[str, ...], parts: list[Open], depth: int, band: int) -> Loop:
        carried = self.carried(member, parts)
        reductions = tuple(sorted({d.sink for d, _ in carried if d.is_reduction}))
        found: dict[tuple[str, str, str], Witness] = {}
        others = [(d, part) for d, part in carried if not d.is_reduction]
        void = 0  # parts that are empty at the concrete sizes
        for dependence, part in others:
            key = (dependence.source, dependence.sink, dependence.buffer.name)
            if len(found) < WITNESSES and key not in found:
                one = witness(self.model, dependence, part)
                if one is None:
                    void += 1
                else:
                    found[key] = one
        self.count += 1
        rest = len(others) - void - len(found)
        return Loop(self.count, depth, member, names, band, tuple(found.values()), rest, reductions)

    def carried(self, member: Member, parts: list[Open]) -> list[tuple[Dependence, isl.Set]]:
        """The open dependences with a nonzero distance in a member, with that part of them."""
        result: list[tuple[Dependence, isl.Set]] = []
        for open_ in parts:
            dependence, part, d = open_.dependence, open_.part, open_.distance(member)
            zero = self.model.pair(dependence.source, dependence.sink).zero
            moved = isl.intersect(part, d.gt_basic_set(zero))
            if isl.is_empty(moved):
                moved = isl.intersect(part, d.lt_basic_set(zero))
            if not isl.is_empty(moved):
                result.append((dependence, moved))
        return result
