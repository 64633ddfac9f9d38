"""Rows of windows: several at a time, so that they share what they load, and asked for before they are needed.

    Before:  for i in [0, 56):                     After:  for i in [0, 56) step 4:
                 vector j: Y[i, j] = f(X[i, j],                 prefetch the rows X[i + 20], ... of later tiles
                     X[i + 1, j], X[i + 2, j])                  vector j: Y[i, j] = ...; Y[i + 1, j] = ...;
                                                                    Y[i + 2, j] = ...; Y[i + 3, j] = ...

A row of the output that overlaps the next one in what it reads shares two of three loads with it; four rows at a time
take 6 loads a column in place of 12 (unroll and jam: Carr and Kennedy 1994). The rows are independent: what they store
nothing reads, and each has its own elements.

Prefetchers follow a stream up to the end of its page, and the instructions in flight are those of a row or two: what
comes from memory is waited for at each page. So where several rows are read at once (`row_sweep` reads short ones one
by one), those of an array larger than half the last cache are asked for some pages ahead, in the second cache. Arrays
that the last cache holds lose by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from akg.base.target import Target
from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Expr, Load, Var
from akg.ir.rewrite import buffers_read, buffers_written, loads_of, map_children, substitute, substitute_stmt
from akg.ir.simplify import Ranges, simplify
from akg.ir.stmt import Alloc, Block, For, Prefetch, Stmt, Store, block, expressions, walk
from akg.poly.stream_rows import LONG_ROW_BYTES, exceeds

ROWS = 4  # at a time
SHARED = 0.5  # the part of its loads that a row must share with the one before
LINE_BYTES = 64
AHEAD_BYTES = 16384  # from what is read to what is asked for: some pages on
MAX_LINES = 32  # asked for in one iteration
CACHE_SHARE = 2  # arrays larger than this part of the last cache come from memory


def overlap_rows(stmt: Stmt, fresh: Callable[[str], Var], note: Callable[[str], None]) -> Stmt:
    """`stmt` with rows of windows that overlap computed several at a time.

    Args:
        stmt: loops with their lanes innermost.
        fresh: makes unused names.
        note: takes what was decided.
    """
    stmt = map_children(stmt, lambda inner: overlap_rows(inner, fresh, note))
    if not isinstance(stmt, For) or stmt.kind != "serial" or stmt.step != 1 or (stmt.const_trips or 0) < 2 * ROWS:
        return stmt
    lanes = stmt.body
    if not isinstance(lanes, For) or lanes.kind != "vector" or not isinstance(lanes.body, Store):
        return stmt
    if not _overlap(stmt, lanes, lanes.body):
        return stmt
    note(f"{lanes.body.name}: {ROWS} rows along {stmt.var} at a time share what they load")
    return _jammed(stmt, lanes, lanes.body, fresh)


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


def _jammed(rows: For, lanes: For, store: Store, fresh: Callable[[str], Var]) -> Stmt:
    trips = rows.const_trips
    assert trips is not None
    whole = trips // ROWS * ROWS
    end = simplify(rows.begin + whole)
    ranges = {}
    if isinstance(rows.begin, Const):  # paddings are met by the first row of all and the last one only
        ranges[rows.var] = (int(rows.begin), int(rows.begin) + whole - ROWS)
    points = [_row_of(store, rows.var, r, ranges, fresh) for r in range(ROWS)]
    inner = replace(lanes, body=block(*points))
    main: Stmt = replace(rows, end=end, step=ROWS, body=inner)
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


def prefetch_windows(body: Stmt, fresh: Callable[[str], Var], target: Target) -> Stmt:
    """`body` with prefetches in loops over short rows of arrays that come from memory.

    Args:
        body: the loops; those with lanes are innermost, but for unrolled ones.
        fresh: makes unused names.
        target: the machine and its caches.
    """
    written = buffers_written(body)
    far_bytes = max(target.l3_bytes // CACHE_SHARE, target.l2_bytes)

    def visit(stmt: Stmt) -> Stmt:
        stmt = map_children(stmt, visit)
        if not isinstance(stmt, For) or stmt.kind != "serial":
            return stmt
        lanes = _lanes_in(stmt.body)
        found: dict[Buffer, dict[int, tuple[Load, For]]] = {}
        for loop in lanes:
            loads = {load for s in walk(loop) for e in expressions(s) for load in loads_of(e)}
            far = {load for load in loads if load.buffer.scope == "global" and exceeds(load.buffer, far_bytes)}
            for buffer in sorted({load.buffer for load in far} - written, key=lambda b: b.name):
                rows = {_row(load, stmt, loop): load for load in far if load.buffer is buffer}
                moving = {row: (load, loop) for row, load in rows.items() if row is not None}
                if len(moving) > 1:  # else they are read one after the other
                    found.setdefault(buffer, {}).update(moving)
        windows = [rows[max(rows)] for rows in found.values()]
        hints = [_ahead(load, stmt, loop, fresh) for load, loop in windows]
        wanted = [h for h in hints if h is not None]
        return replace(stmt, body=block(*wanted, stmt.body)) if wanted else stmt

    return visit(body)


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


def _ahead(load: Load, rows: For, lanes: For, fresh: Callable[[str], Var]) -> Stmt | None:
    """Prefetches of as many rows as an iteration leaves behind, some way ahead of those that it reads."""
    row, trips = Affine.of(load.indices[-2]), lanes.const_trips
    assert row is not None and trips is not None
    size_bytes = load.buffer.dtype.itemsize_bytes
    count, line = row.coefficient(rows.var) * rows.step, LINE_BYTES // size_bytes
    if count * -(-trips // line) > MAX_LINES:
        return None
    ahead = max(AHEAD_BYTES // (trips * size_bytes), 1)
    r, x = fresh("row"), fresh("line")
    unrolled = {v: Const(0) for v in row.terms if v is not rows.var and _is_inside(lanes, v)}
    at = [substitute(i, {lanes.var: lanes.begin + x, **unrolled}) for i in load.indices]
    at[-2] = at[-2] + ahead + r
    hint: Stmt = Prefetch(load.buffer, tuple([simplify(i) for i in at]), 2)
    hint = For(x, Const(0), Const(trips), hint, "unroll", line)
    return For(r, Const(0), Const(count), hint, "unroll")


def _is_inside(lanes: For, v: Var) -> bool:
    return any(isinstance(s, For) and s.var is v for s in walk(lanes))
