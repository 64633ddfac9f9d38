"""Operands of sums whose steps one instruction takes together are laid out with these steps side by side.

    Before:  for c in [0, 64): for k in [0, 3):
                 unroll x in [0, 14): vector f in [0, 32): r[x, f] += x_pad[c, y, x + k] * w_packed[c * 96 + k * 32 + f]
    After:   for c in [0, 32): vector q: unroll n in [0, 2): x_pairs[c, q, n] = x_pad[c * 2 + n, q]
             ... and w_pairs in the same way ...
             for c in [0, 32): for k in [0, 3): unroll x: vector f:
                 unroll n in [0, 2): r[x, f] += x_pairs[c, y * 16 + x + k, n] * w_pairs[(c * 96 + k * 32 + f) * 2 + n]

Processors add the products of two neighbours of 16 bits to one sum (`akg.base.dot`). The taps of a convolution are
neighbours, too, but there are three of them, or one; input channels are many. Where neither operand has its steps side
by side, both are copied, as in Georganas et al. 2021 (arXiv:2104.05755); an operand of which a part has been packed
already (`akg.poly.loops.pack`) has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from akg.base.dot import Dot, dot_of
from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Cast, Const, Expr, Load, Var, binary, cast
from akg.ir.neighbours import in_steps
from akg.ir.rewrite import buffers_written, map_children, replace_buffer, rewrite_stmt, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, Stmt, Store, block, walk
from akg.poly.loops.contract import sites

LEAST_USES = 16  # products for each element that is copied: a copy costs a few of them


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the steps of a sum lie in an operand: elements before, steps, and elements of each step, row by row.

    Attributes:
        buffer: of constant shape.
        dimension: the one that steps move, in units of `stride` elements of it.
        stride: elements between steps.
        overlaps: whether windows start anywhere: each element then has the one a step further on beside it, and the
            copy twice the elements.
    """

    buffer: Buffer
    dimension: int
    stride: int
    overlaps: bool

    @property
    def shape(self) -> tuple[int, ...]:
        assert self.buffer.const_shape is not None
        return self.buffer.const_shape

    @property
    def each(self) -> int:
        """Elements of a step."""
        return self.stride * prod(self.shape[self.dimension + 1 :])


@dataclass(frozen=True, slots=True)
class _Plan:
    """Sums in a nest: the loop over the steps of each, and their operands."""

    loops: tuple[For, ...]
    operands: tuple[_Layout, ...]
    dot: Dot


def pair_steps(
    body: Stmt, fresh: Callable[[str], Var], target: Target, note: Callable[[str], None], *, in_parallel: bool = False
) -> Stmt:
    """`body` with the operands of sums over narrow types laid out for instructions that take several steps.

    Args:
        body: the loops, operands packed and accumulators in registers.
        fresh: makes unused names.
        target: the machine and its instructions.
        note: told what was decided.
        in_parallel: whether threads share a loop around `body`.
    """
    if isinstance(body, For):
        plan = _plan(body, target)
        if plan is not None:
            names = " and ".join(layout.buffer.name for layout in plan.operands)
            note(f"{names}: {plan.dot.steps} steps of {plan.loops[0].var.name} side by side for {plan.dot.name}")
            return _paired(body, plan, fresh, in_parallel)
        in_parallel = in_parallel or body.kind == "parallel"
    return map_children(body, lambda inner: pair_steps(inner, fresh, target, note, in_parallel=in_parallel))


def _plan(nest: For, target: Target) -> _Plan | None:
    """The sums of products in a nest, if they are all of one pair of operands that others leave alone."""
    found = _sums(nest, target)
    if not found:
        return None
    first = found[0].loads
    dot = dot_of(target, first[0].dtype, target.lanes(32))
    buffers = [load.buffer for load in first]
    written = buffers_written(nest)
    if dot is None or len(set(buffers)) < 2 or any(b in written or b.const_shape is None for b in buffers):
        return None
    layouts: list[_Layout] = []
    loops: dict[Var, For] = {}
    for one in found:
        loop = _steps_loop(one, dot)
        if loop is None or [load.buffer for load in one.loads] != buffers:
            return None
        own = [_layout(load, loop, one.around, dot) for load in one.loads]
        layouts = layouts or [layout for layout in own if layout is not None]
        if own != layouts:
            return None
        loops[loop.var] = loop
    if any(len(sites(nest, b)) != len(found) for b in buffers):
        return None
    products = sum(prod([_most_trips(f) for f in one.around]) for one in found)
    size = sum(prod(layout.shape) * (dot.steps if layout.overlaps else 1) for layout in layouts)
    return _Plan(tuple(loops.values()), tuple(layouts), dot) if products >= LEAST_USES * size else None


