"""Contraction: temporaries shrink to what one iteration needs.

A temporary whose every access inside common loops lies in a window that moves with these loops, so that the windows
of different iterations are disjoint, keeps one window and is declared inside the loops (Lefebvre and Feautrier 1998,
in the simple case of windows that tile a dimension).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer, Scope
from akg.ir.expr import Binary, Const, Expr, Var
from akg.ir.rewrite import loads_of, map_children, replace_buffer
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, If, Stmt, Store, expressions, sub_statements


@dataclass(frozen=True, slots=True)
class Site:
    """An access of a buffer with the loops around it, outermost first."""

    indices: tuple[Expr, ...]
    loops: tuple[For, ...]
    is_store: bool


def sites(root: Stmt, buffer: Buffer) -> list[Site]:
    """Every access of `buffer` in `root`."""
    found: list[Site] = []

    def visit(stmt: Stmt, loops: tuple[For, ...]) -> None:
        for expr in expressions(stmt):
            for load in loads_of(expr):
                if load.buffer is buffer:
                    found.append(Site(load.indices, loops, False))
        if isinstance(stmt, Store) and stmt.buffer is buffer:
            found.append(Site(stmt.indices, loops, True))
        inner = (*loops, stmt) if isinstance(stmt, For) else loops
        for child in sub_statements(stmt):
            visit(child, inner)

    visit(root, ())
    return found


def declare_temporaries(body: Stmt, temporaries: dict[Buffer, int]) -> Stmt:
    """`body` with every temporary contracted and declared where it lives."""
    for buffer in reversed(temporaries):
        body = _declare(body, buffer)
    return body


def _declare(body: Stmt, buffer: Buffer) -> Stmt:
    found = sites(body, buffer)
    if not found:
        return body
    common, windows = _contracted(buffer, found)
    inner = common[-1].body if common else None
    if isinstance(inner, If) and inner.orelse is not None:  # one iteration takes one branch: each has its own
        then = _within(inner.then, buffer, common)
        split = replace(inner, then=then, orelse=_within(inner.orelse, _twin(buffer), common, buffer))
        return inside_of(body, common[-1], lambda _: split)
    return _declared(body, buffer, found, common, windows)


def _within(branch: Stmt, buffer: Buffer, around: tuple[For, ...], old: Buffer | None = None) -> Stmt:
    """A branch with a temporary of its own, which only this branch of this iteration of the loops around sees."""
    if old is not None:
        branch = replace_buffer(branch, old, lambda indices: (buffer, indices))
    found = [replace(s, loops=(*around, *s.loops)) for s in sites(branch, buffer)]
    if not found:
        return branch
    common, windows = _contracted(buffer, found)
    if len(common) > len(around):
        return _declared(branch, buffer, found, common, windows)
    return _declared(branch, buffer, found, common, windows, is_here=True)


def _twin(buffer: Buffer) -> Buffer:
    return Buffer(f"{buffer.name}_else", buffer.shape, buffer.dtype, buffer.scope)


def _contracted(buffer: Buffer, found: list[Site]) -> tuple[tuple[For, ...], list[tuple[_Place, Expr]]]:
    """The loops in whose iterations disjoint windows are touched, and these windows; no loops if there are none."""
    common = common_loops([s.loops for s in found])
    lanes = _shared_lanes([s.loops for s in found], len(common))
    windows = _windows(buffer, found, (*common, lanes)) if lanes is not None else None
    if lanes is not None and windows is not None and _is_small(tuple([size for _, size in windows]), buffer):
        common = (*common, lanes)
    else:
        windows = None
    while windows is None:
        windows = _windows(buffer, found, common)
        if windows is not None:
            break
        if not common:
            return (), [(_whole, size) for size in buffer.shape]
        common = common[:-1]
    return common, windows


def _declared(
    body: Stmt, buffer: Buffer, found: list[Site], common: tuple[For, ...], windows: list[tuple[_Place, Expr]],
    is_here: bool = False,
) -> Stmt:  # fmt: skip
    """`body` with a temporary declared in the innermost of the common loops, or around it."""
    kept = [d for d, (_, size) in enumerate(windows) if not (common and size is Const(1))]
    shape = tuple([windows[d][1] for d in kept])
    scope: Scope = "local" if common or _is_small(shape, buffer) else "global"
    if buffer.scope != "global":
        scope = buffer.scope
    small = Buffer(buffer.name, shape, buffer.dtype, scope)

    def access(indices: tuple[Expr, ...]) -> tuple[Buffer, tuple[Expr, ...]]:
        return small, tuple([windows[d][0](indices[d]) for d in kept])

    target = common[-1] if common and not is_here else None
    if target is None:
        return Alloc(small, replace_buffer(body, buffer, access))
    return inside_of(body, target, lambda inner: Alloc(small, replace_buffer(inner, buffer, access)))


def _is_small(shape: tuple[Expr, ...], buffer: Buffer) -> bool:
    elements = 1
    for size in shape:
        if not isinstance(size, Const):
            return False
        elements *= int(size)
    return elements * buffer.dtype.itemsize_bytes <= 64


def inside_of(stmt: Stmt, loop: For, change: Callable[[Stmt], Stmt]) -> Stmt:
    """`stmt` with the body of one of its loops changed."""
    if stmt is loop:
        return replace(loop, body=change(loop.body))
    return map_children(stmt, lambda inner: inside_of(inner, loop, change))


def common_loops(paths: list[tuple[For, ...]]) -> tuple[For, ...]:
    """The loops, other than vector loops, that all paths begin with."""
    shared: list[For] = []
    for level in zip(*paths, strict=False):
        if any(loop is not level[0] for loop in level) or level[0].kind == "vector":
            break
        shared.append(level[0])
    return tuple(shared)


def _shared_lanes(paths: list[tuple[For, ...]], depth: int) -> For | None:
    """The vector loop that all paths go on with, around nothing but loops that are written out."""
    loops = {path[depth] if len(path) > depth else None for path in paths}
    lanes = next(iter(loops))
    inner = [loop for path in paths for loop in path[depth + 1 :]]
    is_straight = len(loops) == 1 and all(loop.kind == "unroll" for loop in inner)
    return lanes if is_straight and inner and lanes is not None and lanes.kind == "vector" else None


_Place = Callable[[Expr], Expr]


def _whole(index: Expr) -> Expr:
    return index


def _windows(buffer: Buffer, found: list[Site], common: tuple[For, ...]) -> list[tuple[_Place, Expr]] | None:
    """For each dimension, the subscript within the window and its size; None if windows of iterations meet."""
    outer = {loop.var for loop in common}
    seen: set[Var] = set()
    windows: list[tuple[_Place, Expr]] = []
    for d, size in enumerate(buffer.shape):
        window = _window(d, found, outer)
        if window is None:
            windows.append((_whole, size))
            continue
        base, low, high = window
        spread = _over_iterations(base, common)
        moving = [loop for loop in common if spread.coefficient(loop.var)]
        if not moving:
            windows.append((_whole, size))
            continue
        if not _disjoint(spread, moving, high - low + 1):
            return None
        seen.update(loop.var for loop in moving)
        shift = base.without(set(base.terms) - outer) + low
        windows.append((_placer(shift), Const(high - low + 1)))
    return windows if all(loop.var in seen for loop in common) else None


def _over_iterations(base: Affine, common: tuple[For, ...]) -> Affine:
    """A form with the variable of each loop standing for how far it is from where the loop begins."""
    for loop in reversed(common):
        begin = None if isinstance(loop.begin, Const) else Affine.of(loop.begin)
        if begin is not None:
            base = base + begin * base.coefficient(loop.var)
    return base


def _placer(shift: Affine) -> _Place:
    def place(index: Expr) -> Expr:
        form = Affine.of(index)
        assert form is not None
        return (form - shift).to_expr()

    return place


def _window(d: int, found: list[Site], outer: set[Var]) -> tuple[Affine, int, int] | None:
    """The part of subscript `d` that moves with the outer loops, shared by all sites, and the range of the rest."""
    base: Affine | None = None
    low = high = 0
    for site in found:
        form = Affine.of(site.indices[d])
        spread = None if form is None else _from_begins(form, site.loops, outer)
        if spread is None:
            return None
        form, reach = spread
        moving = Affine({v: c for v, c in form.terms.items() if v in outer})
        if base is None:
            base = moving
        elif base != moving:
            return None
        bounds = _range(form - moving, site.loops)
        if bounds is None:
            return None
        bounds = bounds[0], bounds[1] + reach
        low, high = bounds if site is found[0] else (min(low, bounds[0]), max(high, bounds[1]))
    return None if base is None else (base, low, high)


def _from_begins(form: Affine, loops: tuple[For, ...], outer: set[Var]) -> tuple[Affine, int] | None:
    """A subscript counted from where loops begin that begin at outer ones, and how far it reaches beyond."""
    reach = 0
    for loop in reversed(loops):
        c = form.coefficient(loop.var)
        if not c or loop.var in outer or isinstance(loop.begin, Const):
            continue
        begin, trips = Affine.of(loop.begin), bounded_trips(loop)
        if begin is None or trips is None or c < 0:
            return None
        form = form.without({loop.var}) + begin * c
        reach += c * (trips - 1) * loop.step
    return form, reach


def bounded_trips(loop: For) -> int | None:
    """A constant bound on the iterations of a loop from `begin` to a minimum, such as min(begin + 256, 777)."""
    if loop.max_trips is not None:
        return loop.max_trips
    extents = [simplify(end - loop.begin) for end in _minima(loop.end)]
    known = [int(e) for e in extents if isinstance(e, Const)]
    return -(-min(known) // loop.step) if known else None


def _minima(end: Expr) -> list[Expr]:
    return [*_minima(end.a), *_minima(end.b)] if isinstance(end, Binary) and end.op == "min" else [end]


def _range(form: Affine, loops: tuple[For, ...]) -> tuple[int, int] | None:
    low = high = form.const
    around = {loop.var: loop for loop in loops}
    for var, c in form.terms.items():
        loop = around.get(var)
        trips = None if loop is None else loop.max_trips
        if loop is None or trips is None or not isinstance(loop.begin, Const):
            return None
        first = int(loop.begin) * c
        last = (int(loop.begin) + (trips - 1) * loop.step) * c
        low, high = low + min(first, last), high + max(first, last)
    return low, high


def _disjoint(base: Affine, moving: list[For], width: int) -> bool:
    """Whether windows of `width` elements at distinct values of the loops do not meet."""
    strides = sorted(((abs(base.coefficient(f.var)) * f.step, f) for f in moving), key=lambda pair: pair[0])
    for position, (step, loop) in enumerate(strides):
        if step < width:
            return False
        trips = bounded_trips(loop)
        if trips is None and position + 1 < len(strides):
            return False
        width += step * ((trips or 1) - 1)
    return True
