"""Schedule trees as JSON and back: a schedule that can be read, reviewed, kept and given to `akg.build`.

tree     := {"statements": [name...], "child": node}
node     := {"band": [member...], "permutable": bool, "child": node}
| {"sequence": [{"filter": [name...], "child": node}...]} | {"mark": text, "child": node} | null (a leaf)
member   := {"rows": {statement: form}, "coincident"?: bool, "reduction"?: bool, "kind"?: text, "tile"?: int,
"skew"?: [{statement: form}...], "directive"?: text}
form     := sum of terms, such as "2*t + i - 1", over the statement's loop variables and the sizes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from akg.base.errors import AkgError, suggest
from akg.ir.affine import Affine
from akg.ir.expr import Var
from akg.ir.stmt import LoopKind
from akg.poly.scop import Scop
from akg.poly.tree import LEAF, Asked, Band, Domain, Filter, Leaf, Mark, Member, Node, Sequence

Json = dict[str, Any]
_FLAGS = ("coincident", "reduction")
_TERM = re.compile(r"\s*([+-])?\s*(?:(\d+)\s*(?:\*\s*)?)?([A-Za-z_]\w*)?\s*")


def tree_to_json(tree: Domain) -> Json:
    """The tree as a JSON object."""
    return {"statements": list(tree.statements), "child": _node(tree.child)}


def _node(node: Node) -> Json | None:
    if isinstance(node, Leaf):
        return None
    if isinstance(node, Band):
        return {"band": [_member(m) for m in node.members], "permutable": node.permutable, "child": _node(node.child)}
    if isinstance(node, Sequence):
        return {"sequence": [{"filter": list(f.statements), "child": _node(f.child)} for f in node.children]}
    if isinstance(node, Filter):
        return {"sequence": [{"filter": list(node.statements), "child": _node(node.child)}]}
    return {"mark": node.name, "child": _node(node.child)}


def _member(member: Member) -> Json:
    result: Json = {"rows": _rows(member.rows)}
    result.update({flag: True for flag in _FLAGS if getattr(member, flag)})
    if member.kind != "serial":
        result["kind"] = member.kind
    if member.tile:
        result["tile"] = member.tile
    if member.directive:
        result["directive"] = member.directive
    if member.skew:
        result["skew"] = [_rows(rows) for rows in member.skew]
    return result


def _rows(rows: Mapping[str, Affine]) -> dict[str, str]:
    return {name: form_text(row) for name, row in rows.items()}


def form_text(form: Affine) -> str:
    """``2*t + i - 1``."""
    text = ""
    for v, c in form.terms.items():
        term = v.name if abs(c) == 1 else f"{abs(c)}*{v.name}"
        text += f" {'-' if c < 0 else '+'} {term}" if text else f"-{term}" if c < 0 else term
    if not text:
        return str(form.const)
    return text + (f" {'-' if form.const < 0 else '+'} {abs(form.const)}" if form.const else "")


def tree_from_json(document: Any, scop: Scop) -> Domain:
    """The tree of a JSON object, for the statements of a scop; whether it is legal is another question.

    Raises:
        AkgError: AKG-E308 for an object that is no schedule of this kernel, with the place of the mistake.
    """
    return _Reader(scop).tree(document)


class _Reader:
    def __init__(self, scop: Scop) -> None:
        self.scop = scop
        self.known: dict[str, dict[str, Var]] = {
            name: {v.name: v for v in (*s.iterators, *scop.sizes)} for name, s in scop.statements.items()
        }

    def tree(self, document: Any) -> Domain:
        given = self.fields(document, "schedule", ("statements", "child"), ("statements", "child"))
        names = self.names(given["statements"], "statements")
        missing = [n for n in self.known if n not in names]
        if missing:
            because = "a schedule runs every statement"
            raise _bad("statements", f"{missing[0]!r} is missing", because, f"add {missing[0]!r}")
        return Domain(names, self.node(given["child"], names, "child"))

    def node(self, given: Any, names: tuple[str, ...], where: str) -> Node:
        if given is None:
            return LEAF
        kind = next((k for k in ("band", "sequence", "mark") if isinstance(given, Mapping) and k in given), None)
        if kind is None:
            because = "a node has a band, a sequence or a mark, or is null"
            raise _bad(where, "this is no node", because, "write null for a leaf")
        if kind == "band":
            fields = self.fields(given, where, ("band", "permutable", "child"), ("band", "child"))
            given_members = enumerate(_list(fields["band"], where))
            members = [self.member(m, names, f"{where}.band[{k}]") for k, m in given_members]
            child = self.node(fields["child"], names, f"{where}.child")
            return Band(tuple(members), bool(fields.get("permutable", False)), child)
        if kind == "mark":
            fields = self.fields(given, where, ("mark", "child"), ("child",))
            return Mark(str(fields["mark"]), self.node(fields["child"], names, f"{where}.child"))
        fields = self.fields(given, where, ("sequence",), ())
        given_parts = enumerate(_list(fields["sequence"], where))
        parts = [self.filter(f, names, f"{where}.sequence[{k}]") for k, f in given_parts]
        reached = sorted(n for f in parts for n in f.statements)
        if reached != sorted(names):
            raise _bad(where, f"the filters have {', '.join(reached)}", f"here are {', '.join(names)}",
                       "put each statement into one filter")  # fmt: skip
        return Sequence(tuple(parts))

    def filter(self, given: Any, names: tuple[str, ...], where: str) -> Filter:
        fields = self.fields(given, where, ("filter", "child"), ("filter", "child"))
        own = self.names(fields["filter"], f"{where}.filter")
        return Filter(own, self.node(fields["child"], own, f"{where}.child"))

    def member(self, given: Any, names: tuple[str, ...], where: str) -> Member:
        fields = self.fields(given, where, ("rows", *_FLAGS, "kind", "tile", "skew", "directive"), ("rows",))
        kind = fields.get("kind", "serial")
        if kind not in get_args(LoopKind):
            raise _bad(f"{where}.kind", f"unknown kind {kind!r}", f"kinds are {', '.join(get_args(LoopKind))}",
                       suggest(str(kind), get_args(LoopKind), "kinds"))  # fmt: skip
        asked = fields.get("directive", "")
        if asked not in get_args(Asked):
            raise _bad(f"{where}.directive", f"unknown directive {asked!r}", f"there are {', '.join(get_args(Asked))}",
                       suggest(str(asked), get_args(Asked), "directives"))  # fmt: skip
        tile = fields.get("tile", 0)
        if not isinstance(tile, int) or isinstance(tile, bool) or tile < 0:
            because = "a tile has a positive number of iterations"
            raise _bad(f"{where}.tile", f"{tile!r} is no size", because, "write 32")
        skew = tuple([self.rows(r, names, f"{where}.skew") for r in fields.get("skew", ())])
        flags = {flag: bool(fields.get(flag, False)) for flag in _FLAGS}
        rows = self.rows(fields["rows"], names, f"{where}.rows")
        return Member(rows, kind=kind, tile=tile, skew=skew, directive=asked, **flags)

    def rows(self, given: Any, names: tuple[str, ...], where: str) -> dict[str, Affine]:
        fields = self.fields(given, where, names, names)
        return {name: self.form(fields[name], name, f"{where}.{name}") for name in names}

    def form(self, text: Any, name: str, where: str) -> Affine:
        known = self.known[name]
        if not isinstance(text, str):
            raise _bad(where, f"{text!r} is no form", "a form is text, such as 2*t + i - 1", "write it as a string")
        result, position = Affine(), 0
        while position < len(text):
            match = _TERM.match(text, position)
            sign, number, variable = match.groups() if match else (None, None, None)
            if match is None or (number is None and variable is None) or (position and sign is None):
                raise _bad(where, f"cannot read {text!r}", f"column {position + 1}", "for example: 2*t + i - 1")
            value = int(number or 1) * (-1 if sign == "-" else 1)
            if variable is not None and variable not in known:
                raise _bad(where, f"unknown variable {variable!r}", f"{name} has {', '.join(known)}",
                           suggest(variable, known, "variables"))  # fmt: skip
            result = result + (Affine(None, value) if variable is None else Affine({known[variable]: value}))
            position = match.end()
        return result

    def names(self, given: Any, where: str) -> tuple[str, ...]:
        for name in _list(given, where):
            if name not in self.known:
                raise _bad(where, f"unknown statement {name!r}", f"the kernel has {', '.join(self.known)}",
                           suggest(str(name), self.known, "statements"))  # fmt: skip
        return tuple(given)

    def fields(self, given: Any, where: str, known: tuple[str, ...], required: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            keys = f"its keys are {', '.join(known)}"
            raise _bad(where, f"{given!r} is no object", f"it is {type(given).__name__}", keys)
        for key in given:
            if key not in known:
                keys = f"its keys are {', '.join(known)}"
                raise _bad(where, f"unknown key {key!r}", keys, suggest(str(key), known, "keys"))
        for key in required:
            if key not in given:
                raise _bad(where, f"the key {key!r} is missing", f"there is {', '.join(given)}", f"add {key!r}")
        return given


def _list(given: Any, where: str) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        raise _bad(where, f"{given!r} is no list", f"it is {type(given).__name__}", "write [...]")
    return list(given)


def _bad(where: str, what: str, because: str, hint: str) -> AkgError:
    return AkgError("AKG-E308", f"{where} of the schedule: {what}", because=because, hint=hint)
