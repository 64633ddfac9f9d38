"""How long loop IR should take: what its ports, caches and memory each need, and which of them bounds it.

The model of Williams et al. 2009 (roofline), with a roof for each port and each level of the caches, over the loops
as the backend gets them. Instructions are counted as it emits them: one for a vector of iterations, invariant ones
outside of the loops that they do not depend on, one load for all iterations of an unrolled loop that read the same.
Bytes that a cache of some size has to fetch follow from what loops touch: what fits is fetched once, else again in
each iteration of the loops outside, unless these reuse it. Nothing is run; sizes must be constants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from akg.base.dot import dot_of
from akg.base.target import Target
from akg.codegen.legalize import legalize
from akg.codegen.llvm.scaling import native_calls
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Unary, Var
from akg.ir.rewrite import loads_of, variables_of, walk_expr
from akg.ir.stmt import For, If, Kernel, Stmt, Store, sub_statements
from akg.poly.price import LINE_BYTES

OVERLAP_POWER = 4  # resources that overlap: the p-norm of their times
TURN = 4.0  # shuffles for each vector of a block that is turned in registers
DIVISION = 10.0  # multiply-adds that a vector of quotients or roots takes the pipes for
STREAMED_SHARE = 4  # outputs of more than this part of the last cache are written past the caches
KEPT_SHARE = 0.9  # of a cache that data may take to stay there


@dataclass(frozen=True, slots=True)
class Roof:
    """One resource: its name and the microseconds that it needs."""

    name: str
    us: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a kernel should take.

    Attributes:
        us: microseconds of a call.
        roofs: the resources, slowest first.
        threads: that it runs on.
    """

    us: float
    roofs: tuple[Roof, ...]
    threads: int

    @property
    def bound(self) -> Roof:
        """The resource that needs most."""
        return self.roofs[0]

    def __str__(self) -> str:
        second = next((r for r in self.roofs[1:] if r.us > 0), None)
        where = f"{self.threads} threads" if self.threads > 1 else "one thread"
        text = f"{time_text(self.us)} on {where}; of it {self.bound.us / self.us:.0%} for {self.bound.name} alone"
        return text + (f", {second.us / self.us:.0%} for {second.name}" if second is not None else "")


def time_text(us: float) -> str:
    """A time in the unit that fits it."""
    return f"{us / 1000:.3g} ms" if us >= 1000 else f"{us:.3g} us"


class UnknownSize(Exception):
    """A loop or an array whose size is not a constant."""


def predict(kernel: Kernel, target: Target, threads: int = 1) -> Prediction | None:
    """The time of one call of loop IR, its operands where the call before left them; None for symbolic sizes.

    Args:
        kernel: the loops that the backend gets.
        target: the machine.
        threads: that share parallel loops.
    """
    try:
        return _Counter(legalize(kernel, native_calls(target)), target).prediction(threads)
    except UnknownSize:
        return None


@dataclass(frozen=True, slots=True)
class _Loop:
    var: Var
    trips: int
    kind: str
    step: int


