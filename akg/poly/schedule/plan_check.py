"""Whether a plan fits a kernel: every statement, iterator and variable that it names must be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from akg.base.errors import AkgError
from akg.poly.plan import CostSpec, DimensionPlan, Directive, FusionPlan, Plan
from akg.poly.schedule.constraints import check_references, known_statement, parse_constraint


def fitted(plan: Plan, depths: Mapping[str, int], params: int) -> Plan:
    """The plan for a kernel, with its statements by their own names; what the kernel does not have is refused.

    Args:
        plan: of the strategy.
        depths: statement -> number of its loops.
        params: number of parameters of rows.

    Raises:
        AkgError: AKG-E305 for the first name that means nothing here.
    """
    for k, dimension in plan.dimensions.items():
        check_dimension(dimension, plan, depths, params, "the default dimension" if k < 0 else f"dimension {k}")
    fusion: dict[int, FusionPlan] = {}
    for k, one in plan.fusion.items():
        groups = [tuple([known_statement(n, list(depths), "stmts_fusion") for n in g]) for g in one.groups]
        fusion[k] = replace(one, groups=tuple(groups))
    directives: list[Directive] = []
    for directive in plan.directives:
        names: list[str] = []
        for name in directive.statements or ():
            names.append(known_statement(name, list(depths), f'the directive "{directive.kind}"'))
            for iterator in directive.iterators:
                _check_iterator(names[-1], iterator, depths[names[-1]], directive.kind)
        if directive.statements is None and not any(k < max(depths.values(), default=0) for k in directive.iterators):
            _check_iterator("*", min(directive.iterators, default=0), max(depths.values(), default=0), directive.kind)
        directives.append(directive if directive.statements is None else replace(directive, statements=tuple(names)))
    return replace(plan, fusion=fusion, directives=tuple(directives))


def check_dimension(plan: DimensionPlan, whole: Plan, depths: Mapping[str, int], params: int, where: str) -> None:
    """The same for one dimension, such as the answer of a call-back; `where` is for the message."""
    texts = [c.text for c in plan.constraints]
    texts += [f"{form} >= 0" for spec in plan.costs for form in _forms(spec)]
    check_references(texts, depths, params, whole.variables, where)


def _forms(spec: CostSpec) -> Iterable[str]:
    if isinstance(spec, str):
        return
    if "minimize" in spec:
        yield str(spec["minimize"])
    for _, inner in spec.get("weighted", ()):
        yield from _forms(inner)


def _check_iterator(name: str, iterator: int, depth: int, kind: str) -> None:
    if iterator >= depth:
        raise AkgError(
            "AKG-E305",
            f'the directive "{kind}" asks for iterator {iterator} of {name}',
            because=f"there are {depth} loops, counted from 0",
            hint="count the loops around the statement from the outermost, 0",
        )


def used_variables(plan: Plan) -> set[str]:
    """The extra variables that some cost or constraint speaks of."""
    found: set[str] = set()

    def of_cost(spec: CostSpec) -> None:
        if isinstance(spec, str):
            found.add(spec)
        for _, inner in spec.get("weighted", ()) if isinstance(spec, Mapping) else ():
            of_cost(inner)

    for dimension in plan.dimensions.values():
        texts = [c.text for c in dimension.constraints]
        for spec in dimension.costs:
            of_cost(spec)
            texts += [f"{form} >= 0" for form in _forms(spec)]
        forms = [form for t in texts for form in parse_constraint(t)]
        found.update(r.statement for form in forms for _, r in form.terms if r.kind == "variable")
    return found
