"""Constraints on the coefficients of a dimension, as text.

    constraint := form ("<=" | ">=" | "=") form | "no-skewing" | "no-reversal" | "no-parameter-shift" | "no-shift"
    form       := ["-"] term (("+" | "-") term)*          term := integer | [integer "*"] variable
    variable   := statement "_it_" (integer | "i") | statement "_par_" (integer | "i") | statement "_cst" | name

A statement is its name, "S" or "S_" with its place in the text, or "Si" for every statement; an index "i" stands for
every iterator (or parameter), from 0, outermost first. A name is an extra variable of the strategy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from akg.base.errors import AkgError, suggest
from akg.poly.schedule.ilp.rows import Matrix
from akg.poly.schedule.unknowns import Unknowns

EVERY = "i"
_TERM = re.compile(r"\s*(?:(\d+)\s*(?:\*\s*)?)?([A-Za-z_][A-Za-z_0-9]*)?\s*")
_REFERENCE = re.compile(r"(.+?)_(?:(it|par)_(\d+|i)|cst)$")


@dataclass(frozen=True, slots=True)
class Reference:
    """A coefficient: of a statement (EVERY: of each), of a kind "it", "par" or "cst"; or an extra variable."""

    statement: str
    kind: str
    index: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A sum of multiples of references and a constant."""

    terms: tuple[tuple[int, Reference], ...]
    const: int


@lru_cache(maxsize=512)
def parse_form(text: str) -> Form:
    """A linear form.

    Raises:
        AkgError: AKG-E302 with the place of the first mistake.
    """
    terms: list[tuple[int, Reference]] = []
    const, position = 0, 0
    while True:
        sign = 1
        space = len(text[position:]) - len(text[position:].lstrip())
        position += space
        if position < len(text) and text[position] in "+-":
            sign = -1 if text[position] == "-" else 1
            position += 1
        elif terms or const or position > space:
            raise _bad(text, position, "+ or - expected")
        match = _TERM.match(text, position)
        assert match is not None
        number, name = match.groups()
        if number is None and name is None:
            raise _bad(text, position, "a number or a variable expected")
        value = sign * int(number or 1)
        if name is None:
            const += value
        else:
            terms.append((value, _reference(name)))
        position = match.end()
        if position >= len(text):
            return Form(tuple(terms), const)


def _bad(text: str, position: int, why: str) -> AkgError:
    return AkgError(
        "AKG-E302", f"cannot read {text!r}", because=f"column {position + 1}: {why}",
        hint="for example: S0_it_1 >= 1, Si_it_i <= 1, S1_cst = 0",
    )  # fmt: skip


def _reference(name: str) -> Reference:
    match = _REFERENCE.match(name)
    if match is None:
        return Reference(name, "variable")
    statement, kind, index = match.groups()
    return Reference(EVERY if statement == "Si" else statement, kind or "cst", index or "")


NAMED: tuple[str, ...] = ("no-skewing", "no-reversal", "no-parameter-shift", "no-shift")


@lru_cache(maxsize=512)
def parse_constraint(text: str) -> tuple[Form, ...]:
    """The forms that must be at least zero; a named constraint has none (see `constraint_rows`).

    Raises:
        AkgError: AKG-E302 with the place of the first mistake.
    """
    if text in NAMED:
        return ()
    match = re.search(r"<=|>=|==|=", text)
    if match is None:
        names = ", ".join(NAMED)
        raise AkgError(
            "AKG-E302", f"{text!r} is no constraint", because=f"it has no <=, >= or =, and is none of {names}",
            hint=suggest(text, NAMED, "constraints"),
        )  # fmt: skip
    left, right = parse_form(text[: match.start()]), parse_form(text[match.end() :])
    above, below = _minus(left, right), _minus(right, left)
    return {">=": (above,), "<=": (below,)}.get(match.group(), (above, below))


def _minus(a: Form, b: Form) -> Form:
    return Form((*a.terms, *[(-c, r) for c, r in b.terms]), a.const - b.const)


def references_of(text: str) -> list[Reference]:
    """Every reference of a constraint."""
    return [r for form in parse_constraint(text) for _, r in form.terms]


def statement_of(reference: Reference, names: Sequence[str]) -> str | None:
    """The statement that a reference means, None for no such one."""
    if reference.statement in names:
        return reference.statement
    match = re.fullmatch(r"S_?(\d+)", reference.statement)
    return names[int(match.group(1))] if match and int(match.group(1)) < len(names) else None


def known_statement(name: str, names: Sequence[str], where: str) -> str:
    """The statement of a kernel that a name in a strategy means.

    Raises:
        AkgError: AKG-E305 if there is none; `where` is for the message.
    """
    found = None if name == EVERY else statement_of(Reference(name, "it"), names)
    if found is None:
        raise AkgError(
            "AKG-E305", f"{where} speaks of statement {name!r}, which this kernel does not have",
            because=f"it has {', '.join(names)}", hint=suggest(name, names, "statements"),
        )  # fmt: skip
    return found


