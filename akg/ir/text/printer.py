"""Loop IR to text. Deterministic: the text is part of the key under which a kernel is cached."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import lru_cache

from akg.base.dtype import bool_, index
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Call, Cast, Const, Expr, Load, Reduce, Select, Unary, Var
from akg.ir.functions import FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.rewrite import walk_expr
from akg.ir.stmt import Alloc, Barrier, Block, For, If, Kernel, Param, Prefetch, Stmt, Store
from akg.ir.text.syntax import (
    ATOM,
    COMPARISON,
    IDENTIFIER,
    INFIX,
    LITERAL_SUFFIX,
    LITERAL_WORDS,
    PREFIX,
    PREFIX_OPS,
    STATEMENT_WORDS,
)

# A part that is used twice gets a name (`$1`) if its text is longer than _SHARE, any part if longer than _LONG:
# the first keeps the text linear in the number of nodes, the second keeps nesting shallow enough to parse.
_SHARE = 80
_LONG = 500
_DEPTH = 100

_Text = tuple[str, int]  # text and precedence
_Of = Callable[[Expr], _Text]


def to_text(node: Kernel | Stmt | Expr) -> str:
    """The text of a kernel or statement (lines, with a final newline) or of an expression (one line).

    See `akg.ir.text` for the grammar; `akg.ir.text.parse_kernel` restores a kernel.
    """
    printer = _Printer()
    if isinstance(node, Expr):
        temps, (text,) = printer.expressions((node,))
        return "; ".join([*(f"${k} = {t}" for k, t in enumerate(temps, 1)), text])
    if isinstance(node, Kernel):
        printer.kernel(node)
    else:
        printer.suite(node, "")
    return "\n".join(printer.lines) + "\n"


class _Printer:
    """One run: the lines so far, and the texts of the short expressions seen so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.memo: dict[Expr, _Text] = {}

    # --- statements ---------------------------------------------------------------------------------

    def kernel(self, kernel: Kernel) -> None:
        params = ", ".join(self.param(p) for p in kernel.params)
        self.lines.append(f"kernel {_name(kernel.name)}({params}):")
        self.suite(kernel.body, "    ")

    def param(self, param: Param) -> str:
        value = param.value
        if isinstance(value, Buffer):
            scope = "" if value.scope == "global" else f" {_name(value.scope)}"
            given = "" if param.shape is None else f" as [{', '.join(_plain(s) for s in param.shape)}]"
            constant = f"{param.constant} " if param.constant else ""
            return f"{_name(value.name)}: {constant}{param.role} {self.array(value)}{scope}{given}"
        if param.role == "size":
            return f"{_name(value.name)}: size" + ("" if value.dtype is index else f" {value.dtype}")
        return f"{_name(value.name)}: {param.role} {value.dtype}"

    def array(self, buffer: Buffer) -> str:
        # shapes have no statement to hang temporaries on; they are short
        return f"{buffer.dtype}[{', '.join(_plain(s) for s in buffer.shape)}]"

    def suite(self, stmt: Stmt, pad: str) -> None:
        """The lines of a body; an Alloc that ends it scopes over the rest and needs no indentation."""
        if not isinstance(stmt, Block):
            self.statement(stmt, pad, last=True)
        elif not stmt.body:
            self.lines.append(f"{pad}pass")
        elif len(stmt.body) == 1:
            self.statement(stmt, pad, last=True)
        else:
            for inner in stmt.body:
                self.statement(inner, pad, last=inner is stmt.body[-1])

    def statement(self, stmt: Stmt, pad: str, last: bool) -> None:
        if isinstance(stmt, Store):
            *indices, value = self.bind((*stmt.indices, stmt.value), pad)
            label = _name(stmt.name, STATEMENT_WORDS)
            mark = "" if stmt.reduction is None else f" ({_name(stmt.reduction)})"
            self.lines.append(f"{pad}{label}{mark}: {_name(stmt.buffer.name)}[{', '.join(indices)}] = {value}")
        elif isinstance(stmt, For):
            begin, end = self.bind((stmt.begin, stmt.end), pad)
            kind = "" if stmt.kind == "serial" else f"{stmt.kind} "
            kept = "" if stmt.var.dtype is index else f": {stmt.var.dtype}"
            step = "" if stmt.step == 1 else f" step {stmt.step}"
            self.lines.append(f"{pad}{kind}for {_name(stmt.var.name)}{kept} in [{begin}, {end}){step}:")
            self.suite(stmt.body, pad + "    ")
        elif isinstance(stmt, If):
            (cond,) = self.bind((stmt.cond,), pad)
            self.lines.append(f"{pad}if {cond}:")
            self.suite(stmt.then, pad + "    ")
            if stmt.orelse is not None:
                self.lines.append(f"{pad}else:")
                self.suite(stmt.orelse, pad + "    ")
        elif isinstance(stmt, Alloc):
            buffer = stmt.buffer
            head = f"{pad}alloc {_name(buffer.name)}: {self.array(buffer)} {_name(buffer.scope)}"
            self.lines.append(head if last else head + ":")
            self.suite(stmt.body, pad if last else pad + "    ")
        elif isinstance(stmt, Prefetch):
            indices = ", ".join(self.bind(stmt.indices, pad))
            mark = " write" if stmt.writes else ""
            self.lines.append(f"{pad}prefetch l{stmt.level}{mark} {_name(stmt.buffer.name)}[{indices}]")
        elif isinstance(stmt, Barrier):
            self.lines.append(f"{pad}barrier {_name(stmt.scope)}")
        else:
            self.block(stmt, pad)

    def block(self, stmt: Block, pad: str) -> None:
        if not stmt.body:
            self.lines.append(f"{pad}pass")
            return
        self.lines.append(f"{pad}block:")
        for inner in stmt.body:
            self.statement(inner, pad + "    ", last=inner is stmt.body[-1])

    # --- expressions --------------------------------------------------------------------------------

    def bind(self, roots: tuple[Expr, ...], pad: str) -> list[str]:
        temps, texts = self.expressions(roots)
        self.lines.extend(f"{pad}${k} = {text}" for k, text in enumerate(temps, 1))
        return texts

    def expressions(self, roots: tuple[Expr, ...]) -> tuple[list[str], list[str]]:
        """The temporaries that `roots` need together, and the texts of `roots`."""
        try:
            texts = [self.short(root, 0)[0] for root in roots]
        except _TooLong:
            return _with_temps(roots)
        # no part longer than _SHARE can occur twice in so little text
        return ([], texts) if sum(map(len, texts)) <= 2 * _SHARE else _with_temps(roots)

    def short(self, node: Expr, depth: int) -> _Text:
        done = self.memo.get(node)
        if done is None:
            if depth > _DEPTH:
                raise _TooLong
            done = _FORMAT[type(node)](node, lambda child: self.short(child, depth + 1))
            if len(done[0]) > 2 * _SHARE:
                raise _TooLong
            self.memo[node] = done
        return done


