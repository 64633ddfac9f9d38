"""Text to loop IR: the inverse of the printer. See `akg.ir.text` for the grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar, cast

from akg.base.dtype import BUFFER_DTYPES, bool_, dtype_of, index
from akg.base.errors import AkgError, Span, suggest
from akg.ir.buffer import Buffer, Scope
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.functions import CALL_ARITY, CALLS, FLOAT_CALLS, PREDICATE_CALLS
from akg.ir.stmt import (
    REDUCTIONS,
    Alloc,
    Barrier,
    Block,
    Constant,
    For,
    If,
    Kernel,
    LoopKind,
    Param,
    Prefetch,
    Role,
    Stmt,
    Store,
)
from akg.ir.text.syntax import COMPARISON, KINDS, LITERAL_WORDS, OF_SPELLING, OF_SUFFIX, PREFIX_OPS

_DTYPES = {d.name: d for d in (*BUFFER_DTYPES, index)}
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#.*)
      | (?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:e[+-]?\d+)?(?P<suffix>[a-z]+\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z_0-9$]*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<temp>\$\d+)
      | (?P<op>==|!=|<=|>=|<<|>>|//|[-+*/%&|^~<>=()\[\],:.])""",
    re.VERBOSE,
)
_INVERSE = {symbol: op for op, symbol in PREFIX_OPS.items()}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number | name | string | temp | op | end
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str
    tokens: list[_Token]


def parse_kernel(text: str) -> Kernel:
    """The kernel that `text` spells.

    Raises:
        AkgError: AKG-E210, with the line and column, if `text` does not follow the grammar.
    """
    lines = [line for number, raw in enumerate(text.split("\n"), 1) if (line := _tokenize(raw, number)) is not None]
    if not lines:
        raise AkgError("AKG-E210", "there is no kernel in an empty text")
    return _Parser(lines).kernel()


def _error(line: int, column: int, text: str, message: str, hint: str = "") -> NoReturn:
    raise AkgError(
        "AKG-E210",
        f"line {line}, column {column + 1}: {message}",
        span=Span("<kernel>", line, column, -1, text),
        hint=hint,
    )


def _tokenize(raw: str, number: int) -> _Line | None:
    """The tokens of a line, or None if it holds none."""
    tokens: list[_Token] = []
    at = 0
    while at < len(raw):
        match = _TOKEN.match(raw, at)
        if match is None:
            _error(number, at, raw, f"unexpected character {raw[at]!r}")
        kind = match.lastgroup if match.lastgroup != "suffix" else "number"
        if kind != "space":
            tokens.append(_Token(str(kind), match.group(), at))
        at = match.end()
    if not tokens:
        return None
    tokens.append(_Token("end", "", len(raw)))
    return _Line(number, tokens[0].column, raw, tokens)