@dataclass(frozen=True, slots=True)
class _Sum:
    """The update of a sum by a product of two narrow elements.

    Attributes:
        around: the loops around it, outermost first.
        steps: those of them inside the allocation of the sum that do not move it.
        loads: the two elements.
    """

    around: tuple[For, ...]
    steps: tuple[For, ...]
    loads: tuple[Load, Load]


def _sums(nest: Stmt, target: Target) -> list[_Sum]:
    """The sums of products of narrow elements in a nest."""
    found: list[_Sum] = []
    depth: dict[Buffer, int] = {}

    def visit(inner: Stmt, around: tuple[For, ...]) -> Stmt:
        if isinstance(inner, Alloc):
            depth[inner.buffer] = len(around)
        if isinstance(inner, Store):
            loads = _factors(inner, target)
            if loads is not None:
                moved = {v for i in inner.indices for v in variables_of(i)}
                own = around[depth.get(inner.buffer, 0) :]
                found.append(_Sum(around, tuple([f for f in own if f.var not in moved]), loads))
            return inner
        outer = (*around, inner) if isinstance(inner, For) else around
        return map_children(inner, lambda s: visit(s, outer))

    visit(nest, ())
    return found


def _factors(store: Store, target: Target) -> tuple[Load, Load] | None:
    value = store.value
    if store.reduction != "sum" or not isinstance(value, Binary) or value.op != "add":
        return None
    if value.a is not Load(store.buffer, store.indices):
        return None
    factors = value.b.children if isinstance(value.b, Binary) and value.b.op == "mul" else ()
    loads = [f.a for f in factors if isinstance(f, Cast) and isinstance(f.a, Load)]
    dots = [dot_of(target, load.dtype, target.lanes(32)) for load in loads]
    if len(loads) != 2 or dots[0] is None or dots[0] != dots[1]:
        return None
    return (loads[0], loads[1]) if all(f.dtype is dots[0].sums for f in factors) else None


def _steps_loop(one: _Sum, dot: Dot) -> For | None:
    """The outermost loop of whole groups that moves both operands of a sum, elsewhere than to the next element."""
    vectors = [loop for loop in one.around if loop.kind == "vector"]
    if len(vectors) != 1 or vectors[0] is not one.around[-1] or vectors[0] in one.steps:
        return None
    if sorted(_coefficient(load, vectors[0].var) for load in one.loads) != [0, 1]:
        return None
    for loop in one.steps:
        steps = [_coefficient(load, loop.var) for load in one.loads]
        trips = loop.const_trips or 0
        is_whole = loop.begin is Const(0) and loop.step == 1 and trips % dot.steps == 0 and trips > 0
        if loop.kind == "serial" and is_whole and all(step > 1 for step in steps):
            return loop
    return None


def _coefficient(load: Load, var: Var) -> int:
    """Elements between the places of neighbouring iterations; 0 for a load that is not affine."""
    shape = load.buffer.const_shape
    forms = [Affine.of(i) for i in load.indices]
    if shape is None:
        return 0
    total = 0
    for form, size in zip(forms, shape, strict=True):
        if form is None:
            return 0
        total = total * size + form.coefficient(var)
    return total


def _layout(load: Load, loop: For, around: tuple[For, ...], dot: Dot) -> _Layout | None:
    """How the steps of a loop lie in an operand; None if groups of them are not apart from each other."""
    forms = [Affine.of(i) for i in load.indices]
    moved = [(d, f) for d, f in enumerate(forms) if f is not None and f.coefficient(loop.var)]
    if len(moved) != 1:
        return None
    d, form = moved[0]
    stride = form.coefficient(loop.var)
    low, high = _range_within(form, stride * dot.steps, loop, around)
    layout = _Layout(load.buffer, d, stride, False)
    is_apart = low >= 0 and high < stride and layout.shape[d] % (stride * dot.steps) == 0
    return None if stride < 0 else layout if is_apart else replace(layout, overlaps=True)


