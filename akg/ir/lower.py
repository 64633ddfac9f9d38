"""Lowering of tensor definitions to loop IR.

Each stage becomes a perfect nest over its axes; a reduction stage is ``for axes: { init; for reduce axes: update }``.
Temporaries are allocated around all stages.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from functools import reduce

from akg.base.dtype import index
from akg.base.errors import AkgError, Span, user_facing
from akg.ir.affine import Affine, is_affine_condition
from akg.ir.buffer import Buffer
from akg.ir.collapse import collapse, without_ones
from akg.ir.expr import Axis, Binary, Combiner, Const, Expr, Load, Select, Var, binary
from akg.ir.forwards import read_forwards
from akg.ir.inline import inline_stages
from akg.ir.lower_scan import first_element, next_element
from akg.ir.rewrite import rewrite, variables_of
from akg.ir.simplify import simplify_stmt
from akg.ir.split_axes import split_axes
from akg.ir.stage import Stage, assignments, build_stages, old_values_read, small_first
from akg.ir.stmt import REDUCTIONS, Alloc, For, If, Kernel, Param, Role, Stmt, Store, block
from akg.ir.te.scan import Scan
from akg.ir.te.tensor import Compute, Placeholder, Tensor, is_axis_var, plain_name, shape_text
from akg.ir.windows import over_windows, within_ranges

Argument = Tensor | Var

# Words that C, CUDA or AscendC reserve, and that a user may well choose.
_RESERVED = frozenset({
    "auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "half", "if", "inline", "int", "long", "main", "register", "restrict", "return", "short",
    "signed", "sizeof", "static", "struct", "switch", "this", "typedef", "union", "unsigned", "void", "volatile",
    "while",
})  # fmt: skip


class Names:
    """Hands out unique C identifiers: ``k``, ``k_1``, ``k_2``."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, wish: str) -> str:
        """`wish` as an identifier, numbered if it is taken."""
        base = re.sub(r"\W", "_", wish, flags=re.ASCII) or "_"
        if base[0].isdigit() or base in _RESERVED:
            base = f"_{base}" if base[0].isdigit() else f"{base}_"
        name = base
        while name in self._taken:
            self._next[base] = self._next.get(base, 0) + 1
            name = f"{base}_{self._next[base]}"
        self._taken.add(name)
        return name


@user_facing
def lower_te(
    outputs: Tensor | Sequence[Tensor], inputs: Sequence[Argument] | None = None, name: str | None = None,
    updates: Mapping[Tensor, Tensor] | None = None, *, fewer_dimensions: bool = False,
    rounded: bool = False,
) -> Kernel:  # fmt: skip
    """The kernel that computes `outputs`.

    Args:
        outputs: computed tensors; each becomes an "out" parameter.
        inputs: placeholders and scalars in calling order; by default those in use, in order of first use.
        name: of the kernel; by default that of the last output.
        updates: for placeholders, what they hold when the kernel is done; every definition reads the old elements.
        rounded: whether 16-bit floats that are not stored are rounded as if they were, so that fusion changes no value.
        fewer_dimensions: whether loops see arrays with dimensions merged, see `akg.ir.collapse`; callers see
            those that they gave.

    Raises:
        AkgError: AKG-E244 for an output that cannot be one, AKG-E248 if `inputs` does not match what is in use,
            AKG-E247 for a size that no input tells.
    """
    results = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    targets = dict(updates or {})
    if results or not targets:
        _check_outputs(results)
    roots = tuple(dict.fromkeys((*results, *targets.values())))
    stages = [*build_stages(roots), *assignments(targets)]
    arguments = _check_inputs(stages, inputs, (*results, *targets))
    shapes: dict[Buffer, Buffer] = {}
    if fewer_dimensions:
        stages, shapes = without_ones(stages)
    stages = over_windows(stages)
    stages = inline_stages(stages, frozenset([shapes.get(t, t) for t in results]), rounded=rounded)
    if fewer_dimensions:
        stages, merged = collapse(small_first(stages))
        again = {old: merged.get(new, new) for old, new in shapes.items()}
        shapes = {**merged, **again}
    stages = [read_forwards(stage) for stage in split_axes([within_ranges(stage) for stage in stages])]
    sizes = _sizes(stages, arguments, results)
    title = name or (results or roots)[-1].op.name
    return _Emitter(arguments, results, sizes, targets, shapes).kernel(stages, title)