class _Parser:
    """Recursive descent over lines, and over the tokens of the current line."""

    def __init__(self, lines: list[_Line]) -> None:
        self.lines, self.row = lines, 0
        self.line, self.at = lines[0], 0
        self.vars: dict[str, Var] = {}
        self.buffers: dict[str, Buffer] = {}
        self.temps: dict[str, Expr] = {}

    # --- tokens -------------------------------------------------------------------------------------

    @property
    def token(self) -> _Token:
        return self.line.tokens[self.at]

    def fail(self, message: str, token: _Token | None = None, hint: str = "") -> NoReturn:
        _error(self.line.number, (token or self.token).column, self.line.text, message, hint)

    def next(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def accept(self, text: str) -> bool:
        token = self.token
        if token.text == text and token.kind in ("op", "name"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            self.fail(f"expected {text!r}, found {self.token.text or 'the end of the line'!r}")

    def name(self, what: str = "a name") -> str:
        token = self.next()
        if token.kind == "name":
            return token.text
        if token.kind == "string":
            return str(json.loads(token.text))
        self.fail(f"expected {what}, found {token.text or 'the end of the line'!r}", token)

    def one_of(self, choices: dict[str, T], what: str) -> T:
        token = self.token
        name = self.name(what)
        if name not in choices:
            self.fail(f"unknown {what} {name!r}", token, suggest(name, choices))
        return choices[name]

    def whole(self, what: str) -> int:
        token = self.next()
        if token.kind != "number" or not token.text.isdigit():
            self.fail(f"expected {what}, found {token.text!r}", token)
        return int(token.text)

    def end_of_line(self) -> None:
        if self.token.kind != "end":
            self.fail(f"unexpected {self.token.text!r} after the statement")

    def advance(self) -> bool:
        """Go to the next line; False if there is none."""
        self.row += 1
        if self.row >= len(self.lines):
            return False
        self.line, self.at = self.lines[self.row], 0
        return True

    # --- kernels and statements ---------------------------------------------------------------------

    def kernel(self) -> Kernel:
        self.expect("kernel")
        name = self.name("the kernel's name")
        self.expect("(")
        params = self.params()
        body = self.suite(self.line.indent)
        if self.row < len(self.lines):
            self.fail("unexpected text after the kernel")
        return Kernel(name, params, body)

    def params(self) -> tuple[Param, ...]:
        start, shapes = self.at, False
        while True:  # sizes may follow the buffers whose shapes they measure: read everything twice
            self.at = start
            params: list[Param] = []
            if not self.accept(")"):
                params.append(self.param(shapes))
                while self.accept(","):
                    params.append(self.param(shapes))
                self.expect(")")
            if shapes:
                return tuple(params)
            shapes = True

    def param(self, shapes: bool) -> Param:
        token = self.token
        name = self.name("a parameter")
        self.expect(":")
        constant = next((c for c in ("free", "fixed") if self.accept(c)), "")
        role = self.one_of({r: r for r in ("in", "out", "inout", "scalar", "size")}, "role")
        if role in ("size", "scalar"):
            dtype = index if role == "size" and self.token.kind != "name" else self.one_of(_DTYPES, "dtype")
            if not shapes and name in self.vars:
                self.fail(f"parameter {name!r} is defined twice", token)
            self.vars[name] = Var(name, dtype)
            return Param(self.vars[name], cast(Role, role))
        buffer = self.array(name, shapes)
        if shapes and name in self.buffers:
            self.fail(f"parameter {name!r} is defined twice", token)
        if shapes:
            self.buffers[name] = buffer
        given = self.shape(shapes) if self.accept("as") else None
        return Param(buffer, cast(Role, role), given, cast(Constant, constant))

    def array(self, name: str, shapes: bool = True) -> Buffer:
        dtype = self.one_of(_DTYPES, "dtype")
        shape = self.shape(shapes)
        scope = self.name() if self.token.kind in ("name", "string") and self.token.text != "as" else "global"
        return Buffer(name, shape, dtype, cast(Scope, scope))

    def shape(self, read: bool) -> tuple[Expr, ...]:
        """Sizes in brackets; skipped where the variables in them are not known yet."""
        if read:
            return self.subscripts()
        depth = 0
        while True:
            token = self.next()
            depth += (token.text == "[") - (token.text == "]")
            if depth == 0 or token.kind == "end":
                return ()

    def suite(self, indent: int) -> Stmt:
        return _as_body(self.indented(indent))

    def indented(self, indent: int) -> list[Stmt]:
        """``:`` and the lines below it, indented deeper than `indent`."""
        self.expect(":")
        self.end_of_line()
        header = self.line
        if not self.advance() or self.line.indent <= indent:
            _error(header.number, header.indent, header.text, "expected an indented body below this line")
        return self.statements(self.line.indent)

    def statements(self, indent: int) -> list[Stmt]:
        found: list[Stmt] = []
        while self.row < len(self.lines) and self.line.indent >= indent:
            if self.line.indent > indent:
                self.fail("unexpected indentation")
            found.append(self.statement(indent))
        return found

    def statement(self, indent: int) -> Stmt:
        self.temps = {}
        while self.token.kind == "temp":
            temp = self.next().text
            self.expect("=")
            self.temps[temp] = self.expr()
            self.end_of_line()
            if not self.advance() or self.line.indent != indent:
                line = self.line
                _error(line.number, line.indent, line.text, "expected the statement that uses the temporaries")
        special = _STATEMENTS.get(self.token.text) if self.token.kind == "name" else None
        return self.store() if special is None else special(self, indent)

    def store(self) -> Stmt:
        label = self.name("a statement")
        reduction = None
        if self.accept("("):
            reduction = self.name("a reduction")
            self.expect(")")
        self.expect(":")
        buffer = self.one_of(self.buffers, "buffer")
        indices = self.subscripts()
        self.expect("=")
        token = self.token
        value = self.expr()
        if value.dtype is not buffer.dtype:
            self.fail(f"{buffer.name} holds {buffer.dtype}, not {value.dtype}", token)
        if reduction is not None and reduction not in REDUCTIONS:
            self.fail(f"unknown reduction {reduction!r}", token, suggest(reduction, REDUCTIONS))
        self.close()
        return Store(buffer, indices, value, label, reduction)

    def close(self) -> None:
        self.end_of_line()
        self.advance()

    def loop(self, indent: int) -> Stmt:
        kind = "serial" if self.token.text == "for" else self.next().text
        self.expect("for")
        name = self.name("a loop variable")
        dtype = self.one_of(_DTYPES, "dtype") if self.accept(":") else index
        self.expect("in")
        self.expect("[")
        begin = self.expr()
        self.expect(",")
        end = self.expr()
        self.expect(")")
        step = self.whole("a step") if self.accept("step") else 1
        hidden, self.vars[name] = self.vars.get(name), Var(name, dtype)
        body = self.suite(indent)
        var = self.vars.pop(name)
        if hidden is not None:
            self.vars[name] = hidden
        return For(var, begin, end, body, cast(LoopKind, kind), step)

    def branch(self, indent: int) -> Stmt:
        self.expect("if")
        token = self.token
        cond = self.expr()
        if cond.dtype is not bool_:
            self.fail(f"a condition is bool, not {cond.dtype}", token)
        then = self.suite(indent)
        orelse = None
        if self.row < len(self.lines) and self.line.indent == indent and self.token.text == "else":
            self.next()
            orelse = self.suite(indent)
        return If(cond, then, orelse)

    def alloc(self, indent: int) -> Stmt:
        self.expect("alloc")
        name = self.name("a buffer")
        self.expect(":")
        buffer = self.array(name)
        hidden, self.buffers[name] = self.buffers.get(name), buffer
        if self.token.text == ":":
            body = self.suite(indent)
        else:
            self.end_of_line()
            header = self.line
            if not self.advance() or self.line.indent != indent:
                _error(header.number, header.indent, header.text, "expected statements that use the buffer")
            body = _as_body(self.statements(indent))
        del self.buffers[name]
        if hidden is not None:
            self.buffers[name] = hidden
        return Alloc(buffer, body)

    def barrier(self, indent: int) -> Stmt:
        self.expect("barrier")
        scope = self.name("a scope")
        self.close()
        return Barrier(scope)

    def prefetch(self, indent: int) -> Stmt:
        self.expect("prefetch")
        token = self.token
        level = self.name("a cache: l1 or l2")
        if level not in ("l1", "l2"):
            self.fail(f"no cache is called {level!r}", token, suggest(level, ("l1", "l2")))
        writes = self.accept("write")
        buffer = self.one_of(self.buffers, "buffer")
        indices = self.subscripts()
        self.close()
        return Prefetch(buffer, indices, int(level[1:]), bool(writes))

    def empty(self, indent: int) -> Stmt:
        self.expect("pass")
        self.close()
        return Block(())

    def block(self, indent: int) -> Stmt:
        if self.line.tokens[self.at + 1].text != ":":
            return self.loop(indent)
        self.expect("block")
        return Block(tuple(self.indented(indent)))

    # --- expressions --------------------------------------------------------------------------------

    def subscripts(self) -> tuple[Expr, ...]:
        return self.list("[", "]")

    def list(self, opening: str, closing: str) -> tuple[Expr, ...]:
        self.expect(opening)
        if self.accept(closing):
            return ()
        found = [self.expr()]
        while self.accept(","):
            found.append(self.expr())
        self.expect(closing)
        return tuple(found)

    def expr(self, level: int = COMPARISON) -> Expr:
        """An expression of operators that bind at least as tightly as `level` (precedence climbing)."""
        left = self.prefix()
        while True:
            token = self.token
            op, mine = OF_SPELLING.get(token.text, ("", 0)) if token.kind == "op" else ("", 0)
            if not op or mine < level:
                return left
            self.next()
            right = self.expr(mine + 1)
            left = self.binary(op, left, right, token)
            if mine == COMPARISON:
                return left

    def binary(self, op: str, a: Expr, b: Expr, token: _Token) -> Expr:
        if a.dtype is not b.dtype:
            self.fail(f"the operands of {token.text!r} are {a.dtype} and {b.dtype}", token, "cast one of them")
        return Binary(op, a, b)

    def prefix(self) -> Expr:
        token = self.token
        if token.kind == "op" and token.text in _INVERSE:
            self.next()
            follows = self.token
            if token.text == "-" and (follows.kind == "number" or follows.text in LITERAL_WORDS):
                return self.literal(self.next(), -1)
            return Unary(_INVERSE[token.text], self.prefix())
        return self.atom()

    def literal(self, token: _Token, sign: int) -> Expr:
        if token.kind == "name":
            if token.text in ("True", "False"):
                return Const(token.text == "True", bool_)
            word, _, suffix = token.text.partition("_")
            return Const(sign * float(word), OF_SUFFIX[suffix])
        match = _TOKEN.match(token.text)
        suffix = match.group("suffix") if match is not None else None
        digits = token.text.removesuffix(suffix or "")
        dtype = index if suffix is None else OF_SUFFIX.get(suffix)
        if dtype is None:
            self.fail(f"unknown suffix {suffix!r} of a number", token, suggest(str(suffix), OF_SUFFIX))
        if dtype.is_float:
            return Const(sign * float(digits), dtype)
        if not digits.isdigit():
            self.fail(f"{token.text} is not an integer", token, "give a float its type, as in 0.5f32")
        return Const(sign * int(digits), dtype)

    def atom(self) -> Expr:
        token = self.next()
        if token.kind == "number" or (token.kind == "name" and token.text in LITERAL_WORDS):
            return self.literal(token, 1)
        if token.kind == "temp":
            if token.text not in self.temps:
                self.fail(f"{token.text} is not defined above this statement", token)
            return self.temps[token.text]
        if token.text == "(" and token.kind == "op":
            inner = self.expr()
            self.expect(")")
            return inner
        if token.kind not in ("name", "string"):
            self.fail(f"expected an expression, found {token.text or 'the end of the line'!r}", token)
        name = token.text if token.kind == "name" else str(json.loads(token.text))
        if self.token.text in ("(", "."):
            return self.function(name, token)
        if self.token.text == "[":
            if name not in self.buffers:
                self.fail(f"unknown buffer {name!r}", token, suggest(name, self.buffers))
            return Load(self.buffers[name], self.subscripts())
        if name not in self.vars:
            self.fail(f"unknown variable {name!r}", token, suggest(name, self.vars))
        return self.vars[name]

    def function(self, name: str, token: _Token) -> Expr:
        dtype = self.one_of(_DTYPES, "dtype") if self.accept(".") else None
        args = self.list("(", ")")
        arity = {"min": 2, "max": 2, "select": 3}.get(name, CALL_ARITY.get(name, 1))
        if len(args) != arity:
            self.fail(f"{name} takes {arity} operands, not {len(args)}", token)
        if name in ("min", "max"):
            return self.binary(name, args[0], args[1], token)
        if name == "abs":
            return Unary("abs", args[0])
        if name in _DTYPES:
            return Cast(args[0], dtype_of(name))
        if name == "select":
            if args[0].dtype is not bool_ or args[1].dtype is not args[2].dtype:
                self.fail(f"select over {', '.join(str(a.dtype) for a in args)}", token)
            return Select(*args)
        if name not in CALLS:
            self.fail(f"unknown function {name!r}", token, suggest(name, CALLS))
        if dtype is None:
            dtype = bool_ if name in PREDICATE_CALLS else args[0].dtype if name in FLOAT_CALLS else None
        if dtype is None:
            self.fail(f"{name} needs the type of its result, as in {name}.int32(x)", token)
        return Call(name, args, dtype)


def _as_body(statements: list[Stmt]) -> Stmt:
    return statements[0] if len(statements) == 1 else Block(tuple(statements))


_STATEMENTS: dict[str, Callable[[_Parser, int], Stmt]] = {
    **dict.fromkeys(KINDS, _Parser.loop), "for": _Parser.loop, "if": _Parser.branch, "alloc": _Parser.alloc,
    "barrier": _Parser.barrier, "prefetch": _Parser.prefetch, "pass": _Parser.empty, "block": _Parser.block,
}  # fmt: skip
