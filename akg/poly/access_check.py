"""Proofs about accesses before anything runs: subscripts stay inside their arrays, reads see written elements.

Interval arithmetic on affine subscripts settles the usual case in microseconds; isl decides the rest exactly.
What holds only for sizes from `LARGE` on is accepted with a note that names the sizes; what could not be
decided (data-dependent subscripts, budget) is accepted with a note too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from akg.base.errors import AkgError, Span
from akg.base.place import is_subscript, narrowed
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Var
from akg.ir.stmt import For
from akg.ir.text import to_text
from akg.poly import isl
from akg.poly.coverage import is_covered
from akg.poly.dependence import Dependence, is_accumulation
from akg.poly.domain import Model, conjuncts, model_of, schedule_maps
from akg.poly.scop import Access, Scop, Statement
from akg.poly.witness import Instance, instance, smallest

BUDGET = 2_000_000  # isl operations for each check, about half a second
LARGE = 16  # a violation that needs a size below this is a note, not an error


def check_accesses(scop: Scop) -> list[str]:
    """Prove every access inside its buffer's shape; the notes on what holds for large sizes only, or is unknown.

    Raises:
        AkgError: AKG-E260 with an instance that reads or writes out of bounds.
    """
    notes: list[str] = []
    for statement in scop.statements.values():
        bounds: dict[Var, tuple[Affine | None, Affine | None]] | None = None
        ends = {loop.var: loop for loop in statement.loops}
        for access in statement.accesses:
            for position, (index, size) in enumerate(zip(access.indices, access.buffer.shape, strict=True)):
                if isinstance(index, Var) and index in ends and _spans(ends[index], size):
                    continue
                if bounds is None:
                    bounds = _bounds(statement.loops)
                if not _inside(index, size, bounds):
                    _prove_inside(scop, statement, access, position, notes)
    return notes


def _spans(loop: For, size: Expr) -> bool:
    return loop.end is size and isinstance(loop.begin, Const) and int(loop.begin) >= 0


# --- intervals ---------------------------------------------------------------------------------------


def _bounds(loops: Iterable[For]) -> dict[Var, tuple[Affine | None, Affine | None]]:
    """Least and greatest value of every loop variable over the sizes alone, None if not affine."""
    result: dict[Var, tuple[Affine | None, Affine | None]] = {}
    for loop in loops:
        begin, end = Affine.of(loop.begin), Affine.of(loop.end)
        low = None if begin is None else _extreme(begin, result, False)
        high = None if end is None else _extreme(end + -1, result, True)
        result[loop.var] = (low, high)
    return result


def _extreme(form: Affine, bounds: dict[Var, tuple[Affine | None, Affine | None]], greatest: bool) -> Affine | None:
    result = Affine(None, form.const)
    for v, c in form.terms.items():
        if v not in bounds:
            result = result + Affine({v: c})
            continue
        bound = bounds[v][(c > 0) == greatest]
        if bound is None:
            return None
        result = result + bound * c
    return result


def _inside(index: Expr, size: Expr, bounds: dict[Var, tuple[Affine | None, Affine | None]]) -> bool:
    form, extent = Affine.of(index), Affine.of(size)
    if form is None or extent is None:
        return False
    low, high = _extreme(form, bounds, False), _extreme(form, bounds, True)
    return low is not None and high is not None and _nonnegative(low) and _nonnegative(extent - high + -1)


def _nonnegative(form: Affine) -> bool:
    return form.const >= 0 and all(c > 0 for c in form.terms.values())


# --- exact -------------------------------------------------------------------------------------------


def _prove_inside(scop: Scop, statement: Statement, access: Access, position: int, notes: list[str]) -> None:
    model = model_of(scop, symbolic=False)
    where = model.statement(statement.name)
    verb = "writes" if access.is_write else "reads"
    index, size = access.indices[position], access.buffer.shape[position]
    value, extent = model.affine(where, index), model.affine(where, size)
    what = f"{statement.name} {verb} {access.buffer.name}[{', '.join(map(to_text, access.indices))}]"
    if value is None or extent is None or where.opaque_bounds:
        notes.append(f"{what}: not proved to stay inside its shape, as it depends on data")
        return
    try:
        with isl.budget(BUDGET):
            x, y = isl.pw(value), isl.pw(extent)
            outside = x.ge_set(y).union(x.lt_set(isl.pw(where.zero))).intersect(where.domain)
            exact = where.exact
            for condition in conjuncts(access.conditions):
                holds = model.condition(where, condition)
                exact = exact and holds is not None
                outside = outside if holds is None else outside.intersect(holds)
            if isl.is_empty(outside):
                return
            found = smallest(model, _large(model, outside))
            if found is None or not exact:
                notes.append(_note(model, statement, what, outside, exact))
                return
            sizes, point = found
            index_at = _value_at(model, where.space, value, point, sizes)
            size_at = _value_at(model, where.space, extent, point, sizes)
    except isl.Unknown:
        notes.append(f"{what}: not proved to stay inside its shape within the budget")
        return
    raise _out_of_bounds(statement, access, position, instance(statement, point), sizes, index_at, size_at)


def _large(model: Model, points: isl.Set) -> isl.Set:
    for k in model.sizes.values():
        points = points.lower_bound_val(isl.PARAM, k, isl.val(LARGE))
    return points


def _note(model: Model, statement: Statement, what: str, outside: isl.Set, exact: bool) -> str:
    if not exact:
        return f"{what}: not proved to stay inside its shape, as a condition around it depends on data"
    found = smallest(model, outside)
    assert found is not None
    sizes = ", ".join(f"{n} = {v}" for n, v in found[0].items())
    return f"{what} out of bounds at small sizes: {_at(instance(statement, found[1]))} with {sizes}"


def _value_at(
    model: Model, space: isl.Space, value: isl.Aff | isl.PwAff, point: list[int], sizes: dict[str, int]
) -> int:
    """A function at one instance."""
    here = isl.universe(space)
    for k, x in enumerate(point):
        here = here.fix_val(isl.SET, k, isl.val(x))
    for v, k in model.sizes.items():
        here = here.fix_val(isl.PARAM, k, isl.val(sizes[v.name]))
    found = isl.sample(isl.graph(isl.pw(value)).intersect_domain(here).range())
    assert found is not None
    return found[1][0]


def _at(where: Instance) -> str:
    if not where.values:
        return where.statement
    return f"{where.statement} at {', '.join(f'{n} = {v}' for n, v in where.values)}"


def _out_of_bounds(
    statement: Statement, access: Access, position: int, where: Instance, sizes: dict[str, int], index: int, size: int
) -> AkgError:
    verb = "write" if access.is_write else "read"
    subscript = [to_text(i) for i in access.indices]
    subscript[position] = str(index)
    with_sizes = f" (with {', '.join(f'{n} = {v}' for n, v in sizes.items())})" if sizes else ""
    return AkgError(
        "AKG-E260",
        f"{verb} out of bounds of {access.buffer.name}",
        span=_place(statement, access),
        because=f"{_at(where)} {verb}s {access.buffer.name}[{', '.join(subscript)}], "
        f"the size of dimension {position} is {size}{with_sizes}",
        hint="shrink the loop, or guard the access with a condition",
    )


def _place(statement: Statement, access: Access) -> Span | None:
    """The access in the user's text, as far as the statement's text tells it."""
    name, subscript = access.buffer.name, ", ".join(map(to_text, access.indices))
    return narrowed(
        statement.store.span,
        is_subscript(name, subscript, access.is_write),
        is_subscript("", subscript, access.is_write),
        is_subscript(name, "", access.is_write),
    )


# --- initialised reads -------------------------------------------------------------------------------


def check_initialised(scop: Scop) -> list[str]:
    """Prove that temporaries and outputs are written before they are read; notes as in `check_accesses`.

    Raises:
        AkgError: AKG-E261 with an instance that reads an element that nothing has written.
    """
    fresh = {p.value for p in scop.kernel.params if p.role == "out" and isinstance(p.value, Buffer)}
    fresh.update(scop.temporaries)
    open_reads: dict[Buffer, list[tuple[Statement, Access]]] = {}
    statements = list(scop.statements.values())
    for position, statement in enumerate(statements):
        for access in statement.reads:
            if access.buffer in fresh and not is_covered(statements[:position], statement, access):
                open_reads.setdefault(access.buffer, []).append((statement, access))
    notes: list[str] = []
    for buffer, reads in open_reads.items():
        _prove_written(scop, buffer, reads, notes)
    return notes


def _prove_written(scop: Scop, buffer: Buffer, reads: list[tuple[Statement, Access]], notes: list[str]) -> None:
    model = model_of(scop, symbolic=False)
    writes = [
        model.access(s.name, s.write)
        for s in scop.statements.values()
        if s.write.buffer is buffer and model.is_exact(s.name, s.write)
    ]
    try:
        with isl.budget(BUDGET):
            order = schedule_maps(model, scop.tree)
            for statement, access in reads:
                relation = model.access(statement.name, access)
                for part in isl.unwritten([relation], writes, order):
                    _report_unwritten(model, statement, access, part.domain(), notes)
    except isl.Unknown:
        notes.append(f"reads of {buffer.name}: not proved to be written before within the budget")


def _report_unwritten(model: Model, statement: Statement, access: Access, missing: isl.Set, notes: list[str]) -> None:
    what = f"{statement.name} reads {access.buffer.name}[{', '.join(map(to_text, access.indices))}]"
    all_exact = model.is_exact(statement.name, access) and all(
        model.is_exact(s.name, s.write) for s in model.scop.statements.values() if s.write.buffer is access.buffer
    )
    if not all_exact:
        notes.append(f"{what}: not proved to be written before, as it depends on data")
        return
    found = smallest(model, _large(model, missing))
    if found is None:
        small = smallest(model, missing)
        if small is not None:
            sizes = ", ".join(f"{n} = {v}" for n, v in small[0].items())
            notes.append(
                f"{what} before it is written at small sizes: {_at(instance(statement, small[1]))} with {sizes}"
            )
        return
    sizes, point = found
    with_sizes = f" (with {', '.join(f'{n} = {v}' for n, v in sizes.items())})" if sizes else ""
    raise AkgError(
        "AKG-E261",
        f"{access.buffer.name} is read before it is written",
        span=_place(statement, access),
        because=f"{_at(instance(statement, point))} reads an element that nothing has written before{with_sizes}",
        hint=f"initialise {access.buffer.name} first",
    )


def flow_dependences(scop: Scop) -> Iterator[Dependence]:
    """Value-based flow: from the last instance that wrote an element to the reads of that value.

    Raises:
        isl.Unknown: if the budget ran out.
    """
    model = model_of(scop)
    order = schedule_maps(model, scop.tree)
    statements = scop.statements
    for statement in statements.values():
        for access in statement.reads:
            writers = [s for s in statements.values() if s.write.buffer is access.buffer]
            must = [model.access(s.name, s.write) for s in writers if model.is_exact(s.name, s.write)]
            may = [model.access(s.name, s.write) for s in writers if not model.is_exact(s.name, s.write)]
            if not writers:
                continue
            with isl.budget(BUDGET):
                found = isl.last_writes([model.access(statement.name, access)], must, may, order)
            for relation in found:
                source = relation.get_tuple_name(isl.IN)
                own = source == statement.name and access.indices == statement.write.indices
                yield Dependence(
                    "flow", source, statement.name, relation, access.buffer, -1,
                    own and is_accumulation(statement.store),
                )  # fmt: skip
