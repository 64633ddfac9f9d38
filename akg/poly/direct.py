"""Direct dependences: those with no write of the element in between (Feautrier 1991).

They are fewer than all pairs of instances that touch an element, and order the same: an earlier write of the element
stands before the last one by a dependence of its own. Sums of non-negative distances are non-negative, and zero only if
each is, so bands are permutable and loops parallel under the ones as under the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from akg.poly import isl
from akg.poly.dependence import BUDGET, Dependence, Kind, by_level, is_accumulation
from akg.poly.domain import Model, schedule_maps
from akg.poly.scop import Access, Statement


def direct_dependences(model: Model) -> list[Dependence]:
    """All direct dependences of a model's statements, cut by the loop that carries them.

    Raises:
        isl.Unknown: if the budget ran out.
    """
    found: list[Dependence] = []
    with isl.budget(BUDGET):
        for statement in model.scop.statements.values():
            for new in _into(model, statement):
                if not any(_same(new, old) for old in found):
                    found.append(new)
    return found


def _same(a: Dependence, b: Dependence) -> bool:
    return (a.source, a.sink) == (b.source, b.sink) and a.relation.plain_is_equal(b.relation)


def _into(model: Model, sink: Statement) -> Iterator[Dependence]:
    """Those whose later instances are of a statement."""
    order = schedule_maps(model, model.scop.tree)
    statements = list(model.scop.statements.values())
    for access in (*sink.reads, sink.write):
        writers = [s for s in statements if s.write.buffer is access.buffer]
        must = [model.access(s.name, s.write) for s in writers if model.is_exact(s.name, s.write)]
        may = [model.access(s.name, s.write) for s in writers if not model.is_exact(s.name, s.write)]
        if not writers:
            continue
        kind: Kind = "output" if access.is_write else "flow"
        own = [model.access(sink.name, access)]
        for relation in isl.last_writes(own, must, may, order):
            source = model.scop.statements[relation.get_tuple_name(isl.IN)]
            yield from _cut(model, kind, source, sink, relation, source.write, access)
        if not access.is_write:
            continue
        for source in statements:
            for read in source.reads:
                if read.buffer is access.buffer:
                    reading = [*may, model.access(source.name, read)]
                    for relation in isl.last_writes(own, must, reading, order):
                        if relation.get_tuple_name(isl.IN) == source.name:
                            yield from _cut(model, "anti", source, sink, relation, read, access)


def _cut(
    model: Model, kind: Kind, source: Statement, sink: Statement, relation: isl.Map, a: Access, b: Access
) -> Iterator[Dependence]:
    own = source is sink and a.indices == b.indices and is_accumulation(sink.store)
    for level, piece in by_level(model, relation, source, sink):
        yield Dependence(kind, source.name, sink.name, piece, a.buffer, level, own)
