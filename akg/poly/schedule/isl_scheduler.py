"""The strategy `isl`: isl's own scheduler (Verdoolaege and Janssens 2017, a variant of Pluto and Feautrier)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from akg.ir.affine import Affine
from akg.ir.expr import Var
from akg.poly import isl
from akg.poly.dependence import Dependence
from akg.poly.domain import Model, model_of
from akg.poly.scop import Scop
from akg.poly.tree import LEAF, Band, Domain, Filter, Mark, Member, Node, Sequence

BUDGET = 20_000_000  # isl operations, some five seconds
MANY = 64  # dependences; from here on a pivot of the linear program costs more, with the square of their number
DEFAULTS: dict[str, int] = {
    "outer_coincidence": 1,
    "maximize_band_depth": 0,
    "maximize_coincidence": 1,
    "serialize_sccs": 0,
    "whole_component": 0,
    "split_scaled": 1,
    "treat_coalescing": 1,
}



class NoScheduleError(Exception):
    """A scheduler has no answer that a schedule tree of ours can hold; the text says why."""


def schedule_isl(
    scop: Scop,
    dependences: Iterable[Dependence],
    options: Mapping[str, int] | None = None,
    relax_reductions: bool = True,
    operations: int = BUDGET,
) -> Domain:
    """A schedule tree by isl's scheduler; large constants are symbolic while it runs.

    `options` override `DEFAULTS` (names of isl's ``schedule_*`` options). With `relax_reductions` a reduction's
    update need not keep its order, but still hinders parallel loops.

    Raises:
        isl.Unknown: if the budget of operations ran out.
        NoScheduleError: if isl's schedule has piecewise or quasi-affine rows.
    """
    model = model_of(scop)
    listed = list(dependences)
    ordered = [d.relation for d in listed if not (d.is_reduction and relax_reductions)]
    everything = [d.relation for d in listed]
    near = [d.relation for d in listed if d.kind == "flow"]
    with isl.budget(int(operations / max(1.0, len(listed) / MANY) ** 2)):
        names = tuple([n for n in scop.statements if not isl.is_empty(model.statement(n).domain)])
        dead = [n for n in scop.statements if n not in names]
        if not names:
            return scop.tree
        domains = [model.statement(name).domain for name in names]
        root = isl.compute_schedule(domains, model.context, ordered, everything, near, {**DEFAULTS, **(options or {})})
        node = _node(model, root.child(0), names)
    if dead:  # isl leaves out statements without instances; a tree has every statement
        node = _flat([Filter(names, node), *[Filter((n,), _own_loops(scop, n)) for n in dead]])
    return Domain(tuple(scop.statements), node)


def _flat(children: list[Filter]) -> Sequence:
    """A sequence with sequences directly inside it taken apart."""
    flat: list[Filter] = []
    for child in children:
        flat.extend(child.child.children if isinstance(child.child, Sequence) else (child,))
    return Sequence(tuple(flat))


def _own_loops(scop: Scop, name: str) -> Node:
    members = tuple([Member({name: Affine.var(v)}) for v in scop.statements[name].iterators])
    return Band(members, False, LEAF) if members else LEAF


def _node(model: Model, node: isl.ScheduleNode, names: tuple[str, ...]) -> Node:
    kind = isl.schedule_kind(node)
    if kind == "leaf":
        return LEAF
    if kind == "band":
        return _band(model, node, names)
    if kind in ("sequence", "set"):  # the children of a set may run in any order: the textual one will do
        order = {n: k for k, n in enumerate(model.scop.statements)}
        children: list[Filter] = []
        for k in range(node.n_children()):
            child = node.child(k)
            below = tuple(sorted(isl.filter_names(child), key=order.__getitem__))
            children.append(Filter(below, _node(model, child.child(0), below)))
        if kind == "set":
            children.sort(key=lambda f: order[f.statements[0]])
        return _flat(children)
    if kind == "mark":
        return Mark(node.mark_get_id().get_name(), _node(model, node.child(0), names))
    if kind in ("context", "guard"):
        return _node(model, node.child(0), names)
    raise NoScheduleError(f"isl's schedule has a {kind} node")


def _band(model: Model, node: isl.ScheduleNode, names: tuple[str, ...]) -> Node:
    members: list[Member] = []
    for k, rows in enumerate(isl.band_rows(node)):
        forms = {name: _form(model, name, rows[name]) for name in names if name in rows}
        if len(forms) != len(names):
            raise NoScheduleError(f"isl's band has no row for some of {', '.join(names)}")
        if any(row.terms for row in forms.values()) or len({row.const for row in forms.values()}) > 1:
            members.append(Member(forms, coincident=bool(node.band_member_get_coincident(k))))
    child = _node(model, node.child(0), names)
    return Band(tuple(members), bool(node.band_get_permutable()), child) if members else child


def _form(model: Model, name: str, row: isl.Aff) -> Affine:
    """A row over a statement's iterators and the sizes; symbolic constants become numbers again."""
    parts = isl.coefficients(row)
    if parts is None:
        raise NoScheduleError(f"isl's schedule has a quasi-affine row: {row}")
    dims, params, const = parts
    terms: dict[Var, int] = dict(zip(model.scop.statements[name].iterators, dims, strict=True))
    for v, k in model.sizes.items():
        terms[v] = params[k]
    return Affine(terms, const + sum(params[k] * value for k, value in model.values.items()))
