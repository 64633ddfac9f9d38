"""What became of the loops that a strategy asks for, once a schedule is mapped to a machine."""

from __future__ import annotations

from collections.abc import Sequence

from akg.base.errors import AkgError
from akg.poly.plan import Directive
from akg.poly.schedule.constraints import Reference, statement_of
from akg.poly.tree import Asked, Domain, Member, paths

_KIND: dict[Asked, str] = {"parallel": "parallel", "vectorize": "vector"}


def report_unmet(schedule: Domain, mapped: Domain, directives: Sequence[Directive]) -> list[str]:
    """The loops that the schedule kept for directives and that the mapping made something else of, a line each.

    One parallel loop of a statement is enough: further ones inside it stay serial.

    Raises:
        AkgError: AKG-E306 if such a directive is strict.
    """
    lines: list[str] = []
    after = paths(mapped)
    for name, steps in paths(schedule).items():
        became = [(m.kind, str(m.rows[name])) for s in after[name] if (m := s.member) is not None]
        for asked, kind in _KIND.items():
            members = [m for s in steps if (m := s.member) is not None and m.directive == asked]
            rows = [str(m.rows[name]) for m in members]
            if not rows or any((kind, row) in became for row in rows):
                continue
            text = f'the directive "{asked}" of loop {" and ".join(rows)} of {name}'
            if any(d.strict and d.kind == asked and _names(d, name, schedule.statements) for d in directives):
                raise AkgError("AKG-E306", f"{text} cannot hold", because=_why(asked, members),
                               hint='leave "strict" away, or ask for another loop')  # fmt: skip
            lines.append(f"dropped {text}: {_why(asked, members)}")
    return lines


def _names(directive: Directive, name: str, names: Sequence[str]) -> bool:
    given = directive.statements
    return given is None or any(statement_of(Reference(n, "it"), names) == name for n in given)


def _why(asked: Asked, members: Sequence[Member]) -> str:
    if not any(m.coincident or m.reduction for m in members):
        return "it carries a dependence"
    if asked == "parallel":
        return "a loop around it is parallel already, or it has one iteration"
    return "other loops run inside it, or its statements take no lanes"