def constraint_rows(text: str, unknowns: Unknowns) -> list[Matrix]:
    """The inequalities of a constraint, each [count + 1]; none where it speaks of statements that are not here."""
    if text in NAMED:
        return _named_rows(text, unknowns)
    return [row for form in parse_constraint(text) for row in linear_rows(form, unknowns)]


def linear_rows(form: Form, unknowns: Unknowns) -> list[Matrix]:
    """A form over the columns, once for every statement and index that "i" stands for; the constant is last."""
    every = list(unknowns.model.scop.statements)
    statements = unknowns.names if any(r.statement == EVERY for _, r in form.terms) else ("",)
    rows: list[Matrix] = []
    for statement in statements:
        if any(r.index == EVERY for _, r in form.terms):
            count = _indices(form, statement, every, unknowns)
        else:
            count = 1
        for index in range(count):
            row = _row(form, statement, index, every, unknowns)
            if row is not None:
                rows.append(row)
    return rows


def _indices(form: Form, statement: str, every: Sequence[str], unknowns: Unknowns) -> int:
    counts: list[int] = []
    for _, r in form.terms:
        name = statement if r.statement == EVERY else statement_of(r, every)
        if r.index == EVERY and name in unknowns.forms:
            counts.append(unknowns.depth(name) if r.kind == "it" else unknowns.params)
    return min(counts, default=0)


def _row(form: Form, statement: str, index: int, every: Sequence[str], unknowns: Unknowns) -> Matrix | None:
    row = np.zeros(unknowns.count + 1, np.int64)
    row[-1] = form.const
    for coefficient, r in form.terms:
        if r.kind == "variable":
            row[unknowns.columns[r.statement]] += coefficient
            continue
        name = statement if r.statement == EVERY else statement_of(r, every)
        if name is None or name not in unknowns.forms:
            return None
        k = index if r.index == EVERY else int(r.index or 0)
        depth, matrix = unknowns.depth(name), unknowns.forms[name]
        if k >= (depth if r.kind == "it" else max(unknowns.params, 1)):
            return None
        line = matrix[k] if r.kind == "it" else matrix[depth + k] if r.kind == "par" else matrix[-1]
        row[:-1] += coefficient * line
    return row


def _named_rows(name: str, unknowns: Unknowns) -> list[Matrix]:
    rows: list[Matrix] = []
    if name == "no-skewing":  # coefficients of a row sum to at most one: one iterator at most
        for form in unknowns.forms.values():
            depth = len(form) - unknowns.params - 1
            row = np.zeros(unknowns.count + 1, np.int64)
            row[:-1] = -np.abs(form[:depth]).sum(axis=0)
            row[-1] = 1
            rows.append(row)
    kinds = {
        "no-reversal": ("negative",),
        "no-parameter-shift": ("parameters",),
        "no-shift": ("parameters", "constants"),
    }
    for kind in kinds.get(name, ()):
        rows.extend(unknowns.at_most(kind, 0))
    return rows


def check_references(
    texts: Iterable[str], statements: Mapping[str, int], params: int, variables: Sequence[str], where: str
) -> None:
    """Refuse constraints on what the kernel does not have.

    Args:
        texts: constraints.
        statements: name -> depth.
        params: number of parameters of rows.
        variables: the strategy's extra variables.
        where: for the message.

    Raises:
        AkgError: AKG-E305 with the names there are.
    """
    names = list(statements)
    for text in texts:
        for r in references_of(text):
            if r.kind == "variable":
                if r.statement not in variables:
                    raise _unknown(text, where, r.statement, [*variables, *[f"{n}_it_0" for n in names]])
                continue
            found = None if r.statement == EVERY else statement_of(r, names)
            if r.statement != EVERY and found is None:
                raise _unknown(text, where, r.statement, names)
            if found is not None and r.index.isdigit():
                count = statements[found] if r.kind == "it" else params
                if int(r.index) >= count:
                    what = "iterators" if r.kind == "it" else "parameters"
                    raise AkgError(
                        "AKG-E305", f"{where}: {text!r} asks for {r.kind} {r.index} of {found}",
                        because=f"{found} has {count} {what}, counted from 0",
                        hint="count the loops around the statement from the outermost, 0",
                    )  # fmt: skip


def _unknown(text: str, where: str, name: str, known: Sequence[str]) -> AkgError:
    return AkgError(
        "AKG-E305", f"{where}: {text!r} speaks of {name!r}, which this kernel does not have",
        because=f"it has {', '.join(known)}", hint=suggest(name, known, "names"),
    )  # fmt: skip