def _check_outputs(outputs: tuple[Tensor, ...]) -> None:
    if not outputs:
        raise AkgError(
            "AKG-E244", "no outputs", because="the list is empty", hint="give the tensors to compute: [C]"
        )
    for position, tensor in enumerate(outputs):
        if not isinstance(tensor, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(tensor).__name__
            raise AkgError(
                "AKG-E244", f"output {position} is of type {kind}", because="outputs are te tensors",
                hint="give what te.compute returned",
            )  # fmt: skip
        if isinstance(tensor.op, Placeholder):
            raise AkgError(
                "AKG-E244",
                f"output {tensor.name} is a placeholder",
                span=tensor.op.span,
                because="a kernel computes its outputs",
                hint="copy it: te.compute(A.shape, lambda *i: A[i])",
            )
        if tensor in outputs[:position]:
            raise AkgError(
                "AKG-E244", f"output {tensor.name} is given twice", because="each output is an array of its own",
                hint="give every output once",
            )  # fmt: skip


def arguments_of(outputs: Sequence[Tensor], updates: Mapping[Tensor, Tensor] | None = None) -> list[Argument]:
    """What `lower_te` takes as `inputs` for these outputs: placeholders and scalars, then sizes that no shape tells."""
    targets = dict(updates or {})
    stages = [*build_stages((*outputs, *targets.values())), *assignments(targets)]
    found = _arguments_in_use(stages)
    told = {s for t in found if isinstance(t, Tensor) for s in t.shape if isinstance(s, Var)}
    tensors = [t for t in found if isinstance(t, Tensor)]
    known = {*told, *found}  # a set: == on tensors and variables makes expressions
    sizes = [v for v in _symbols(stages, (*tensors, *outputs)) if v not in known]
    return [*found, *sizes]


def _arguments_in_use(stages: list[Stage]) -> list[Argument]:
    """Placeholders and scalars in order of first use."""
    used: dict[Argument, None] = {}
    for stage in stages:
        for load in stage.loads:
            if isinstance(load.buffer, Tensor) and isinstance(load.buffer.op, Placeholder):
                used[load.buffer] = None
        if isinstance(stage.target, Tensor):
            used[stage.target] = None
        for e in stage.expressions:
            used.update((v, None) for v in variables_of(e) if v.dtype is not index)
    return list(used)


def _check_inputs(
    stages: list[Stage], inputs: Sequence[Argument] | None, outputs: tuple[Tensor, ...]
) -> list[Argument]:
    used = _arguments_in_use(stages)
    if inputs is None:
        return used
    if not isinstance(inputs, (list, tuple)):
        raise AkgError(
            "AKG-E248", f"inputs is of type {type(inputs).__name__}", because="it lists arguments in calling order",
            hint="write inputs=[A, B]",
        )  # fmt: skip
    given: list[Argument] = []
    needed_sizes = set(_symbols(stages, outputs))
    for position, value in enumerate(inputs):
        if not isinstance(value, (Tensor, Var)) or (isinstance(value, Tensor) and isinstance(value.op, Compute)):
            kind = type(value).__name__
            what = f"{value.name}, which is computed" if isinstance(value, Tensor) else f"of type {kind}"
            raise AkgError(
                "AKG-E248", f"input {position} is {what}", because="inputs are placeholders and scalars",
                hint="give what te.placeholder, te.scalar or te.var returned",
            )  # fmt: skip
        if any(value is other for other in given):
            raise AkgError(
                "AKG-E248", f"input {value.name} is given twice", because="each input is an argument of its own",
                hint="give every input once",
            )  # fmt: skip
        is_size = value in needed_sizes if isinstance(value, Var) else any(s in needed_sizes for s in value.shape)
        if not any(value is other for other in used) and not is_size:
            raise AkgError(
                "AKG-E248",
                f"input {value.name} is not used",
                span=_span_of(value),
                because=f"no output depends on {value.name}",
                hint="leave it out of inputs",
            )
        given.append(value)
    for value in used:
        if not any(value is other for other in given):
            raise AkgError(
                "AKG-E248",
                f"{value.name} is missing from inputs",
                span=_span_of(value),
                because=f"the outputs depend on {value.name}",
                hint=f"add {value.name} to inputs, or leave inputs out to take all in order of first use",
            )
    return given


def _span_of(value: Argument) -> Span | None:
    return value.op.span if isinstance(value, Tensor) else None


def _symbols(stages: Iterable[Stage], buffers: Iterable[Buffer]) -> dict[Var, None]:
    """The index variables, apart from axes, of shapes, then of stages."""
    roots = [size for buffer in buffers for size in buffer.shape]
    for stage in stages:
        roots.extend(bound for axis in (*stage.axes, *stage.reduce_axes) for bound in (axis.begin, axis.end))
        roots.extend(stage.expressions)
    found: dict[Var, None] = {}
    for root in roots:
        if not isinstance(root, Const):
            found.update((v, None) for v in variables_of(root) if v.dtype is index and not is_axis_var(v))
    return found


def _told(tensors: Sequence[Tensor]) -> set[Var]:
    """The sizes that the extents of arrays give: a dimension such as ``2 * n + m - 1`` gives one that is unknown."""
    found: set[Var] = set()
    for _ in range(2):  # a later array may tell one of two, as calls find out in as many rounds
        for size in (s for tensor in tensors for s in tensor.shape):
            form = Affine.of(size)
            unknown = form.terms.keys() - found if form is not None else set[Var]()
            if len(unknown) == 1:
                found |= unknown
    return found


def _sizes(stages: list[Stage], arguments: list[Argument], outputs: tuple[Tensor, ...]) -> list[Var]:
    """The sizes that the caller passes along, in order of first appearance in the shapes of the inputs."""
    tensors = [a for a in arguments if isinstance(a, Tensor)]
    scalars = [a for a in arguments if isinstance(a, Var)]
    told = _told(tensors)
    sizes = [v for v in _symbols(stages, (*tensors, *outputs)) if v not in scalars]
    for size in sizes:
        if size not in told:
            shapes = ", ".join(f"{t.name} {shape_text(t.shape)}" for t in tensors) or "there are none"
            raise AkgError(
                "AKG-E247",
                f"size {size.name} cannot be told from the inputs",
                because=f"no dimension of an input gives it: {shapes}",
                hint=f"pass it as an argument: inputs=[..., {size.name}]",
            )
    return sizes


class _Emitter:
    """Gives everything its final name and writes the stages as loops."""

    def __init__(
        self, arguments: list[Argument], outputs: tuple[Tensor, ...], sizes: list[Var], updated: Container[Tensor],
        shapes: Mapping[Buffer, Buffer],
    ) -> None:  # fmt: skip
        self.names = Names()
        self.statements = Names()
        self.variables: dict[Var, Expr] = {}
        self.buffers: dict[Buffer, Buffer] = {}
        self.shapes = shapes  # what stages have in place of a tensor
        self.memo: dict[Expr, Expr] = {}
        # sizes come first, so that shapes can be written; their names give way to those of the buffers
        labels = {id(a): self.names.unique(a.name) for a in (*arguments, *outputs, *sizes)}
        for v in (*arguments, *sizes):
            if isinstance(v, Var):
                self.variables[v] = Var(labels[id(v)], v.dtype)
        self.params: list[Param] = []
        for value in arguments:
            if isinstance(value, Var):
                self.params.append(Param(self._var(value), "scalar"))
            else:
                role = "inout" if value in updated else "in"
                self.params.append(self._param(value, labels[id(value)], role))
        for tensor in outputs:
            self.params.append(self._param(tensor, labels[id(tensor)], "out"))
        self.params.extend(Param(self._var(v), "size") for v in sizes)

    def kernel(self, stages: list[Stage], name: str) -> Kernel:
        """The kernel made of `stages`."""
        temporaries: list[Buffer] = []
        for stage in stages:
            if stage.target is not None:
                self.buffers[stage.buffer] = self.buffers[stage.target]
            for buffer in stage.outputs:
                if buffer is not None and buffer not in self.buffers:
                    temporaries.append(self._declare(buffer, self.names.unique(buffer.name)))
        body = block(*[self._stage(stage) for stage in stages])
        for buffer in reversed(temporaries):
            body = Alloc(buffer, body)
        return Kernel(Names().unique(name), tuple(self.params), simplify_stmt(body))

    def _var(self, v: Var) -> Var:
        new = self.variables[v]
        assert isinstance(new, Var)
        return new

    def _param(self, tensor: Tensor, name: str, role: Role) -> Param:
        inner = self.shapes.get(tensor)
        if inner is None:
            return Param(self._declare(tensor, name), role)
        buffer = self.buffers[tensor] = self._declare(inner, name)
        return Param(buffer, role, tuple([self._final(s) for s in tensor.shape]))

    def _declare(self, old: Buffer, name: str) -> Buffer:
        new = Buffer(name, tuple([self._final(s) for s in old.shape]), old.dtype)
        self.buffers[old] = new
        return new

    def _final(self, root: Expr) -> Expr:
        """`root` over the variables and buffers of the kernel."""
        return rewrite(root, self._rename, self.memo)

    def _rename(self, node: Expr) -> Expr | None:
        if isinstance(node, Var):
            return self.variables.get(node)
        return Load(self.buffers[node.buffer], node.indices) if isinstance(node, Load) else None

    def _loops(self, axes: tuple[Axis, ...]) -> list[Var]:
        variables: list[Var] = []
        for axis in axes:
            new = Var(self.names.unique(plain_name(axis.var)))
            self.variables[axis.var] = new
            variables.append(new)
        self.memo = {}
        return variables

    def _nest(self, axes: tuple[Axis, ...], variables: list[Var], body: Stmt, span: Span | None) -> Stmt:
        for axis, v in zip(reversed(axes), reversed(variables), strict=True):
            body = For(v, self._final(axis.begin), self._final(axis.end), body, span=span)
        return body

    def _stage(self, stage: Stage) -> Stmt:
        outer = self._loops(stage.axes)
        place = tuple(outer) if stage.place is None else tuple([self._final(e) for e in stage.place])
        if stage.scan is not None:
            return self._scan(stage, stage.scan, outer)
        if stage.combiner is None:
            target = self.buffers[stage.buffer]
            name = self.statements.unique(target.name)
            store = Store(target, place, self._final(stage.values[0]), name, span=stage.span)
            return self._nest(stage.axes, outer, store, stage.span)
        inner = self._loops(stage.reduce_axes)
        inits: list[Stmt] = []
        for buffer, identity in zip(stage.outputs, stage.combiner.identity, strict=True):
            if buffer is not None and not stage.is_update:
                target = self.buffers[buffer]
                name = self.statements.unique(f"{target.name}_init")
                inits.append(Store(target, place, identity, name, span=stage.span))
        update = self._nest(stage.reduce_axes, inner, self._update(stage, place), stage.span)
        return self._nest(stage.axes, outer, block(*inits, update), stage.span)

    def _scan(self, stage: Stage, scan: Scan, variables: list[Var]) -> Stmt:
        """``if size > 0: { for others: T[0] = term[0]; for axes, from 1: T[i] = T[i - 1] op term[i] }``."""
        target, span = self.buffers[stage.buffer], stage.span
        term = self._final(stage.values[0])
        name = self.statements.unique(f"{target.name}_first")
        first: Stmt = first_element(scan, target, tuple(variables), term, name, span)
        others = [k for k in range(len(variables)) if k != scan.axis]
        first = self._nest(tuple([stage.axes[k] for k in others]), [variables[k] for k in others], first, span)
        variables = self._loops(stage.axes)
        term = self._final(stage.values[0])
        later: Stmt = next_element(scan, target, tuple(variables), term, self.statements.unique(target.name), span)
        for k in reversed(range(len(variables))):
            end = self._final(stage.axes[k].end)
            later = For(variables[k], Const(int(k == scan.axis)), end, later, span=span)
        return If(binary("gt", target.shape[scan.axis], 0), block(first, later), span=span)

    def _update(self, stage: Stage, place: tuple[Expr, ...]) -> Stmt:
        """One iteration of a reduction: every needed component takes in its term."""
        combiner = stage.combiner
        assert combiner is not None
        conditions = [] if stage.condition is None else _conjuncts(self._final(stage.condition))
        guard = [c for c in conditions if stage.is_update or is_affine_condition(c)]
        select_on = [c for c in conditions if not (stage.is_update or is_affine_condition(c))]
        targets = {p: self.buffers[b] for p, b in enumerate(stage.outputs) if b is not None}
        terms = {p: self._final(stage.values[p]) for p in targets}
        values = {p: _combined(combiner, p, targets, terms, place, select_on) for p in targets}
        order = _store_order(combiner, list(targets))
        if order is None:
            body = self._through_temporaries(stage, targets, values, place)
        else:
            body = block(*[self._update_store(stage, p, targets, values[p], place) for p in order])
        return If(reduce(lambda a, b: a & b, guard), body, span=stage.span) if guard else body

    def _update_store(
        self, stage: Stage, p: int, targets: dict[int, Buffer], value: Expr, place: tuple[Expr, ...]
    ) -> Stmt:
        combiner = stage.combiner
        assert combiner is not None
        is_read = any(p in old_values_read(combiner, q) for q in targets if q != p)
        tag = None if is_read else _reduction_tag(combiner, p)
        return Store(targets[p], place, value, self.statements.unique(targets[p].name), tag, stage.span)

    def _through_temporaries(
        self, stage: Stage, targets: dict[int, Buffer], values: dict[int, Expr], place: tuple[Expr, ...]
    ) -> Stmt:
        """Components that need each other's old values: all new values first, then all stores."""
        fresh = {p: Buffer(self.names.unique(f"{b.name}_new"), (), b.dtype, "local") for p, b in targets.items()}
        stores: list[Stmt] = []
        for p, buffer in fresh.items():
            stores.append(Store(buffer, (), values[p], self.statements.unique(buffer.name), span=stage.span))
        for p, buffer in targets.items():
            value = Load(fresh[p], ())
            stores.append(Store(buffer, place, value, self.statements.unique(buffer.name), span=stage.span))
        body = block(*stores)
        for buffer in reversed(fresh.values()):
            body = Alloc(buffer, body)
        return body


def _combined(
    combiner: Combiner, p: int, targets: dict[int, Buffer], terms: dict[int, Expr], place: tuple[Expr, ...],
    conditions: list[Expr],
) -> Expr:  # fmt: skip
    """The new value of component `p`; where one of `conditions` does not hold, the old one."""
    old = Load(targets[p], place)
    if _reduction_tag(combiner, p) is not None:
        term = terms[p]
        for condition in reversed(conditions):  # nested: a later condition may read what an earlier one guards
            term = Select(condition, term, combiner.identity[p])
        result = combiner.result[p]
        assert isinstance(result, Binary)
        return Binary(result.op, old, term)
    values: dict[Var, Expr] = {}
    for q, target in targets.items():
        values[combiner.lhs[q]] = Load(target, place)
        values[combiner.rhs[q]] = terms[q]
    value = rewrite(combiner.result[p], lambda node: values.get(node) if isinstance(node, Var) else None)
    for condition in reversed(conditions):
        value = Select(condition, value, old)
    return value


def _conjuncts(condition: Expr) -> list[Expr]:
    """The conditions that `condition` is the conjunction of."""
    if isinstance(condition, Binary) and condition.op == "and":
        return [*_conjuncts(condition.a), *_conjuncts(condition.b)]
    return [condition]


def _reduction_tag(combiner: Combiner, p: int) -> str | None:
    """The name of the built-in reduction that component `p` is, if it is one by itself."""
    result = combiner.result[p]
    if isinstance(result, Binary) and {result.a, result.b} == {combiner.lhs[p], combiner.rhs[p]}:
        return next((name for name, op in REDUCTIONS.items() if op == result.op), None)
    return None


def _store_order(combiner: Combiner, components: list[int]) -> list[int] | None:
    """An order in which no component is stored before another reads its old value, or None."""
    order: list[int] = []
    pending = list(components)
    while pending:
        ready = [p for p in pending if not any(p in old_values_read(combiner, q) for q in pending if q != p)]
        if not ready:
            return None
        order.append(ready[0])
        pending.remove(ready[0])
    return order