class _TooLong(Exception):
    """The expression needs the careful path."""


def _with_temps(roots: tuple[Expr, ...]) -> tuple[list[str], list[str]]:
    """Texts of `roots` with names for parts that are large and shared, or very large."""
    order: dict[Expr, int] = {}  # node -> number of uses, operands first
    for root in roots:
        for node in walk_expr(root):
            if node not in order:
                order[node] = 0
                for child in node.children:
                    order[child] += 1
        order[root] += 1
    temps: list[str] = []
    texts: dict[Expr, _Text] = {}
    for node, uses in order.items():
        text, level = _FORMAT[type(node)](node, texts.__getitem__)
        if len(text) > (_SHARE if uses > 1 else _LONG):
            temps.append(text)
            text, level = f"${len(temps)}", ATOM
        texts[node] = text, level
    return temps, [texts[root][0] for root in roots]


def _plain(node: Expr) -> str:
    return _FORMAT[type(node)](node, _plain_text)[0]


def _plain_text(node: Expr) -> _Text:
    return _FORMAT[type(node)](node, _plain_text)


@lru_cache(maxsize=4096)
def _name(name: str, reserved: frozenset[str] = LITERAL_WORDS) -> str:
    return name if IDENTIFIER.match(name) and name not in reserved else json.dumps(name)


def _const(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Const)
    value, dtype = node.value, node.dtype
    if dtype is index:
        return str(value), ATOM
    if dtype is bool_:
        return str(value), ATOM
    suffix = LITERAL_SUFFIX[dtype]
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value!r}_{suffix}", ATOM
    return f"{value!r}{suffix}", ATOM


def _var(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Var)
    return _name(node.name), ATOM


def _args(nodes: Iterable[Expr], of: _Of) -> str:
    return ", ".join([of(n)[0] for n in nodes])


def _load(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Load)
    return f"{_name(node.buffer.name)}[{_args(node.indices, of)}]", ATOM


def _unary(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Unary)
    text, level = of(node.a)
    prefix = PREFIX_OPS.get(node.op)
    if prefix is None:
        return f"{node.op}({text})", ATOM
    return (f"{prefix}({text})" if level < PREFIX or isinstance(node.a, Const) else prefix + text), PREFIX


def _binary(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Binary)
    (a, level_a), (b, level_b) = of(node.a), of(node.b)
    infix = INFIX.get(node.op)
    if infix is None:
        return f"{node.op}({a}, {b})", ATOM
    spelling, level = infix
    if level_a < level or level_a == level == COMPARISON:
        a = f"({a})"
    if level_b <= level:
        b = f"({b})"
    return f"{a} {spelling} {b}", level


def _cast(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Cast)
    return f"{node.dtype}({of(node.a)[0]})", ATOM


def _select(node: Expr, of: _Of) -> _Text:
    return f"select({_args(node.children, of)})", ATOM


def _call(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Call)
    implied = bool_ if node.fn in PREDICATE_CALLS else node.args[0].dtype if node.fn in FLOAT_CALLS else None
    kept = "" if node.dtype is implied else f".{node.dtype}"
    return f"{node.fn}{kept}({_args(node.args, of)})", ATOM


def _reduce(node: Expr, of: _Of) -> _Text:
    assert isinstance(node, Reduce)

    def axis(a: Axis) -> str:
        return f"{_name(a.var.name)} in [{_plain(a.begin)}, {_plain(a.end)})"

    parts = [_args(node.args, of), "over", ", ".join(map(axis, node.axes))]
    if node.condition is not None:
        parts += ["where", of(node.condition)[0]]
    component = f"[{node.position}]" if len(node.args) > 1 else ""
    return f"reduce.{node.combiner.name}({' '.join(parts)}){component}", ATOM


_FORMAT: dict[type[Expr], Callable[[Expr, _Of], _Text]] = {
    Const: _const, Var: _var, Load: _load, Unary: _unary, Binary: _binary, Cast: _cast, Select: _select,
    Call: _call, Reduce: _reduce,
}  # fmt: skip