def _range_within(form: Affine, period: int, loop: For, around: tuple[For, ...]) -> tuple[int, int]:
    """The least and greatest place within a step; other loops choose a step by multiples of `period`."""
    low = high = form.const % period
    for v, c in form.terms.items():
        if v is loop.var or c % period == 0:
            continue
        own = next((f for f in around if f.var is v), None)
        if own is None:
            return -1, period
        first, last = _least(own.begin), _least(own.begin) + (_most_trips(own) - 1) * own.step
        if _most_trips(own) == 0:
            return -1, period
        low, high = low + min(c * first, c * last), high + max(c * first, c * last)
    return low, high


def _least(begin: Expr) -> int:
    """A bound on where a loop begins."""
    if isinstance(begin, Binary) and begin.op == "max":
        return max(_least(begin.a), _least(begin.b))
    return int(begin) if isinstance(begin, Const) else -(1 << 40)


def _most_trips(loop: For) -> int:
    """A bound on the iterations of a loop; 0 if there is none."""
    least = _least(loop.begin)
    return 0 if least < -(1 << 39) else replace(loop, begin=Const(least)).max_trips or 0


def _paired(nest: For, plan: _Plan, fresh: Callable[[str], Var], in_parallel: bool) -> Stmt:
    """The nest over copies of both operands, behind the loops that make these."""
    dot, neighbours = plan.dot, set[Var]()

    def rule(stmt: Stmt) -> Stmt | None:
        loop = next((f for f in plan.loops if f is stmt), None)
        if loop is None or loop.const_trips is None:
            return None
        var = fresh(loop.var.name)

        def counter() -> Var:
            inner = fresh(f"{loop.var.name}_n")
            neighbours.add(inner)
            return inner

        body = in_steps(loop.body, loop.var, var * dot.steps, dot.steps, counter)
        return replace(loop, var=var, end=Const(loop.const_trips // dot.steps), body=body)

    result = rewrite_stmt(nest, rule)
    is_shared = not in_parallel and any(isinstance(s, For) and s.kind == "parallel" for s in walk(nest))
    for layout in reversed(plan.operands):
        size = prod(layout.shape) * (dot.steps if layout.overlaps else 1)
        scope = "local" if in_parallel else "global"
        copy = Buffer(fresh(f"{layout.buffer.name}_pairs").name, (Const(size),), dot.factors, scope)
        result = _over_copy(result, layout, copy, neighbours, dot)
        result = Alloc(copy, block(_fill(layout, copy, dot, is_shared, fresh), result))
    return result


def _over_copy(stmt: Stmt, layout: _Layout, copy: Buffer, neighbours: set[Var], dot: Dot) -> Stmt:
    """`stmt` with the reads of an operand in loops of neighbours from its copy."""
    d, period = layout.dimension, layout.stride * dot.steps
    rest = prod(layout.shape[d + 1 :])

    def access(indices: tuple[Expr, ...], n: Var) -> tuple[Buffer, tuple[Expr, ...]]:
        form = Affine.of(indices[d])
        assert form is not None
        form = form.without([n])
        if layout.overlaps:
            at = (*indices[:d], form.to_expr(), *indices[d + 1 :])
            place = Const(0)
            for index, size in zip(at, layout.shape, strict=True):
                place = place * size + index
            return copy, (simplify(place * dot.steps + n),)
        group = Affine({v: c for v, c in form.terms.items() if c % period == 0}, form.const // period * period)
        first, place = Const(0), (form - group).to_expr()
        for index, size in zip(indices[:d], layout.shape[:d], strict=True):
            first = first * size + index
        for index, size in zip(indices[d + 1 :], layout.shape[d + 1 :], strict=True):
            place = place * size + index
        first = first * layout.shape[d] + group.to_expr()
        return copy, (simplify(first * rest + place * dot.steps + n),)

    def rule(inner: Stmt) -> Stmt | None:
        if not isinstance(inner, For) or inner.var not in neighbours:
            return None
        return replace_buffer(inner, layout.buffer, lambda indices: access(indices, inner.var))

    return rewrite_stmt(stmt, rule)


def _fill(layout: _Layout, copy: Buffer, dot: Dot, is_shared: bool, fresh: Callable[[str], Var]) -> Stmt:
    """The loops that make a copy: over groups of steps, over the elements of one, over the steps of a group."""
    if layout.overlaps:
        return _fill_overlapping(layout, copy, dot, is_shared, fresh)
    d, period = layout.dimension, layout.stride * dot.steps
    before = [fresh("p") for _ in range(d)]
    group, element, n = fresh("g"), fresh("q"), fresh("n")
    digits: list[Expr] = []
    left = layout.each
    for size in (layout.stride, *layout.shape[d + 1 :]):
        if size == 1:
            digits.append(Const(0))
            continue
        # (q // left') - (q // left) * size: the digit, in a form whose multiples cancel in addresses
        rest = left // size
        high = binary("floordiv", element, Const(left)) if left < layout.each else Const(0)
        digits.append(binary("floordiv", element, Const(rest)) - high * size if rest > 1 else element - high * size)
        left = rest
    source = Load(layout.buffer, (*before, simplify(group * period + n * layout.stride + digits[0]), *digits[1:]))
    place: Expr = Const(0)
    for var, size in zip(before, layout.shape[:d], strict=True):
        place = place * size + var
    place = (place * (layout.shape[d] // period) + group) * (layout.each * dot.steps) + element * dot.steps + n
    stmt: Stmt = Store(copy, (simplify(place),), cast(source, dot.factors), fresh(f"{copy.name}_fill").name)
    stmt = For(n, Const(0), Const(dot.steps), stmt, "unroll")
    stmt = For(element, Const(0), Const(layout.each), stmt, "vector")
    return _nest([*zip(before, layout.shape[:d], strict=True), (group, layout.shape[d] // period)], stmt, is_shared)


def _fill_overlapping(
    layout: _Layout, copy: Buffer, dot: Dot, is_shared: bool, fresh: Callable[[str], Var]
) -> Stmt:  # fmt: skip
    """The loops that put beside each element those some steps further on, the last ones where there are none."""
    d, size = layout.dimension, layout.shape[layout.dimension]
    before = [fresh("p") for _ in range(d)]
    at, element, n = fresh("g"), fresh("q"), fresh("n")
    behind = layout.shape[d + 1 :]
    digits: list[Expr] = []
    left = prod(behind)
    for extent in behind:
        rest = left // extent
        high = binary("floordiv", element, Const(left)) if left < prod(behind) else Const(0)
        digits.append(binary("floordiv", element, Const(rest)) - high * extent if rest > 1 else element - high * extent)
        left = rest
    source = Load(layout.buffer, (*before, binary("min", at + n * layout.stride, Const(size - 1)), *digits))
    place: Expr = Const(0)
    for var, extent in zip(before, layout.shape[:d], strict=True):
        place = place * extent + var
    place = ((place * size + at) * prod(behind) + element) * dot.steps + n
    stmt: Stmt = Store(copy, (simplify(place),), cast(source, dot.factors), fresh(f"{copy.name}_fill").name)
    stmt = For(n, Const(0), Const(dot.steps), stmt, "unroll")
    stmt = For(element, Const(0), Const(prod(behind)), stmt, "vector")
    return _nest([*zip(before, layout.shape[:d], strict=True), (at, size)], stmt, is_shared)


def _nest(loops: list[tuple[Var, int]], stmt: Stmt, is_shared: bool) -> Stmt:
    """Loops from 0 around a statement; threads share the outermost one of more than one iteration."""
    outermost = max(range(len(loops)), key=lambda k: (loops[k][1] > 1, -k))
    for k in reversed(range(len(loops))):
        var, size = loops[k]
        stmt = For(var, Const(0), Const(size), stmt, "parallel" if is_shared and k == outermost else "serial")
    return stmt
