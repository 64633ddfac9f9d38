"""A definition as stages: each fills its outputs in one loop nest, elementwise or by one reduction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from akg.base.errors import Span
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Combiner, Const, Expr, Load, Reduce, Select, Var, binary, unary
from akg.ir.rewrite import loads_of, rewrite, variables_of, walk_expr
from akg.ir.te.scan import Scan
from akg.ir.te.scatter import Scatter
from akg.ir.te.tensor import Compute, Tensor, fresh_var


@dataclass(slots=True, eq=False)
class Stage:
    """One loop nest of the kernel.

    Attributes:
        axes: the spatial axes, which are the subscripts of every output unless `place` is.
        outputs: the buffers that it fills. For a reduction of tuples, None where a component is not needed.
        values: the element of each output; for a reduction, the term of each component.
        combiner: how terms combine, or None for an elementwise stage, which has one output.
        reduce_axes: the axes of the reduction.
        condition: where terms count.
        span: the user's te.compute.
        scan: for a running reduction, how it runs; the term is the value.
        place: the subscripts of every output, where they are not the axes themselves.
        is_update: whether a reduction goes on from what an earlier stage has put into the output.
        target: for an assignment, the placeholder whose elements the output takes over.
        is_window: whether the value is a window's, written out.
    """

    axes: tuple[Axis, ...]
    outputs: tuple[Buffer | None, ...]
    values: tuple[Expr, ...]
    combiner: Combiner | None = None
    reduce_axes: tuple[Axis, ...] = ()
    condition: Expr | None = None
    span: Span | None = None
    scan: Scan | None = None
    place: tuple[Expr, ...] | None = None
    is_update: bool = False
    target: Buffer | None = None
    is_window: bool = False

    @property
    def buffer(self) -> Buffer:
        """The (first) output."""
        return next(b for b in self.outputs if b is not None)

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """Every expression that the loop nest evaluates per iteration."""
        values = tuple([v for v, b in zip(self.values, self.outputs, strict=True) if b is not None])
        subscripts = self.place if self.is_update and self.place is not None else ()
        return (*values, *subscripts) if self.condition is None else (*values, *subscripts, self.condition)

    def change(self, changed: Callable[[Expr], Expr]) -> None:
        """Replace every expression that the loop nest evaluates."""
        self.values = tuple([changed(v) for v in self.values])
        if self.is_update and self.place is not None:
            self.place = tuple([changed(e) for e in self.place])
        self.condition = None if self.condition is None else changed(self.condition)

    @property
    def loads(self) -> list[Load]:
        """Every distinct load, in order of first occurrence."""
        return list(dict.fromkeys(load for e in self.expressions for load in loads_of(e)))


def build_stages(outputs: Sequence[Tensor]) -> list[Stage]:
    """The stages that `outputs` need, producers before consumers."""
    ops = _ordered_ops(outputs)
    needed: dict[Compute, dict[int, Tensor]] = {op: {} for op in ops}
    for tensor in outputs:
        if isinstance(tensor.op, Compute):
            needed[tensor.op][tensor.position] = tensor
    for op in reversed(ops):
        for position in needed[op]:
            for load in [load for e in op.read_by(position) for load in loads_of(e)]:
                source = load.buffer
                if isinstance(source, Tensor) and isinstance(source.op, Compute):
                    needed[source.op][source.position] = source
    return [stage for op in ops if needed[op] for stage in _split(op, needed[op])]


SMALL = 16  # times fewer iterations than the longest stage: what is computed once, on the side


def small_first(stages: list[Stage]) -> list[Stage]:
    """`stages` with short ones that depend on no other in front, so that they do not stand between longer ones.

    Before: a convolution, the scales of its channels, what reads both. After: the scales, the convolution, the reader.
    """
    trips = [_trips(stage) for stage in stages]
    made = {b for stage in stages for b in stage.outputs if b is not None}
    limit = max(trips, default=0) // SMALL
    front = [
        stage for stage, count in zip(stages, trips, strict=True)
        if count <= limit and stage.target is None and not stage.is_update
        and not any(load.buffer in made for load in stage.loads)
    ]  # fmt: skip
    return [*front, *[stage for stage in stages if stage not in front]]


def _trips(stage: Stage) -> int:
    """Iterations of a stage; symbols count as one."""
    total = 1
    for axis in (*stage.axes, *stage.reduce_axes):
        total *= max(int(axis.end), 1) if isinstance(axis.end, Const) else 1
    return total


def assignments(updates: Mapping[Tensor, Tensor]) -> list[Stage]:
    """The stages that give placeholders new elements, to come after all others: they see the old ones.

    Each has a buffer of its own, which takes the place of the placeholder's at the end. What another assignment would
    overwrite before it is read here is copied first.
    """
    copies: list[Stage] = []
    result: list[Stage] = []
    targets = list(updates)
    for position, (target, value) in enumerate(updates.items()):
        source: Buffer = value
        if value in targets[:position]:
            axes = _axes_of(value)
            source = Buffer(f"{value.name}_old", value.shape, value.dtype)
            copies.append(Stage(axes, (source,), (Load(value, tuple([a.var for a in axes])),)))
        axes = _axes_of(target)
        element = Load(source, tuple([a.var for a in axes]))
        new = Buffer(f"{target.name}_new", target.shape, target.dtype)
        result.append(Stage(axes, (new,), (element,), target=target))
    return [*copies, *result]


def _axes_of(tensor: Tensor) -> tuple[Axis, ...]:
    return tuple([Axis(fresh_var(f"i{d}"), Const(0), size, False) for d, size in enumerate(tensor.shape)])


def _ordered_ops(outputs: Iterable[Tensor]) -> list[Compute]:
    """Every `Compute` that the outputs depend on, each after those it reads (depth first, in reading order)."""
    order: dict[Compute, None] = {}
    stack: list[tuple[Compute, bool]] = [(t.op, False) for t in reversed(list(outputs)) if isinstance(t.op, Compute)]
    while stack:
        op, is_done = stack.pop()
        if is_done:
            order[op] = None
        elif op not in order:
            stack.append((op, True))
            sources = [load.buffer for p in range(len(op.bodies)) for e in op.read_by(p) for load in loads_of(e)]
            reads = [s.op for s in sources if isinstance(s, Tensor) and isinstance(s.op, Compute)]
            stack.extend((r, False) for r in reversed(reads) if r not in order)
    return list(order)


@dataclass(slots=True, eq=False)
class _Group:
    """The reductions of one definition that run in one loop nest."""

    first: Reduce
    guards: list[Expr | None] = field(default_factory=list)
    outputs: dict[int, Buffer] = field(default_factory=dict)
    needed: dict[int, None] = field(default_factory=dict)
    is_direct: bool = False


def _split(op: Compute, tensors: dict[int, Tensor]) -> list[Stage]:
    """Before: ``T[i] = sum_k(A[i, k]) * 0.5``. After: ``T_sum[i] = sum_k(A[i, k]); T[i] = T_sum[i] * 0.5``."""
    if isinstance(op, Scan):
        return [Stage(op.axes, (tensors[0],), op.bodies, op.combiner, span=op.span, scan=op)]
    if isinstance(op, Scatter):
        start = Stage(op.axes, (tensors[0],), op.bodies, span=op.span)
        return [start, Stage(op.domain, (tensors[0],), (op.term,), op.combiner, (), op.condition, op.span,
                             place=op.place, is_update=True)]  # fmt: skip
    groups: dict[tuple[int, ...], _Group] = {}
    elementwise: list[tuple[Tensor, Expr]] = []
    for position in sorted(tensors):
        body, tensor = op.bodies[position], tensors[position]
        if isinstance(body, Reduce):
            group = groups.setdefault(_group_key(body), _Group(body))
            group.needed[body.position] = None
            group.guards.append(None)
            group.is_direct = True
            if body.position not in group.outputs:
                group.outputs[body.position] = tensor
                continue
        else:
            for reduce, guard in _reductions_in(body):
                group = groups.setdefault(_group_key(reduce), _Group(reduce))
                group.needed[reduce.position] = None
                group.guards.append(guard)
        elementwise.append((tensor, body))
    stages = [_reduction_stage(op, group) for group in groups.values()]
    places = dict(zip(groups, stages, strict=True))

    def read_result(node: Expr) -> Expr | None:
        if not isinstance(node, Reduce):
            return None
        stage = places[_group_key(node)]
        buffer = stage.outputs[node.position]
        assert buffer is not None
        return Load(buffer, tuple([axis.var for axis in stage.axes]))

    for tensor, body in elementwise:
        stages.append(Stage(op.axes, (tensor,), (rewrite(body, read_result),), span=op.span))
    return stages


def _group_key(node: Reduce) -> tuple[int, ...]:
    """Identities of what a reduction computes; components of one tuple reduction agree."""
    parts = (node.combiner, node.condition, *node.args, *[axis.var for axis in node.axes])
    return tuple([id(p) for p in parts])


def _reductions_in(body: Expr) -> list[tuple[Reduce, Expr | None]]:
    """Each reduction in `body` with the condition of the lazy selects around it (None if always evaluated)."""
    found: list[tuple[Reduce, Expr | None]] = []
    if not any(isinstance(n, Reduce) for n in walk_expr(body)):
        return found
    seen: set[tuple[int, int]] = set()

    def visit(node: Expr, guard: Expr | None) -> None:
        if (id(node), id(guard)) in seen:
            return
        seen.add((id(node), id(guard)))
        if isinstance(node, Reduce):
            found.append((node, guard))
        elif isinstance(node, Select):
            visit(node.cond, guard)
            # a condition that itself reduces cannot guard a reduction of the same definition
            known = not any(isinstance(n, Reduce) for n in walk_expr(node.cond))
            visit(node.a, _conjunction(guard, node.cond) if known else guard)
            visit(node.b, _conjunction(guard, unary("not", node.cond)) if known else guard)
        else:
            for child in node.children:
                visit(child, guard)

    visit(body, None)
    return found


def _conjunction(a: Expr | None, b: Expr | None) -> Expr | None:
    if a is None or b is None:
        return b if a is None else a
    return binary("and", a, b)


def _reduction_stage(op: Compute, group: _Group) -> Stage:
    node = group.first
    condition = node.condition
    guards = [g for g in group.guards if g is not None]
    if len(guards) == len(group.guards):  # evaluated only under conditions: read nothing where none holds
        guard = guards[0]
        for other in guards[1:]:
            guard = binary("or", guard, other)
        condition = _conjunction(guard, condition)
    components = needed_components(node.combiner, tuple(group.needed))
    axes = op.axes
    if not group.is_direct:  # a temporary has only the axes that its value depends on
        used: set[Var] = set()
        bounds = [bound for axis in node.axes for bound in (axis.begin, axis.end)]
        for e in (*[node.args[p] for p in components], *bounds, *([] if condition is None else [condition])):
            used.update(variables_of(e))
        axes = tuple([axis for axis in op.axes if axis.var in used])
    shape = tuple([axis.end for axis in axes])
    outputs: list[Buffer | None] = []
    for p, arg in enumerate(node.args):
        buffer = group.outputs.get(p)
        if buffer is None and p in components:
            buffer = Buffer(f"{op.name}_{node.combiner.name}", shape, arg.dtype)
        outputs.append(buffer)
    return Stage(axes, tuple(outputs), node.args, node.combiner, node.axes, condition, op.span)


def needed_components(combiner: Combiner, wanted: Iterable[int]) -> list[int]:
    """The components that must be computed for those `wanted`, in ascending order."""
    needed = set(wanted)
    pending = list(needed)
    while pending:
        for other in old_values_read(combiner, pending.pop()):
            if other not in needed:
                needed.add(other)
                pending.append(other)
    return sorted(needed)


def old_values_read(combiner: Combiner, position: int) -> list[int]:
    """The components whose old value the new value of one component depends on."""
    variables = set(variables_of(combiner.result[position]))
    return [p for p, v in enumerate(combiner.lhs) if v in variables]
