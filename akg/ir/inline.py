"""Inlining of elementwise stages into the stages that read them.

A stage S is inlined if it is elementwise, not an output of the kernel, and one of these holds:

  * *free*: its value only moves or converts data (loads, constants, casts, index arithmetic);
  * *once*: exactly one load in all stages reads it, and that load reads no element twice: its subscripts tell
    all iterations of the consumer apart, those of reduction axes included;
  * *cheap*: its value has no costly operation (division, a function other than rounding), all the loads of it
    together add at most `RECOMPUTE_LIMIT` operations, and no reduction reads an element of it repeatedly. A
    padding (a select on indices around a load) that a reduction reads stays, too, so that the reduction's
    inner loop has no condition; but windows that are written out (`akg.ir.windows`) read their padding in place.

A stage is not inlined into an assignment, though, if it would then read elements that have been assigned by then: of
other targets that come before, or of the same target at other places.

What is not inlined is computed once, into a temporary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import loads_of, rewrite, substitute
from akg.ir.simplify import simplify
from akg.ir.stage import Stage
from akg.ir.te.reduction import widened
from akg.ir.twins import merge_twins

RECOMPUTE_LIMIT = 4  # operations
LEAST_ROW = 8  # elements of a row whose windows read their padding in place
SIZE_LIMIT = 128  # operations of one value: bounds the depth of expressions
CHEAP_CALLS = frozenset({"floor", "ceil", "round", "trunc", "fma", "muladd", "copysign", "isnan", "isinf", "isfinite"})
COSTLY_OPS = frozenset({"div", "floordiv", "mod"})


@dataclass(frozen=True, slots=True)
class Profile:
    """What it takes to compute a value: number of operations, any costly one, any select on indices over a load."""

    operations: int
    is_costly: bool
    is_padding: bool


def inline_stages(stages: list[Stage], keep: frozenset[Buffer], *, rounded: bool = False) -> list[Stage]:
    """`stages` without those that were inlined, each of the others once; `keep` are the outputs of the kernel.

    With `rounded`, a 16-bit float that is not stored any more is rounded as the store would have done.
    """
    stages = merge_twins(stages, keep)
    assigned = {stage.target: k for k, stage in enumerate(stages) if stage.target is not None}
    kept: list[Stage] = []
    readers: dict[Buffer, dict[Stage, None]] = {}
    for stage in stages:
        for load in stage.loads:
            readers.setdefault(load.buffer, {})[stage] = None
    updated = {stage.buffer for stage in stages if stage.is_update}
    for stage in stages:
        consumers = readers.get(stage.buffer, {})
        if stage.combiner is not None or stage.buffer in keep or stage.buffer in updated or stage.target is not None:
            kept.append(stage)
            continue
        reads = [(c, load) for c in consumers for load in c.loads if load.buffer is stage.buffer]
        if any(_reads_assigned(stage, c, load, assigned) for c, load in reads) or not should_inline(stage, reads):
            kept.append(stage)
            continue
        for consumer in consumers:
            _inline_into(consumer, stage, rounded)
            for load in consumer.loads:
                readers.setdefault(load.buffer, {})[consumer] = None
    return merge_twins(kept, keep, elementwise=True)


def _reads_assigned(stage: Stage, consumer: Stage, load: Load, assigned: Mapping[Buffer, int]) -> bool:
    """Whether the value of `stage`, in place of `load` in an assignment, would read what has been assigned by then."""
    if consumer.target is None:
        return False
    position = assigned[consumer.target]
    axes = tuple([axis.var for axis in stage.axes])
    own = tuple([axis.var for axis in consumer.axes]) == load.indices
    return any(
        not (own and read.indices == axes) if read.buffer is consumer.target else assigned[read.buffer] < position
        for read in stage.loads
        if read.buffer in assigned
    )


def should_inline(stage: Stage, reads: list[tuple[Stage, Load]]) -> bool:
    """The rule of this module for one elementwise stage and all the loads of it."""
    profile = profile_of(stage.values[0])
    if profile.operations == 0:
        return True
    if profile.operations > SIZE_LIMIT:
        return False
    if all(consumer.is_window for consumer, _ in reads):
        is_simple = _is_constant_padding(stage.values[0]) and all(_runs_along(*read) for read in reads)
        return not stage.is_window and (is_simple or profile.operations <= 1)
    distinct = [reads_once(consumer, load) for consumer, load in reads]
    if len(reads) == 1 and distinct[0]:
        return True
    if profile.is_costly or profile.operations * (len(reads) - 1) > RECOMPUTE_LIMIT:
        return False
    return not any(
        consumer.combiner is not None and (profile.is_padding or not once)
        for (consumer, _), once in zip(reads, distinct, strict=True)
    )


def _runs_along(consumer: Stage, load: Load) -> bool:
    """Whether neighbours of a row that fills half a vector read neighbours: then few lanes differ from the others."""
    if not consumer.axes or not load.indices:
        return False
    row, form = consumer.axes[-1], Affine.of(load.indices[-1])
    is_long = not isinstance(row.end, Const) or int(row.end) >= LEAST_ROW
    return is_long and form is not None and form.coefficient(row.var) == 1


def _is_constant_padding(value: Expr) -> bool:
    """Whether a value is a load where a condition of indices holds, and a constant elsewhere."""
    if not isinstance(value, Select) or loads_of(value.cond):
        return False
    return isinstance(value.a, Load) and isinstance(value.b, Const)


def profile_of(value: Expr) -> Profile:
    """The cost of a value, apart from its subscripts."""
    operations, is_costly, is_padding = 0, False, False
    stack, seen = [value], {value}
    while stack:
        node = stack.pop()
        if isinstance(node, Load):
            continue
        if isinstance(node, (Unary, Binary, Select, Call)) and not _is_index(node):
            operations += 1
            is_costly |= isinstance(node, Binary) and node.op in COSTLY_OPS
            is_costly |= isinstance(node, Call) and node.fn not in CHEAP_CALLS
            is_padding |= isinstance(node, Select) and not loads_of(node.cond) and bool(loads_of(node))
        for child in node.children:
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return Profile(operations, is_costly, is_padding)


def _is_index(node: Expr) -> bool:
    """Whether a node is arithmetic on indices or a condition of them, which loops make cheap."""
    return node.dtype is index or (isinstance(node, Binary) and node.a.dtype is index)


def _is_exact(value: Expr) -> bool:
    """Whether a 16-bit float is one without rounding: it was rounded before, and only its sign or choice is new."""
    if isinstance(value, Unary):
        return _is_exact(value.a)
    if isinstance(value, Select):
        return _is_exact(value.a) and _is_exact(value.b)
    if isinstance(value, Binary):
        return value.op in ("min", "max") and _is_exact(value.a) and _is_exact(value.b)
    return not isinstance(value, Call)


def reads_once(consumer: Stage, load: Load) -> bool:
    """Whether `load` reads a different element in every iteration of its stage."""
    axes = {axis.var: axis for axis in (*consumer.axes, *consumer.reduce_axes)}
    fixed: set[Var] = set()
    divided: dict[tuple[Var, int], set[str]] = {}
    for subscript in load.indices:
        form = Affine.of(subscript)
        if form is not None:
            fixed.update(_told_apart(form, axes))
        elif isinstance(subscript, Binary) and isinstance(subscript.a, Var) and isinstance(subscript.b, Const):
            parts = divided.setdefault((subscript.a, int(subscript.b)), set())  # i // c and i % c tell i
            parts.add(subscript.op)
            if parts == {"floordiv", "mod"}:
                fixed.add(subscript.a)
    return len(fixed & axes.keys()) == len(axes)


def _told_apart(form: Affine, axes: dict[Var, Axis]) -> list[Var]:
    """The axes that the value of `form` determines: a single one, or the digits of a mixed-radix number."""
    terms = sorted(((abs(c), v) for v, c in form.terms.items() if v in axes), key=lambda term: term[0])
    if len(terms) <= 1:
        return [v for _, v in terms]
    span = 0
    for c, v in terms:
        extent = axes[v].end - axes[v].begin
        if c <= span or not isinstance(extent, Const):
            # the most significant digit may have any extent
            return [v for _, v in terms] if c > span and v is terms[-1][1] else []
        span += c * max(int(extent) - 1, 0)
    return [v for _, v in terms]


def _inline_into(consumer: Stage, producer: Stage, rounded: bool) -> None:
    """Replace every load of the producer in the consumer by its value."""
    buffer, value = producer.buffer, producer.values[0]
    if rounded and value.dtype.compute is not value.dtype and not _is_exact(value):
        value = Cast(widened(value, {}), value.dtype)
    axes = [axis.var for axis in producer.axes]

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Load) and node.buffer is buffer:
            return substitute(value, dict(zip(axes, node.indices, strict=True)))
        if isinstance(node, Cast) and isinstance(node.a, Cast) and node.dtype is index and node.a.a.dtype is index:
            return node.a.a  # an index that went through memory
        return None

    memo: dict[Expr, Expr] = {}
    consumer.change(lambda e: simplify(rewrite(e, rule, memo)))
