"""Statements of a script: Python syntax in, loop IR out."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import ClassVar

from akg.base.dtype import bool_
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var, unary
from akg.ir.script.assignments import AssignmentLowering
from akg.ir.script.scope import (
    Array,
    Gone,
    Loop,
    Symbol,
    assigned_names,
    count_names,
    used_names,
    written_names,
)  # fmt: skip
from akg.ir.script.values import (
    Value,
    both,
    is_affine_condition,
    weak,
)  # fmt: skip
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Stmt, block

_REFUSED: dict[type[ast.stmt], tuple[str, str, str]] = {
    ast.While: ("`while`", "the number of iterations must be known before it starts", "write for i in range(...)"),
    ast.Break: ("`break`", "every iteration of a loop runs", "put the rest of the body under an `if`"),
    ast.Continue: ("`continue`", "every statement of a loop body runs", "put the rest of the body under an `if`"),
    ast.FunctionDef: ("a nested function", "a script is one loop nest", "write its body where it is called"),
    ast.ClassDef: ("a class", "a script is one loop nest", "pass numbers and arrays as arguments"),
    ast.Import: ("`import`", "a script is compiled, not run", "import at the top of the file"),
    ast.ImportFrom: ("`import`", "a script is compiled, not run", "import at the top of the file"),
    ast.Global: ("`global`", "a script changes only its arguments and local names", "pass an array"),
    ast.Nonlocal: ("`nonlocal`", "a script changes only its arguments and local names", "pass an array"),
    ast.Try: ("`try`", "nothing in a script raises", "test with `if`"),
    ast.With: ("`with`", "a script is one loop nest", "take the body out of the `with`"),
    ast.Raise: ("`raise`", "nothing in a script raises", "check the arguments before the call"),
    ast.Assert: ("`assert`", "nothing in a script raises", "check the arguments before the call"),
    ast.Delete: ("`del`", "local names end with the call", "leave it out"),
    ast.Match: ("`match`", "a script branches on conditions", "write if / elif / else"),
}


class StatementLowering(AssignmentLowering):
    """Lowers the body of a script; one object is one pass."""

    # --- Blocks ---

    def body(self, nodes: list[ast.stmt]) -> Stmt:
        """The statements of one block; bindings made in it are gone after it."""
        before = dict(self.env)
        self.depth += 1
        result = self.sequence(nodes)
        self.depth -= 1
        after, self.env = self.env, before
        for name, binding in after.items():
            if before.get(name) is not binding:
                self.env[name] = binding if isinstance(binding, Gone) else Gone(binding)
        return result

    def sequence(self, nodes: list[ast.stmt]) -> Stmt:
        """Statements in order, in the current scope; each local array lives from its creation to the end."""
        parts: list[Stmt] = []
        arrays: list[tuple[int, Buffer]] = []
        for node in nodes:
            stmt = self.statement(node)
            if isinstance(stmt, Alloc):  # a creation: its body is the init nest
                arrays.append((len(parts), stmt.buffer))
                stmt = stmt.body
            parts.append(stmt)
        for at, buffer in reversed(arrays):
            parts[at:] = [Alloc(buffer, block(*parts[at:]))]
        return block(*parts)

    def statement(self, node: ast.stmt) -> Stmt:
        """One statement."""
        handler = self._statements.get(type(node))
        if handler is not None:
            return handler(self, node)
        what, because, hint = _REFUSED.get(
            type(node), (f"`{type(node).__name__}`", "a script has assignments, `for` and `if`", "")
        )
        self.source.fail(node, "AKG-E221", f"{what} cannot be compiled", because, hint)

    def _pass(self, node: ast.Pass) -> Stmt:
        return Block(())

    def _expression(self, node: ast.Expr) -> Stmt:
        if isinstance(node.value, ast.Constant):  # a docstring, or `...`
            return Block(())
        self.value(node.value)
        self.source.fail(
            node, "AKG-E221", f"`{ast.unparse(node)}` has no effect",
            "its value is not stored", "assign it to an element",
        )  # fmt: skip

    def _return(self, node: ast.Return) -> Stmt:
        self.source.fail(
            node, "AKG-E233", "`return` inside a loop or branch" if self.depth else "statements after `return`",
            "a script returns once, as its last statement", "move the return to the end of the function",
        )  # fmt: skip

    # --- Loops ---

    def _for(self, node: ast.For) -> Stmt:
        name = self._loop_name(node)
        begin, end, step = self._range(node)
        var = Var(self.names.fresh(name))
        if step == 1:
            position: Expr = var
        else:  # from 0 in unit steps
            span = end - begin + (step - 1) if step > 0 else begin - end + (-step - 1)
            position, end, begin = begin + var * step, simplify(span // abs(step)), Const(0)
        assigned = assigned_names(node.body)
        for other in (assigned & self.env.keys()) - self.arguments:  # may be from the iteration before
            binding = self.env[other]
            self.env[other] = binding if isinstance(binding, Gone) else Gone(binding)
        loop = self.env[name] = Loop(weak(simplify(position)))
        self.recurring.append(assigned)
        self.iterators.append(var)
        body = self.body(node.body)
        self.iterators.pop()
        self.recurring.pop()
        self.env[name] = Gone(loop)
        return For(var, begin, end, body, span=self.source.span(node))

    def _loop_name(self, node: ast.For) -> str:
        fail = self.source.fail
        if node.orelse:
            fail(node.orelse[0], "AKG-E226", "`else` on a loop", "a loop always runs to its end",
                 "put the statements after the loop")  # fmt: skip
        if not isinstance(node.target, ast.Name):
            fail(node.target, "AKG-E226", "a loop has one variable", f"got `{ast.unparse(node.target)}`",
                 "write for i in range(...)")  # fmt: skip
        name = node.target.id
        binding = self.env.get(name)
        if isinstance(binding, Loop):
            fail(node.target, "AKG-E227", f"{name!r} is already the variable of an enclosing loop",
                 "the inner loop would change the outer one's variable", "rename one of them")  # fmt: skip
        if isinstance(binding, (Symbol, Array)) or name in self.scalars:
            fail(node.target, "AKG-E227", f"loop variable {name!r} shadows another name",
                 f"{name!r} is an argument or was assigned before", "rename the loop variable")  # fmt: skip
        return name

    def _range(self, node: ast.For) -> tuple[Expr, Expr, int]:
        call, flip = node.iter, False
        if isinstance(call, ast.Call) and self.object_of(call.func) is reversed and len(call.args) == 1:
            call, flip = call.args[0], True
        if not isinstance(call, ast.Call) or self.object_of(call.func) is not range:
            self.source.fail(
                node.iter, "AKG-E226", f"cannot loop over `{ast.unparse(node.iter)}`", "a loop runs over a range",
                "write for i in range(...) and use i as a subscript",
            )  # fmt: skip
        if not 1 <= len(call.args) <= 3 or call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
            self.source.fail(
                call, "AKG-E226", "range takes one to three arguments", f"got `{ast.unparse(call)}`",
                "write range(end), range(begin, end) or range(begin, end, step)",
            )  # fmt: skip
        bounds = [self.affine(a, "loop bound") for a in call.args[:2]]
        begin, end = bounds if len(bounds) == 2 else (Const(0), bounds[0])
        step = self._step(call.args[2]) if len(call.args) == 3 else 1
        if flip:
            trips = (end - begin + (step - 1)) // step if step > 0 else (begin - end + (-step - 1)) // -step
            last = begin + (trips - 1) * step
            begin, end, step = last, (begin - 1 if step > 0 else begin + 1), -step
        return simplify(begin), simplify(end), step

    def _step(self, node: ast.expr) -> int:
        step = simplify(self.value(node).expr)
        if not isinstance(step, Const) or not step.dtype.is_integer:
            self.source.fail(
                node, "AKG-E226", f"step `{ast.unparse(node)}` is not a constant",
                "the distance of iterations must be known when the script is compiled", "use an integer constant",
            )  # fmt: skip
        if int(step) == 0:
            self.source.fail(node, "AKG-E226", "step is zero", "the loop would never end", "use 1, -1 or another step")
        return int(step)

    # --- Branches ---

    def _if(self, node: ast.If) -> Stmt:
        cond = self.condition(node.test)
        if isinstance(cond, Const):
            return self.body(node.body if cond.value else node.orelse)
        if is_affine_condition(cond):
            return self._branch(cond, node)
        merged = _conditional_assignment(node)
        if merged is not None:
            return self.assign(merged)
        first = node.test.values[0] if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And) else None
        if first is not None and not node.orelse and is_affine_condition(self.condition(first)):
            return self._if(_nested(node))
        return self._predicated(node, cond)

    def _branch(self, cond: Expr, node: ast.If) -> Stmt:
        before = dict(self.env)
        then = self.body(node.body)
        after, self.env = self.env, before
        orelse = self.body(node.orelse) if node.orelse else None
        for name, binding in after.items():
            if isinstance(binding, Gone):
                self.env[name] = binding
        return If(cond, then, orelse, span=self.source.span(node))

    def _predicated(self, node: ast.If, cond: Expr) -> Stmt:
        """If-conversion: every store of the branches keeps the old value where the condition does not hold."""
        outer = self.predicate
        branches = [*node.body, *node.orelse]
        setup: list[Stmt] = []
        if self._memory_of(written_names(branches)) & self._memory_of(used_names([node.test])):
            # decide before the branches change the operands
            flag = Buffer(self.names.fresh("test"), (), bool_)
            self.scalars[flag.name] = flag
            setup.append(self.store(node.test, flag, (), Value(cond), predicated=False))
            cond = Load(flag, ())
        parts: list[Stmt] = []
        before = dict(self.env)
        gone: dict[str, Gone] = {}
        for body, other, condition in ((node.body, node.orelse, cond), (node.orelse, node.body, unary("not", cond))):
            self.env = dict(before)
            self.predicate = condition if outer is None else both(outer, condition)
            self.private.append(self._private_names(body, other, body is node.orelse))
            self.stored.append(set())
            parts.append(self.body(body))
            self.private.pop()
            self.stored.pop()
            gone.update({k: v for k, v in self.env.items() if isinstance(v, Gone)})
        self.predicate = outer
        self.env = {**before, **gone}
        return block(*setup, *parts)

    def _memory_of(self, names: set[str]) -> set[object]:
        """What the names stand for: arrays by identity, so that two names of one array meet."""
        arrays = {name: self.env.get(name) for name in names}
        return {b.buffer if isinstance(b, Array) else name for name, b in arrays.items()}

    def _private_names(self, body: list[ast.stmt], other: list[ast.stmt], is_last: bool) -> set[str]:
        """Names whose old value nobody reads where the predicate of `body` fails.

        Either every use in the function is in one of the branches and follows an assignment there; or the branch
        that comes next assigns them first; or the same holds for the predicated branch around this one, and
        nothing assigned them in it so far.
        """
        found: set[str] = set()
        inherited = self.private[-1] - self.stored[-1] if self.private else set[str]()
        times = count_names([*body, *other])
        for name in count_names(body):
            stays = times[name] == self.total_names.get(name) and all(_is_closed(b, name) for b in (body, other))
            replaced = all(_assigns_first(b, name) for b in (body, other))
            inherits = name in inherited and _is_closed(body, name)
            if stays or inherits or (replaced and not is_last and not self.private):
                found.add(name)
        return found

    _statements: ClassVar[dict[type[ast.stmt], Callable[..., Stmt]]] = {
        ast.Pass: _pass, ast.Expr: _expression, ast.Return: _return, ast.For: _for, ast.If: _if,
        ast.Assign: AssignmentLowering.assign, ast.AnnAssign: AssignmentLowering.annotated,
        ast.AugAssign: AssignmentLowering.augmented,
    }  # fmt: skip


def _assigns_first(body: list[ast.stmt], name: str) -> bool:
    """Whether `body` always assigns `name`, and before it reads it."""
    for stmt in body:
        if name not in used_names([stmt]):
            continue
        if isinstance(stmt, ast.If):
            branches = _assigns_first(stmt.body, name) and _assigns_first(stmt.orelse, name)
            return branches and name not in used_names([stmt.test])
        if isinstance(stmt, (ast.Assign, ast.AnnAssign)) and stmt.value is not None:
            return name in assigned_names([stmt]) and name not in used_names([stmt.value])
        return False
    return False


def _is_closed(body: list[ast.stmt], name: str) -> bool:
    """Whether no use of `name` in `body` sees a value from before `body`."""
    users = [stmt for stmt in body if name in used_names([stmt])]
    if not users or _assigns_first(body, name):
        return True
    only = users[0]
    if len(users) > 1 or not isinstance(only, ast.If) or name in used_names([only.test]):
        return False
    return _is_closed(only.body, name) and _is_closed(only.orelse, name)


def _conditional_assignment(node: ast.If) -> ast.Assign | None:
    """``if c: x = a  else: x = b`` as ``x = a if c else b``."""
    branches: list[ast.Assign] = []
    for body in (node.body, node.orelse):
        only = body[0] if len(body) == 1 else None
        if isinstance(only, ast.If):
            only = _conditional_assignment(only)
        if not isinstance(only, ast.Assign) or len(only.targets) != 1 or isinstance(only.targets[0], ast.Tuple):
            return None
        branches.append(only)
    a, b = branches
    if ast.dump(a.targets[0]) != ast.dump(b.targets[0]):
        return None
    value = ast.copy_location(ast.IfExp(node.test, a.value, b.value), node)
    return ast.copy_location(ast.Assign(a.targets, value), a)


def _nested(node: ast.If) -> ast.If:
    """``if a and b: ...`` as ``if a: if b: ...``."""
    assert isinstance(node.test, ast.BoolOp)
    first, *rest = node.test.values
    test = rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(node.test.op, rest), rest[0])
    inner = ast.copy_location(ast.If(test, node.body, []), node)
    return ast.copy_location(ast.If(first, [inner], []), node)