@dataclass(frozen=True, slots=True)
class _Touch:
    """An access, with the loops around it."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    loops: tuple[_Loop, ...]
    writes: bool


class _Counter:
    """Counts instructions over the loops, and the bytes between caches."""

    def __init__(self, kernel: Kernel, target: Target) -> None:
        self.kernel, self.target = kernel, target
        self.counts: defaultdict[str, float] = defaultdict(float)
        self.touches: list[_Touch] = []
        self.middle: dict[Var, float] = {}
        self.visit(kernel.body, ())

    # -- instructions -----------------------------------------------------------------------------------

    def visit(self, stmt: Stmt, loops: tuple[_Loop, ...]) -> None:
        if isinstance(stmt, For):
            begin, end = self.value(stmt.begin), self.value(stmt.end)
            trips = max(round((end - begin) / stmt.step), 0)
            self.middle[stmt.var] = begin + (end - begin) / 2
            if trips:
                self.visit(stmt.body, (*loops, _Loop(stmt.var, trips, stmt.kind, stmt.step)))
            return
        if isinstance(stmt, If):
            branch = stmt.then if self.holds(stmt.cond) else stmt.orelse
            if branch is not None:
                self.visit(branch, loops)
            return
        if isinstance(stmt, Store):
            self.store(stmt, loops)
        for inner in sub_statements(stmt):
            self.visit(inner, loops)

    def holds(self, cond: Expr) -> bool:
        """Whether a condition holds where loops are half way; one on data is taken to."""
        try:
            return self.value(cond) > 0
        except UnknownSize:
            return True

    def value(self, expr: Expr) -> float:
        """An index expression where outer loops are half way."""
        if isinstance(expr, Const):
            return float(expr.value)
        if isinstance(expr, Var) and expr in self.middle:
            return self.middle[expr]
        if isinstance(expr, Unary) and expr.op in ("neg", "not"):
            return -self.value(expr.a) if expr.op == "neg" else 1.0 - self.value(expr.a)
        if isinstance(expr, Binary) and expr.op in _ARITHMETIC:
            return _ARITHMETIC[expr.op](self.value(expr.a), self.value(expr.b))
        if isinstance(expr, Select):
            return max(self.value(expr.a), self.value(expr.b))
        raise UnknownSize

    def store(self, store: Store, loops: tuple[_Loop, ...]) -> None:
        loads, nodes = loads_of(store.value), list(walk_expr(store.value))
        sizes = [b.dtype.compute.itemsize_bytes for b in (store.buffer, *[x.buffer for x in loads])]
        lanes = self.target.lanes(8 * max(sizes))
        narrow = {x.dtype for x in loads if dot_of(self.target, x.dtype, lanes) is not None}
        is_dot = bool(narrow) and store.reduction == "sum" and [x.kind for x in loops[-2:]] == ["vector", "unroll"]
        run = loops
        if is_dot:  # steps that one instruction takes
            run, nodes = loops[:-1], [x for x in nodes if not isinstance(x, Cast)]
        terms = [t for x in nodes if isinstance(x, Binary) and x.op in ("add", "sub") for t in (x.a, x.b)]
        fused: set[Expr] = {t for t in terms if isinstance(t, Binary) and t.op == "mul"}
        for node in nodes:
            if isinstance(node, Load):
                self.access(_Touch(node.buffer, node.indices, loops, False), run, lanes)
            elif node not in fused:
                kind, weight = _instruction(node, fused)
                if weight:
                    self.counts[kind] += weight * _times(run, set(variables_of(node)), lanes)
        self.access(_Touch(store.buffer, store.indices, loops, True), run, lanes)

    def access(self, touch: _Touch, loops: tuple[_Loop, ...], lanes: int) -> None:
        """Count the instructions of an access in some loops."""
        buffer, kind = touch.buffer, "stores" if touch.writes else "loads"
        if buffer.scope == "register" or not buffer.shape:
            return
        if buffer.const_shape is None:
            raise UnknownSize
        self.touches.append(touch)
        used = {v for index in touch.indices for v in variables_of(index)}
        vectors = [loop.var for loop in loops if loop.kind == "vector"]
        count = _times(loops, used, lanes)
        if not vectors or vectors[-1] not in used:
            self.counts[kind] += count * (self.target.core.broadcast if vectors else 1.0)
            return
        step = abs(_stride(touch, vectors[-1]))
        if step != 1 and len(vectors) > 1 and abs(_stride(touch, vectors[-2])) == 1:
            self.counts["operations"] += TURN * count
            step = 1
        self.counts[kind] += count * (min(step, lanes) or lanes)

    # -- bytes ------------------------------------------------------------------------------------------

    def fetched(self, size: int) -> float:
        """Bytes that go into a cache of `size` bytes, and out of it."""
        if not size:
            return 0.0
        capacity = KEPT_SHARE * size
        moved = _moved(self.touches, 0, capacity)
        written = _moved([t for t in self.touches if t.writes], 0, capacity)
        total, is_last = sum(_footprints(self.touches, 0).values()), size == self.target.l3_bytes
        # what the call before left: of a shared cache, as much as others let stay
        missing = min(max(total / size - KEPT_SHARE / 2, 0.0), 1.0) if is_last else float(total > capacity)
        read = {t.buffer for t in self.touches if not t.writes}
        streams = [b for b, n in written.items() if is_last and n * STREAMED_SHARE >= size and b not in read]
        return missing * (sum(moved.values()) + sum(n for b, n in written.items() if b not in streams))

    # -- time -------------------------------------------------------------------------------------------

    def prediction(self, threads: int) -> Prediction:
        """The time of a call, each resource beside the others."""
        core, counts, target = self.target.core, self.counts, self.target
        is_shared = any(loop.kind == "parallel" for t in self.touches for loop in t.loops)
        team = threads if is_shared else 1
        ghz = core.clock_ghz * 1000  # cycles in a microsecond
        multiply_adds, others = counts["multiply_adds"], counts["operations"] + counts["conversions"]
        near, l3 = core.l2_cycle_bytes * team, core.l3_cycle_bytes * team
        memory = core.memory_cycle_bytes * min(team, core.memory_cores)
        cycles = {
            "multiply-adds": multiply_adds / core.multiply_adds / team,
            "vector operations": (multiply_adds + others) / core.operations / team,
            "loads": counts["loads"] / core.loads / team,
            "stores": counts["stores"] / core.stores / team,
            "the second-level cache": self.fetched(target.l1_bytes) / near,
            "the last cache": self.fetched(target.l2_bytes) / l3 if target.l3_bytes else 0.0,
            "memory": self.fetched(target.l3_bytes or target.l2_bytes) / memory,
        }
        roofs = sorted([Roof(name, n / ghz) for name, n in cycles.items()], key=lambda r: -r.us)
        total = sum(r.us**OVERLAP_POWER for r in roofs) ** (1 / OVERLAP_POWER)
        return Prediction(total + (core.wake_us if team > 1 else 0.0), tuple(roofs), team)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "min": min, "max": max,
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "lt": lambda a, b: float(a < b),
    "le": lambda a, b: float(a <= b), "gt": lambda a, b: float(a > b), "ge": lambda a, b: float(a >= b),
    "eq": lambda a, b: float(a == b), "ne": lambda a, b: float(a != b), "and": min, "or": max,
}  # fmt: skip


def _instruction(node: Expr, fused: set[Expr]) -> tuple[str, float]:
    """The kind of an operation on data, and how many instructions it takes; products in `fused` take none."""
    if isinstance(node, Cast):
        return "conversions", float(node.dtype.is_float or node.a.dtype.is_float)
    if isinstance(node, Call) and node.fn == "fma":
        return "multiply_adds", 1.0
    if isinstance(node, Binary) and (node.dtype.is_float or loads_of(node)):
        if node.op == "div":
            return "multiply_adds", DIVISION
        is_product = node.op == "mul" or node.a in fused or node.b in fused
        return "multiply_adds" if is_product else "operations", 1.0
    if isinstance(node, Call) and node.fn == "sqrt":
        return "multiply_adds", DIVISION
    return "operations", float(isinstance(node, (Unary, Select, Call)))


def _times(loops: tuple[_Loop, ...], used: set[Var], lanes: int) -> float:
    """How often an instruction runs that depends on some variables."""
    deepest = max((d for d, loop in enumerate(loops) if loop.var in used), default=-1)
    total = 1.0
    for d, loop in enumerate(loops):
        if loop.kind == "vector":
            total *= -(-loop.trips // (lanes if loop is _lanes_loop(loops) else 1)) if loop.var in used else 1
        elif loop.kind == "unroll":
            total *= loop.trips if loop.var in used else 1
        elif d <= deepest:
            total *= loop.trips
    return total


def _lanes_loop(loops: tuple[_Loop, ...]) -> _Loop | None:
    return next((loop for loop in reversed(loops) if loop.kind == "vector"), None)


def _stride(touch: _Touch, var: Var) -> int:
    """Elements from one iteration of a loop to the next; 0 for what is not affine."""
    shape, step, total = touch.buffer.const_shape or (), 1, 0
    for index, extent in zip(reversed(touch.indices), reversed(shape), strict=True):
        form = Affine.of(index)
        if form is None:
            return 0
        total += form.coefficient(var) * step
        step *= extent
    return total


def _footprints(touches: list[_Touch], depth: int) -> dict[Buffer, float]:
    """Bytes of each array that some accesses touch in the loops from a depth on."""
    boxes: dict[Buffer, dict[tuple[tuple[float, float], ...], None]] = {}
    for touch in touches:
        inside = {loop.var: loop for loop in touch.loops[depth:]}
        boxes.setdefault(touch.buffer, {})[tuple([_range(index, inside) for index in touch.indices])] = None
    return {buffer: _bytes(buffer, list(found)) for buffer, found in boxes.items()}


def _bytes(buffer: Buffer, boxes: list[tuple[tuple[float, float], ...]]) -> float:
    """What boxes of an array take: all of them, or the box around them where that is less."""
    around = tuple([(min(low for low, _ in side), max(high for _, high in side)) for side in zip(*boxes, strict=True)])
    item, shape = buffer.dtype.itemsize_bytes, buffer.const_shape or ()

    def size(box: tuple[tuple[float, float], ...]) -> float:
        sides = [min(high - low + 1, extent) for (low, high), extent in zip(box, shape, strict=True)]
        is_row = not sides or sides[-1:] == [*shape[-1:]]
        return item * (prod(sides) if is_row else prod(sides[:-1]) * max(*sides[-1:], LINE_BYTES / item))

    return min(size(around), sum(map(size, boxes)))


def _range(index: Expr, inside: dict[Var, _Loop]) -> tuple[float, float]:
    """The least and the largest value of a subscript while some loops run, outer variables taken as 0."""
    form = Affine.of(index)
    if form is None:
        return 0.0, prod([inside[v].trips for v in variables_of(index) if v in inside]) - 1.0
    low = high = float(form.const)
    for var, c in form.terms.items():
        loop = inside.get(var)
        if loop is not None:
            last = c * loop.step * (loop.trips - 1)
            low, high = low + min(last, 0), high + max(last, 0)
    return low, high


def _moved(touches: list[_Touch], depth: int, capacity: float) -> dict[Buffer, float]:
    """Bytes of each array that come into a cache of `capacity` bytes while the loops from a depth on run."""
    whole = _footprints(touches, depth)
    if sum(whole.values()) <= capacity or all(len(t.loops) <= depth for t in touches):
        return whole
    total: defaultdict[Buffer, float] = defaultdict(float)
    for group in _groups(touches, depth):
        loop = group[0].loops[depth] if len(group[0].loops) > depth else None
        if loop is None:
            _add(total, _footprints(group, depth))
            continue
        once = _footprints(group, depth)
        if loop.kind == "vector" and any(inner.kind == "vector" for t in group for inner in t.loops[depth + 1 :]):
            _add(total, once)  # blocks that are turned in registers
            continue
        body = _moved(group, depth + 1, capacity)
        stays = sum(_footprints(group, depth + 1).values()) <= capacity
        for buffer, count in body.items():
            moves = any(loop.var in variables_of(i) for t in group if t.buffer is buffer for i in t.indices)
            again = count * loop.trips if moves or not stays else count
            total[buffer] += min(again, once[buffer]) if stays else again
    return dict(total)


def _add(total: defaultdict[Buffer, float], more: dict[Buffer, float]) -> None:
    for buffer, count in more.items():
        total[buffer] += count


def _groups(touches: list[_Touch], depth: int) -> Iterator[list[_Touch]]:
    """Accesses that share a loop at a depth, in order."""
    group: list[_Touch] = []
    for touch in touches:
        own = touch.loops[depth] if len(touch.loops) > depth else None
        if group and own is not (group[0].loops[depth] if len(group[0].loops) > depth else None):
            yield group
            group = []
        group.append(touch)
    if group:
        yield group
