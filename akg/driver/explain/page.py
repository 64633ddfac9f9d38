"""The page of an explanation: one HTML file with its styles, script and data in it, for browsers and notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from akg.driver import pipeline
from akg.driver.explain.advice import Advice
from akg.driver.explain.picture import picture
from akg.driver.pipeline import Compilation
from akg.ir.text import to_text
from akg.poly.explain import Loop, member_title
from akg.poly.tree import Band, Domain, Leaf, Mark, Member, Node, statements_below
from akg.poly.tree import Sequence as InOrder

MOST_LINES = 3000  # of one text of code
_TITLES = {
    "loop": "loops",
    "llvm": "LLVM IR",
    "c": "C",
    "definition": "definition",
    "cuda": "CUDA C",
    "schedule": "schedule",
}
_REASONS = {
    "lower": "read the definition into loop IR",
    "key": "look the kernel up in the caches",
    "scop": "read statements, domains and accesses off the loops",
    "emit": "turn loop IR into the backend's code",
    "compile": "turn that into machine code",
    "link": "load it into this process",
    **{name: reason for name, reason, _ in (*pipeline.SCHEDULE, *pipeline.MAP)},
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page tells beside the schedule itself.

    Attributes:
        signature: of the kernel, "" before it is compiled.
        badges: short facts by name.
        passes: (pass, milliseconds) in order.
        sources: texts by kind, made when the page is.
    """

    signature: str = ""
    badges: Mapping[str, str] = field(default_factory=dict[str, str])
    passes: Sequence[tuple[str, float]] = ()
    sources: Mapping[str, Callable[[], str]] = field(default_factory=dict[str, Callable[[], str]])


def page(
    state: Compilation, loops: Sequence[Loop], advice: Advice, facts: Facts, costs: Sequence[str] = ()
) -> str:  # fmt: skip
    """The whole page."""
    name = state.scop.kernel.name
    drawn = picture(state)
    for statement in drawn["statements"]:
        statement["source"] = to_text(state.scop.statements[statement["name"]].store).strip()
    data = json.dumps({"picture": drawn, "loops": [f"loop {loop.title}" for loop in loops]})
    parts = [
        _header(name, state, facts),
        _section("Loops", f'<div class="scroll">{_loop_table(loops, advice)}</div>'),
        _pictures(drawn["notes"]),
        f'<div class="columns">{_section("Schedule tree", _tree(state.tree))}{_code(facts.sources)}</div>',
        _phases(facts.passes),
        _notes("Decisions and notes", state.decisions.lines),
        _notes("Costs", costs),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name)} - akg explain</title>\n<style>\n{_file('page.css')}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n<footer>made by akg explain; this file needs no network and no other file</footer>\n</main>\n"
        # text in a script element ends at "</script": no "<" of the data may stand there
        f'<script type="application/json" id="akg-data">{data.replace("<", chr(92) + "u003c")}</script>\n'
        f"<script>\n{_file('page.js')}</script>\n</body>\n</html>\n"
    )


@lru_cache(maxsize=4)
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _header(name: str, state: Compilation, facts: Facts) -> str:
    badges = "".join(f'<span class="badge">{escape(k)} <b>{escape(v)}</b></span>' for k, v in facts.badges.items() if v)
    legality = state.legality
    if legality is not None:
        kind = "good" if legality else "warn"
        badges = f'<span class="badge {kind}">legal: {legality.answer}, {escape(legality.reason)}</span>' + badges
    return (
        f'<header><h1>{escape(name)}</h1><span class="signature mono">{escape(facts.signature)}</span>'
        '<button id="theme" type="button" title="dark or light">◐ theme</button>'
        f'<div class="badges">{badges}</div></header>'
    )


# --- loops -----------------------------------------------------------------------------------------------------


def _loop_table(loops: Sequence[Loop], advice: Advice) -> str:
    if not loops:
        return '<p class="none">no loops</p>'
    rows = "".join(_loop_row(loop, advice) for loop in loops)
    heads = "".join(f"<th>{h}</th>" for h in ("Loop", "Runs", "Why", "Smallest change that allows more"))
    return f'<table class="loops"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _loop_row(loop: Loop, advice: Advice) -> str:
    style = loop.verdict if loop.member.kind != "serial" else "free" if loop.is_free else "sequential"
    title = member_title(_untiled(loop.member), loop.statements)
    tile = f'<div class="tile-size">tiles of {loop.member.tile}</div>' if loop.member.tile else ""
    waves = dict.fromkeys(to_text(rows[n].to_expr()) for rows in loop.member.skew for n in loop.statements)
    wave = f"<small>wavefront: plus tiles of <code>{escape(' | '.join(waves))}</code></small>" if waves else ""
    band = f"<small>first of {loop.band} permutable loops</small>" if loop.band else ""
    cells = [
        f'<td class="title" style="padding-left: {10 + 16 * loop.depth}px"><code>{escape(title)}</code>{wave}{band}'
        f"<small>{escape(', '.join(loop.statements))}</small></td>",
        f'<td><span class="pill {style}">{escape(loop.verdict)}</span>{tile}</td>',
        f"<td>{_why(loop)}</td>",
        f'<td class="change">{_change(loop, advice)}</td>',
    ]
    return f'<tr data-loop="{loop.number}">{"".join(cells)}</tr>'


def _untiled(member: Member) -> Member:
    return Member(member.rows)


