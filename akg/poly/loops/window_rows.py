"""Rows of windows: several at a time, so that they share what they load, and asked for before they are needed.

    Before:  for i in [0, 56):                     After:  for i in [0, 56) step 4:
                 vector j: Y[i, j] = f(X[i, j],                 prefetch the rows X[i + 20], ... of later tiles
                     X[i + 1, j], X[i + 2, j])                  vector j: Y[i, j] = ...; Y[i + 1, j] = ...;
                                                                    Y[i + 2, j] = ...; Y[i + 3, j] = ...

A row of the output that overlaps the next one in what it reads shares two of three loads with it; four rows at a time
take 6 loads a column in place of 12 (unroll and jam: Carr and Kennedy 1994). The rows are independent: what they store
nothing reads, and each has its own elements.

Prefetchers follow a stream up to the end of its page, and the instructions in flight are those of a row or two: what
comes from memory is waited for at each page. So where several rows are read at once, those of an array larger than
half the last cache are asked for some pages ahead, in the second cache. Arrays that the last cache holds lose by it.
Short rows that are read one by one (`row_sweep`) are a single stream, which the processor follows by itself. Only where
all arrays together just fill the last cache, and each vector is much arithmetic, are they asked for a little ahead, in
the first cache (depthwise convolutions of 8 x 144 x 56 x 56 on a Zen 4 core: 0.73 ms without, 0.66 with, and 0.9 with
prefetches into the second cache; arrays of 25 MB lose by any).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, map_children, substitute, substitute_stmt
from akg.ir.simplify import Ranges, simplify
from akg.ir.stmt import Alloc, Block, For, Prefetch, Stmt, Store, block, expressions, walk
from akg.poly.loops.stream_rows import LONG_ROW_BYTES, exceeds, exceeds_last_cache, is_from_memory, is_laborious

ROWS = range(4, 6)  # at a time
SHARED = 0.5  # the part of its loads that a row must share with the one before
LINE_BYTES = 64
AHEAD_BYTES = 16384  # from what is read to what is asked for: some pages on
ONE_STREAM_AHEAD_BYTES = 6144
MAX_LINES = 128  # asked for in one iteration


def overlap_rows(stmt: Stmt, fresh: Callable[[str], Var], note: Callable[[str], None]) -> Stmt:
    """`stmt` with rows of windows that overlap computed several at a time.

    Args:
        stmt: loops with their lanes innermost.
        fresh: makes unused names.
        note: takes what was decided.
    """
    stmt = map_children(stmt, lambda inner: overlap_rows(inner, fresh, note))
    count = _rows_at_a_time(stmt) if isinstance(stmt, For) else 0
    if not isinstance(stmt, For) or not count:
        return stmt
    lanes = stmt.body
    if not isinstance(lanes, For) or lanes.kind != "vector" or not isinstance(lanes.body, Store):
        return stmt
    if not _overlap(stmt, lanes, lanes.body):
        return stmt
    note(f"{lanes.body.name}: {count} rows along {stmt.var} at a time share what they load")
    return _jammed(stmt, lanes, lanes.body, count, fresh)


def _rows_at_a_time(rows: For) -> int:
    """The most rows that leave the fewest rest, at least two times; 0 for loops that are too short."""
    trips = rows.const_trips if rows.kind == "serial" and rows.step == 1 else None
    counts = [n for n in ROWS if trips is not None and 2 * n <= trips]
    return min(counts, key=lambda n: ((trips or 0) % n, -n), default=0)


def _overlap(rows: For, lanes: For, store: Store) -> bool:
    """Whether rows are independent and share loads."""
    if store.reduction is not None or store.buffer in buffers_read(rows) or lanes.const_trips is None:
        return False
    own = [Affine.of(i) for i in store.indices]
    if not any(f is not None and f.coefficient(rows.var) and not f.coefficient(lanes.var) for f in own):
        return False
    loads = {load for e in expressions(store) for load in loads_of(e)}
    moving = [load for load in loads if rows.var in {v for i in load.indices for v in _variables(i)}]
    here = {_place(load, {}) for load in moving}
    after = {_place(load, {rows.var: rows.var + 1}) for load in moving}
    return bool(here) and None not in here and len(here & after) >= SHARED * len(here)


def _variables(expr: Expr) -> set[Var]:
    form = Affine.of(expr)
    return set(form.terms) if form is not None else set()


def _place(load: Load, values: dict[Var, Expr]) -> tuple[object, ...] | None:
    forms = [Affine.of(substitute(i, values)) for i in load.indices]
    return None if None in forms else (load.buffer, *forms)


def _jammed(rows: For, lanes: For, store: Store, count: int, fresh: Callable[[str], Var]) -> Stmt:
    trips = rows.const_trips
    assert trips is not None
    whole = trips // count * count
    end = simplify(rows.begin + whole)
    ranges = {}
    if isinstance(rows.begin, Const):  # paddings are met by the first row of all and the last one only
        ranges[rows.var] = (int(rows.begin), int(rows.begin) + whole - count)
    points = [_row_of(store, rows.var, r, ranges, fresh) for r in range(count)]
    inner = replace(lanes, body=block(*points))
    main: Stmt = replace(rows, end=end, step=count, body=inner)
    if whole == trips:
        return main
    rest, lane = fresh(rows.var.name), fresh(lanes.var.name)
    last = substitute_stmt(store, {rows.var: rest, lanes.var: lane})
    assert isinstance(last, Store)
    last = replace(last, name=fresh(store.name).name)
    return block(main, For(rest, end, rows.end, replace(lanes, var=lane, body=last), "serial"))


def _row_of(store: Store, var: Var, r: int, ranges: Ranges, fresh: Callable[[str], Var]) -> Store:
    moved = substitute_stmt(store, {var: var + r}) if r else store
    assert isinstance(moved, Store)
    value = simplify(moved.value, {}, ranges)
    return replace(moved, value=value, name=fresh(store.name).name if r else store.name)


# --- rows ahead -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Window:
    """The last of the rows of an array that one iteration reads.

    Attributes:
        load: of the row.
        lanes: the loop along it.
        is_one_stream: whether the rows are read one after the other.
    """

    load: Load
    lanes: For
    is_one_stream: bool


def prefetch_windows(body: Stmt, fresh: Callable[[str], Var], target: Target) -> Stmt:
    """`body` with prefetches in loops over short rows of arrays that come from memory.

    Args:
        body: the loops; those with lanes are innermost, but for unrolled ones.
        fresh: makes unused names.
        target: the machine and its caches.
    """
    written = buffers_written(body)
    is_large = exceeds_last_cache(body, target)

    def visit(stmt: Stmt) -> Stmt:
        stmt = map_children(stmt, visit)
        if not isinstance(stmt, For) or stmt.kind != "serial":
            return stmt
        hints: list[Stmt] = []
        for window in _windows(stmt, written):
            buffer = window.load.buffer
            wanted = is_from_memory(buffer, target)
            if window.is_one_stream:
                is_held_in_part = is_large and not wanted and exceeds(buffer, target.l2_bytes)
                wanted = is_held_in_part and is_laborious(stmt.body)
            hint = _ahead(window, stmt, fresh) if wanted else None
            hints += [hint] if hint is not None else []
        return replace(stmt, body=block(*hints, stmt.body)) if hints else stmt

    return visit(body)


def _windows(rows: For, written: set[Buffer]) -> list[_Window]:
    """The arrays of which an iteration reads several short rows that move along the loop."""
    found: dict[Buffer, dict[int, tuple[Load, For]]] = {}
    together: set[Buffer] = set()
    for loop in _lanes_in(rows.body):
        own: dict[Buffer, dict[int, tuple[Load, For]]] = {}
        for load in {load for s in walk(loop) for e in expressions(s) for load in loads_of(e)}:
            row = _row(load, rows, loop)
            if row is not None and load.buffer.scope == "global" and load.buffer not in written:
                moving = own.setdefault(load.buffer, {})
                moving[row] = min(moving.get(row, (load, loop)), (load, loop), key=lambda found: _column(found[0]))
        for buffer, moving in own.items():
            found.setdefault(buffer, {}).update(moving)
            together |= {buffer} if len(moving) > 1 else set()
    several = sorted((b for b, moving in found.items() if len(moving) > 1), key=lambda b: b.name)
    return [_Window(*found[b][max(found[b])], b not in together) for b in several]


def _column(load: Load) -> int:
    """The constant part of the last subscript."""
    line = Affine.of(load.indices[-1])
    return line.const if line is not None else 0


def _lanes_in(body: Stmt) -> list[For]:
    """The vector loops that an iteration runs once."""
    if isinstance(body, Alloc):
        return _lanes_in(body.body)
    if isinstance(body, Block):
        return [loop for part in body.body for loop in _lanes_in(part)]
    return [body] if isinstance(body, For) and body.kind == "vector" else []


def _row(load: Load, rows: For, lanes: For) -> int | None:
    """The constant part of the row that a load along the lanes reads; None if it is no short row that moves."""
    if len(load.indices) < 2 or lanes.const_trips is None:
        return None
    forms = [Affine.of(i) for i in load.indices]
    line, row = forms[-1], forms[-2]
    if line is None or row is None or line.coefficient(lanes.var) != 1 or row.coefficient(rows.var) < 1:
        return None
    if any(f is None or f.coefficient(rows.var) for f in (*forms[:-2], line)) or row.coefficient(lanes.var):
        return None
    row_bytes = lanes.const_trips * load.buffer.dtype.itemsize_bytes
    return row.const if row_bytes < LONG_ROW_BYTES else None


def _ahead(window: _Window, rows: For, fresh: Callable[[str], Var]) -> Stmt | None:
    """Prefetches of as many rows as an iteration leaves behind, some way ahead of those that it reads."""
    load, lanes = window.load, window.lanes
    row, trips = Affine.of(load.indices[-2]), lanes.const_trips
    assert row is not None and trips is not None
    size_bytes = load.buffer.dtype.itemsize_bytes
    count, line = row.coefficient(rows.var) * rows.step, LINE_BYTES // size_bytes
    if count * -(-trips // line) > MAX_LINES:
        return None
    ahead = max((ONE_STREAM_AHEAD_BYTES if window.is_one_stream else AHEAD_BYTES) // (trips * size_bytes), 1)
    r, x = fresh("row"), fresh("line")
    unrolled = {v: Const(0) for v in row.terms if v is not rows.var and _is_inside(lanes, v)}
    at = [substitute(i, {lanes.var: lanes.begin + x, **unrolled}) for i in load.indices]
    at[-2] = at[-2] + ahead + r
    hint: Stmt = Prefetch(load.buffer, tuple([simplify(i) for i in at]), 1 if window.is_one_stream else 2)
    hint = For(x, Const(0), Const(trips), hint, "unroll", line)
    return For(r, Const(0), Const(count), hint, "unroll")


def _is_inside(lanes: For, v: Var) -> bool:
    return any(isinstance(s, For) and s.var is v for s in walk(lanes))
