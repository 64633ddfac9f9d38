"""Passes over rows in a software pipeline: each pass works on a row of its own, and one loop over lanes runs them all.

    parallel i in rows:                        parallel c in chunks of rows:
        vector j: m = max(m, X[i, j])              for t in rows of the chunk, and 2 more:
        vector j: E[j] = exp(X[i, j] - m)              vector j: e = E[j]; m = max(m, X[t, j])
                  s += E[j]                                      E[j] = exp(X[t - 1, j] - m'); s' += E[j]
        vector j: Y[i, j] = E[j] / s                             Y[t - 2, j] = e / s
                                                       m' = m; s = s'

A pass that waits for what the one before it reduced leaves the processor idle: its instructions cannot begin before the
last element of the sum is in. Passes over different rows are independent. Together they also use its units evenly
(one loads, one computes, one stores), and a row is loaded from memory while others are computed. On a Zen 4 core,
softmax takes 16 cycles a vector pass by pass in the second cache, and 9 in a pipeline.

This is a shift of statements by whole iterations of the loop over rows, and the fusion of their inner loops (Allan et
al. 1995). Rows are independent, so any shift is legal; temporaries of a row now meet those of the next one: arrays
are read in the same loop before they are overwritten, and scalars are copied at the end of an iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Call, Const, Expr, Load, Var, binary
from akg.ir.rewrite import (
    buffers_read,
    buffers_written,
    loads_of,
    replace_buffer,
    rewrite_stmt,
    substitute,
    substitute_stmt,
    uses,
    variables_of,
    walk_expr,
)
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, Block, For, If, Prefetch, Stmt, Store, block, expressions, walk
from akg.poly.loops.one_pass import Effect, flat

Note = Callable[[str], None]

MAX_STORES = 16  # in the body of a row
LEAST_CHUNKS = 8  # for each thread
FEWEST_CHUNKS = 2  # for each thread, where rows are few
GOOD_ROWS = 24  # of a chunk, which rather has so many than that there are many chunks
LEAST_ROWS = 8  # of a chunk: a pipeline fills and drains once in each
NEAR_SHARE = 1 / 2  # of the last cache: more comes from memory, and is asked for early
AHEAD_BYTES = 16384  # that lie between what is asked for and what is read (of 4 to 32 KiB, about the best on Zen 4)
LINE_BYTES = 64
LONG_ROW = 16  # vectors
PAGE_BYTES = 4096  # processors compare so much of addresses at first
STORES_BYTES = 384  # that wait to leave the processor, about
PRE, LANES, POST = range(3)  # where in an iteration


@dataclass(slots=True)
class _Stage:
    """One pass over a row: a loop over lanes, and what goes with it. The loops that share their range are joined."""

    before: list[Stmt]
    lanes: For
    after: list[Stmt] = field(default_factory=list[Stmt])
    is_joined: bool = False

    @property
    def parts(self) -> list[tuple[int, Stmt]]:
        """The statements in order, each with its place in an iteration."""
        middle, last = (LANES, POST) if self.is_joined else (PRE, PRE)
        return [*((PRE, s) for s in self.before), (middle, self.lanes), *((last, s) for s in self.after)]

    def redirected(self, old: Buffer, new: Buffer) -> None:
        """Let the stage read another scalar."""

        def visit(stmt: Stmt) -> Stmt:
            return replace_buffer(stmt, old, lambda _: (new, ()))

        self.before, self.after = [visit(s) for s in self.before], [visit(s) for s in self.after]
        lanes = visit(self.lanes)
        assert isinstance(lanes, For)
        self.lanes = lanes


@dataclass(frozen=True, slots=True)
class _Shift:
    """A scalar that a stage writes, and its copies of one row before, two rows, and so on."""

    writer: int
    copies: list[Buffer]

    def stores(self, fresh: Callable[[str], Var]) -> list[tuple[int, Stmt]]:
        """The copies at the end of an iteration, each with the first iteration that has something to copy."""
        pairs = reversed(list(enumerate(pairwise(self.copies))))
        return [(self.writer + k, Store(new, (), Load(old, ()), fresh(new.name).name)) for k, (old, new) in pairs]


def pipeline_rows(body: Stmt, fresh: Callable[[str], Var], target: Target, note: Note) -> Stmt:
    """`body` with passes over the rows of outermost parallel loops in pipelines where that pays.

    Args:
        body: loops with kinds set.
        fresh: makes names that no statement or loop has.
        target: the machine.
        note: takes what was decided, for `explain`.
    """
    if isinstance(body, Block):
        return block(*[pipeline_rows(s, fresh, target, note) for s in body.body])
    if isinstance(body, Alloc):
        return replace(body, body=pipeline_rows(body.body, fresh, target, note))
    if not isinstance(body, For) or body.kind != "parallel":
        return body
    rows = _chunk_rows(body.const_trips or 0, target)
    temporaries, inner = _opened(body.body)
    stages = _stages(body, inner) if rows and body.step == 1 else None
    if stages is None or not _pays(body, stages, temporaries, target):
        return body
    kept = _kept(stages, temporaries)
    if kept is not None and _is_disturbed(body, stages, bool(kept), target):
        stages[-1].is_joined = False
        kept = _kept(stages, temporaries)
    if kept is None:
        return body
    shifts = _shifts(stages, [b for b in temporaries if not b.shape], fresh)
    names = " | ".join(", ".join(s.name for s in walk(stage.lanes) if isinstance(s, Store)) for stage in stages)
    note(f"{names}: a pipeline of passes along {body.var.name}, {rows} rows a chunk")
    return _pipeline(body, stages, shifts, kept, temporaries, rows, fresh, target)


# --- the decision ---------------------------------------------------------------------------------------


def _chunk_rows(trips: int, target: Target) -> int:
    """The rows of a chunk, a divisor of all rows where there is a good one; 0 where rows are few."""
    cores = max(target.cores, 1)
    most = max(trips // (LEAST_CHUNKS * cores), min(GOOD_ROWS, trips // (FEWEST_CHUNKS * cores)))
    if most < LEAST_ROWS:
        return 0
    return next((n for n in range(most, max(most // 2, LEAST_ROWS) - 1, -1) if trips % n == 0), most)


def _opened(stmt: Stmt) -> tuple[list[Buffer], Stmt]:
    """The temporaries around a body, and the body."""
    temporaries: list[Buffer] = []
    while isinstance(stmt, Alloc):
        temporaries.append(stmt.buffer)
        stmt = stmt.body
    return temporaries, stmt


def _stages(loop: For, body: Stmt) -> list[_Stage] | None:
    """The passes over a row; None if some statement is neither a store nor a loop over lanes of stores."""
    stages: list[_Stage] = []
    waiting: list[Stmt] = []  # for the next pass
    for stmt in flat(body):
        if isinstance(stmt, For) and _is_pass(stmt, loop.var):
            stages.append(_Stage(waiting, stmt))
            waiting = []
        elif isinstance(stmt, Store):
            effect = Effect.of(stmt)
            written = {b for s in stages[-1:] for _, part in s.parts for b in buffers_written(part)}
            if not written.isdisjoint(effect.reads) and not any(effect.meets(Effect.of(w)) for w in waiting):
                stages[-1].after.append(stmt)
            else:
                waiting.append(stmt)
        else:
            return None
    if len(stages) < 2:
        return None
    stages[-1].after.extend(waiting)
    ranges = [(s.lanes.begin, s.lanes.end) for s in stages]
    common = max(ranges, key=lambda r: (ranges.count(r), ranges.index(r)))
    for stage, own in zip(stages, ranges, strict=True):
        stage.is_joined = own == common
    return stages


def _is_pass(lanes: For, var: Var) -> bool:
    alike = var not in {*variables_of(lanes.begin), *variables_of(lanes.end)}
    stores = all(isinstance(s, (Store, Block)) for s in walk(lanes.body))
    return lanes.kind == "vector" and lanes.step == 1 and alike and stores


def _pays(loop: For, stages: list[_Stage], temporaries: list[Buffer], target: Target) -> bool:
    """Whether some pass waits for another, and the rows of all passes fit the first cache together.

    Light passes over what lies in a cache are bound by its bandwidth. They gain where reading and writing at the same
    time outweighs what groups of rows save: rows are long, and share at most one array (rms_norm of 300 to 1024
    columns: 0.78 to 0.88 times as long; layer_norm: 1.07).
    """
    joined = [s for s in stages if s.is_joined]
    stores = [s for s in walk(loop.body) if isinstance(s, Store)]
    if len(joined) < 2 or len(stores) > MAX_STORES:
        return False
    reduced = [s for stage in joined[:-1] for s in walk(stage.lanes.body) if isinstance(s, Store)]
    if not any(s.reduction is not None for s in reduced) or joined[0].lanes.max_trips is None:
        return False
    trips = joined[0].lanes.max_trips or 0
    rows = [b for s in joined for b in buffers_read(s.lanes) - {*temporaries} if b.shape]
    rows += [b for b in {*temporaries, *buffers_written(loop.body)} if b.shape]
    row_bytes = trips * sum(b.dtype.itemsize_bytes for b in rows)
    nodes = [n for stage in joined for s in walk(stage.lanes) for e in expressions(s) for n in walk_expr(e)]
    if not _is_near(loop, target) or any(isinstance(n, Call) and n.fn != "fma" for n in nodes):
        return row_bytes <= target.l1_bytes
    loads = {n for n in nodes if isinstance(n, Load) and n.indices}
    shared = {load.buffer for load in loads if not any(uses(i, loop.var) for i in load.indices)}
    is_long = trips >= LONG_ROW * target.lanes(32) and all(b.dtype.bits >= 32 for b in rows)
    return is_long and len(shared) <= 1 and row_bytes <= target.l1_bytes / 2


def _is_disturbed(loop: For, stages: list[_Stage], has_kept: bool, target: Target) -> bool:
    """Whether stores of the last pass, which go around the caches, would hold up the loads beside them.

    Such stores leave the processor late. Loads that follow wait for them where their addresses differ by whole pages,
    that is, where rows are a little shorter than pages; and vectors of a temporary wait for ordinary stores behind
    them where they begin elsewhere than those of the row before, as rows do that are no whole lines. In a loop of its
    own, the pass is done before the loads begin: softmax of rows of 1000 floats took 3.3 ms and takes 0.85.
    """
    joined = [s for s in stages if s.is_joined]
    if _is_near(loop, target) or len(joined) < 3 or joined[-1] is not stages[-1]:
        return False
    written = [b for b in buffers_written(stages[-1].lanes) if b.scope == "global"]
    row_bytes = [b.dtype.itemsize_bytes * (joined[0].lanes.max_trips or 0) for b in written]
    return any((has_kept and b % LINE_BYTES) or 0 < -b % PAGE_BYTES < STORES_BYTES for b in row_bytes)


def _is_near(loop: For, target: Target) -> bool:
    """Whether all that a loop touches lies in a cache."""
    buffers = {b for b in buffers_read(loop.body) | buffers_written(loop.body) if b.scope == "global"}
    sizes = [b.dtype.itemsize_bytes * prod(b.const_shape or (0,)) for b in buffers]
    return sum(sizes) <= NEAR_SHARE * target.l3_bytes


def _kept(stages: list[_Stage], temporaries: list[Buffer]) -> dict[Buffer, int] | None:
    """The arrays that a stage reads where the one before it overwrites them, with the number of the reader.

    None where a temporary is written by several stages, or an array is read other than as it is overwritten.
    """
    found: dict[Buffer, int] = {}
    for buffer in temporaries:
        writers = [n for n, s in enumerate(stages) if any(buffer in buffers_written(part) for _, part in s.parts)]
        readers = [n for n, s in enumerate(stages) if any(buffer in buffers_read(part) for _, part in s.parts)]
        if len(writers) != 1 or any(n < writers[0] for n in readers):
            return None
        late = [n for n in readers if n > writers[0]]
        if buffer.shape and late:
            if late != [writers[0] + 1]:
                return None
            if not stages[late[0]].is_joined:
                continue  # it is done before the joined loop begins to overwrite the array
            if not _is_elementwise(stages[writers[0]], stages[late[0]], buffer):
                return None
            found[buffer] = late[0]
    return found


def _shifts(stages: list[_Stage], scalars: list[Buffer], fresh: Callable[[str], Var]) -> list[_Shift]:
    """Scalars with their copies of one and more rows before, which the stages read from now on."""
    found: list[_Shift] = []
    for buffer in scalars:
        writes = {
            n: p for n, s in enumerate(stages) for p, part in reversed(s.parts) if buffer in buffers_written(part)
        }
        reads = {n: p for n, s in enumerate(stages) for p, part in s.parts if buffer in buffers_read(part)}
        ((writer, place),) = writes.items()
        copies = [buffer]
        for reader, at in reads.items():
            is_overwritten = place < at or place == at == LANES
            lag = reader - writer
            if lag == 1 and not is_overwritten:
                lag = 0
            while len(copies) <= lag:
                copies.append(Buffer(fresh(buffer.name).name, (), buffer.dtype, buffer.scope))
            if lag:
                stages[reader].redirected(buffer, copies[lag])
        if len(copies) > 1:
            found.append(_Shift(writer, copies))
    return found


def _is_elementwise(writer: _Stage, reader: _Stage, buffer: Buffer) -> bool:
    """Whether joined loops write and read an array at their own position only."""
    places: set[tuple[Expr, ...]] = set()
    common = Var(writer.lanes.var.name)
    for stage in (writer, reader):
        at = [s.indices for s in walk(stage.lanes) if isinstance(s, Store) and s.buffer is buffer]
        at += [x.indices for s in walk(stage.lanes) for e in expressions(s) for x in loads_of(e) if x.buffer is buffer]
        places |= {tuple([substitute(i, {stage.lanes.var: common}) for i in indices]) for indices in at}
        if any(buffer in buffers_read(s) | buffers_written(s) for s in (*stage.before, *stage.after)):
            return False
    moves = all(any(common in variables_of(i) for i in indices) for indices in places)
    return writer.is_joined and reader.is_joined and len(places) == 1 and moves


# --- the transformation ---------------------------------------------------------------------------------


def _pipeline(
    loop: For,
    stages: list[_Stage],
    shifts: list[_Shift],
    kept: dict[Buffer, int],
    temporaries: list[Buffer],
    rows: int,
    fresh: Callable[[str], Var],
    target: Target,
) -> Stmt:
    """The loop over chunks, with a loop over the rows of one and as many more as the pipeline is deep."""
    trips, depth, var = loop.const_trips or 0, len(stages) - 1, Var(fresh(f"{loop.var.name}_row").name)
    left = Const(trips) - loop.var * rows
    count: Expr = Const(rows) if trips % rows == 0 else binary("min", Const(rows), left)
    end = Const(rows + depth) if trips % rows == 0 else binary("min", Const(rows + depth), left + depth)
    first = loop.begin + loop.var * rows + var
    full = binary("and", binary("ge", var, Const(depth)), binary("lt", var, count))
    together = _joined(stages, kept, loop.var, first, list(_hints(loop, stages, target)), fresh)
    apart = _apart(stages, loop.var, var, first, count, fresh)
    body = If(
        full,
        block(together, *[s for shift in shifts for _, s in shift.stores(fresh)]),
        block(apart, *[If(binary("ge", var, Const(n)), s) for shift in shifts for n, s in shift.stores(fresh)]),
    )
    inner: Stmt = For(var, Const(0), end, body)
    for buffer in [*temporaries, *(new for shift in shifts for new in shift.copies[1:])]:
        inner = Alloc(buffer, inner)
    return replace(loop, begin=Const(0), end=Const(-(-trips // rows)), body=inner)


def _joined(
    stages: list[_Stage],
    kept: dict[Buffer, int],
    row: Var,
    first: Expr,
    first_in_loop: list[Stmt],
    fresh: Callable[[str], Var],
) -> Stmt:
    """All stages side by side, each on its own row, later ones first.

    In the loop, earlier ones are first, and what is overwritten was read at the beginning: a load behind a store to
    the same place in another page waits for it, and rows are often as long as pages.
    """
    places: dict[int, list[Stmt]] = {PRE: [], LANES: [], POST: []}
    common = next(s.lanes for s in stages if s.is_joined)
    olds = {b: Buffer(fresh(f"{b.name}_old").name, (), b.dtype, "local") for b in kept}
    for number, stage in reversed(list(enumerate(stages))):
        for place, stmt in stage.parts:
            if place == LANES and isinstance(stmt, For):
                stmt = substitute_stmt(stmt.body, {stmt.var: common.var})
                for buffer in [b for b, reader in kept.items() if reader == number]:
                    at = next(load.indices for load in _loads(stmt) if load.buffer is buffer)
                    old = olds[buffer]
                    stmt = replace_buffer(stmt, buffer, lambda _, old=old: (old, ()))
                    first_in_loop = [Store(old, (), Load(buffer, at), fresh(old.name).name), *first_in_loop]
            places[place].append(substitute_stmt(stmt, {row: simplify(first - number)}))
    lanes = block(*[substitute_stmt(s, {row: first}) for s in first_in_loop], *reversed(places[LANES]))
    for old in olds.values():
        lanes = Alloc(old, lanes)
    return block(*places[PRE], replace(common, body=lanes), *places[POST])


def _apart(stages: list[_Stage], row: Var, var: Var, first: Expr, count: Expr, fresh: Callable[[str], Var]) -> Stmt:
    """The stages that have a row, one after the other, later ones first."""
    parts: list[Stmt] = []
    for number, stage in reversed(list(enumerate(stages))):
        body = substitute_stmt(block(*[s for _, s in stage.parts]), {row: simplify(first - number)})
        body = rewrite_stmt(body, lambda s: _with_own_names(s, fresh))
        has_begun = binary("ge", var, Const(number))
        is_left = binary("lt", var, count + number)
        needed = [*([has_begun] if stage is not stages[0] else []), *([is_left] if stage is not stages[-1] else [])]
        condition = needed[0] if len(needed) == 1 else binary("and", needed[0], needed[1])
        parts.append(If(condition, body))
    return block(*parts)


def _with_own_names(stmt: Stmt, fresh: Callable[[str], Var]) -> Stmt | None:
    if isinstance(stmt, Store):
        return replace(stmt, name=fresh(stmt.name).name)
    if not isinstance(stmt, For):
        return None
    var = Var(fresh(stmt.var.name).name)
    return replace(stmt, var=var, body=substitute_stmt(stmt.body, {stmt.var: var}))


def _hints(loop: For, stages: list[_Stage], target: Target) -> list[Prefetch]:
    """Prefetches of what the first joined pass will read a row or more later, where arrays come from memory."""
    if _is_near(loop, target):
        return []
    number, stage = next((n, s) for n, s in enumerate(stages) if s.is_joined)
    common, written = stage.lanes, buffers_written(loop.body)
    hints: dict[Expr, Prefetch] = {}
    for load in _loads(stage.lanes.body):
        forms = [Affine.of(i) for i in load.indices]
        if load.buffer.scope != "global" or load.buffer in written or not forms or None in forms:
            continue
        moves = any(form is not None and form.coefficient(loop.var) == 1 for form in forms[:-1])
        if moves and forms[-1] is not None and forms[-1].coefficient(common.var) == 1:
            row_bytes = (common.max_trips or 1) * load.dtype.itemsize_bytes
            later = loop.var + Const(-(-AHEAD_BYTES // row_bytes) - number)
            hints[load] = Prefetch(load.buffer, tuple([substitute(i, {loop.var: later}) for i in load.indices]), 2)
    return list(hints.values())


def _loads(body: Stmt) -> Iterable[Load]:
    return [load for s in walk(body) for e in expressions(s) for load in loads_of(e)]