def _why(loop: Loop) -> str:
    if loop.is_free:
        return "carries no dependence"
    items = [
        f'<li><span class="kind {w.kind}">{w.kind}</span> <code>{escape(f"{w.source} → {w.sink}")}</code> at '
        f"<code>{escape(w.place)}</code><span class='none'>{escape(w.at_sizes)}</span></li>"
        for w in loop.witnesses
    ]
    more = f' <span class="none">and {loop.more} more</span>' if loop.more else ""
    button = ' <button class="arrows" type="button">show its arrows</button>'
    return f'{escape(loop.why)}{more}{button}<ul class="witnesses">{"".join(items)}</ul>'


def _change(loop: Loop, advice: Advice) -> str:
    text = advice.of(loop)
    if not text:
        return ""
    change = advice.changes.get(advice.same.get(loop.number, loop.number))
    if change is None:
        return f'<span class="none">{escape(text.removeprefix("change: "))}</span>'
    if change.document is None:
        return f'<span class="effect">none needed: mapped to the machine, {escape(change.effect)}</span>'
    document = escape(json.dumps(dict(change.document)), quote=True)
    return (
        f'<code>{document}</code><button class="copy" type="button" data-text="{document}">copy</button>'
        f'<span class="effect">{escape(change.effect)}; proved legal</span>'
    )


def _pictures(notes: Iterable[str]) -> str:
    hint = "; ".join(notes) or "every instance is drawn"
    body = (
        f'<p class="hint">{escape(hint[0].upper() + hint[1:])}. A point is an instance of a statement, an arrow a '
        "dependence between two of them. Outlines are tiles, numbered by the order in which they run; tiles of one "
        "number run at once.</p>"
        '<div class="tools" id="tools"></div><div class="panels" id="panels"></div>'
    )
    return _section("Instances and dependences", body)


# --- schedule tree, code, passes -------------------------------------------------------------------------------


def _tree(tree: Domain) -> str:
    body = _node(tree.child, tree.statements)
    return f'<div class="tree mono"><ul><li>{_fold(_what("domain", ", ".join(tree.statements)), body)}</li></ul></div>'


def _fold(head: str, body: str) -> str:
    return f"<details open><summary>{head}</summary>{body}</details>" if body else f'<span class="row">{head}</span>'


def _node(node: Node, names: tuple[str, ...]) -> str:
    if isinstance(node, Leaf):
        return ""
    if isinstance(node, InOrder):
        items = "".join(f"<li>{_filter(f.statements, f.child)}</li>" for f in node.children)
        return f"<ul><li>{_fold(_what('sequence'), f'<ul>{items}</ul>')}</li></ul>"
    if isinstance(node, Band):
        kind = "permutable band" if node.permutable and len(node.members) > 1 else "band"
        rows = "".join(f'<div class="row">{_member(m, names)}</div>' for m in node.members)
        return f"<ul><li>{_fold(_what(kind), rows + _node(node.child, names))}</li></ul>"
    below = statements_below(node, names)
    if isinstance(node, Mark):
        return f"<ul><li>{_fold(_what('mark', node.name), _node(node.child, below))}</li></ul>"
    return f"<ul><li>{_filter(below, node.child)}</li></ul>"


def _filter(names: tuple[str, ...], child: Node) -> str:
    return _fold(_what("filter", ", ".join(names)), _node(child, names))


def _what(kind: str, text: str = "") -> str:
    return f'<span class="what">{kind}</span> {escape(text)}'


def _member(member: Member, names: tuple[str, ...]) -> str:
    notes = [member.kind] if member.kind != "serial" else []
    notes += [flag for flag in ("coincident", "reduction") if getattr(member, flag)]
    text = f' <span class="note">{escape(", ".join(notes))}</span>' if notes else ""
    return f"{escape(member_title(member, names))}{text}"


def _code(sources: Mapping[str, Callable[[], str]]) -> str:
    kinds = [kind for kind in ("loop", "c", "cuda", "ascendc", "llvm", "definition") if kind in sources]
    if not kinds:
        return ""
    tabs = "".join(
        f'<button type="button" data-kind="{k}" aria-selected="{str(k == kinds[0]).lower()}">'
        f"{_TITLES.get(k, k)}</button>"
        for k in kinds
    )
    blocks = "".join(
        f'<pre class="code" data-kind="{k}"{"" if k == kinds[0] else " hidden"}>{escape(_short(sources[k]()))}</pre>'
        for k in kinds
    )
    return _section("Code", f'<div class="tabs">{tabs}</div>{blocks}')


def _short(text: str) -> str:
    lines = text.rstrip("\n").splitlines()
    if len(lines) <= MOST_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:MOST_LINES], f"... and {len(lines) - MOST_LINES} more lines"])


def _phases(passes: Sequence[tuple[str, float]]) -> str:
    if not passes:
        return ""
    longest = max(ms for _, ms in passes) or 1.0
    rows = "".join(
        f'<span class="mono">{escape(name)}</span>'
        f'<span><div class="bar" style="width: {100 * ms / longest:.2f}%"></div></span>'
        f'<span class="ms">{ms:.2f} ms</span><span class="why">{escape(_REASONS.get(name, ""))}</span>'
        for name, ms in passes
    )
    total = sum(ms for _, ms in passes)
    return _section(f"Compile phases: {total:.1f} ms", f'<div class="phases">{rows}</div>')


def _notes(title: str, lines: Sequence[Any]) -> str:
    items = "".join(f"<li>{escape(str(line))}</li>" for line in lines)
    return _section(title, f'<ul class="notes">{items}</ul>') if items else ""
