"""Fewer dimensions: those of size 1 go, and those that all stages walk through together become one.

Before: ``for i in [0, 32): for j in [0, 13): for k in [0, 13): T[i, j, k] = x[i, j, k] * w[i]``.
After:  ``for i in [0, 32): for j in [0, 169): T[i, j] = x[i, j] * w[i]``.

Two neighbouring dimensions of a buffer become one if every access of it subscripts them by two axes that its stage
merges, or takes one index apart into both. A stage merges two axes if, wherever they occur, they are the subscripts of
such neighbours, or stand in one subscript as the digits of one number. Both conditions hang together: the largest
solution is found by striking out what does not fit, until nothing changes. Memory stays as it is: only the shapes that
loops see are others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

from akg.ir.affine import Affine
from akg.ir.buffer import Buffer
from akg.ir.expr import Axis, Binary, Const, Expr, Load, Var
from akg.ir.rewrite import rewrite, substitute
from akg.ir.simplify import simplify
from akg.ir.stage import Stage
from akg.ir.te.tensor import fresh_var, plain_name

Shapes = dict[Buffer, Buffer]  # a buffer -> the one that takes its place
Pair = tuple[Var, Var]
Place = tuple[Var, ...] | Expr  # a run of axes whose dimensions are linked, or a subscript
_ONE, _ZERO = Const(1), Const(0)


def without_ones(stages: list[Stage]) -> tuple[list[Stage], Shapes]:
    """Stages without axes and dimensions of size 1, and the buffers that changed."""
    fixed = _fixed(stages)
    shapes: Shapes = {}
    for buffer in _buffers(stages):
        if buffer not in fixed and any(s is _ONE for s in buffer.shape):
            shapes[buffer] = Buffer(buffer.name, tuple([s for s in buffer.shape if s is not _ONE]), buffer.dtype)

    def rule(node: Expr) -> Expr | None:
        new = shapes.get(node.buffer) if isinstance(node, Load) else None
        if new is None:
            return None
        assert isinstance(node, Load)
        return Load(new, tuple([i for i, s in zip(node.indices, node.buffer.shape, strict=True) if s is not _ONE]))

    return [_without_ones(stage, shapes, rule, fixed) for stage in stages], shapes


def _without_ones(stage: Stage, shapes: Shapes, rule: object, fixed: set[Buffer]) -> Stage:
    own = [b for b in stage.outputs if b is not None]
    gone: dict[Var, Expr] = {}
    if not _is_special(stage):
        spatial = () if any(b in fixed for b in own) else stage.axes
        ones = [axis for axis in (*spatial, *stage.reduce_axes) if axis.begin is _ZERO and axis.end is _ONE]
        if stage.reduce_axes and len([a for a in ones if a.is_reduce]) == len(stage.reduce_axes):
            ones = [a for a in ones if a is not stage.reduce_axes[-1]]  # it stays a reduction
        gone = {axis.var: _ZERO for axis in ones}
    memo: dict[Expr, Expr] = {}
    moved: dict[Expr, Expr] = {}

    def changed(e: Expr) -> Expr:
        if gone:
            e = simplify(substitute(e, gone), moved)
        return rewrite(e, rule, memo)  # type: ignore[arg-type]  # pyright: ignore

    def left(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        kept = [a for a in axes if a.var not in gone]
        return tuple([Axis(a.var, changed(a.begin), changed(a.end), a.is_reduce) for a in kept])

    new = replace(
        stage,
        axes=left(stage.axes),
        reduce_axes=left(stage.reduce_axes),
        outputs=_renamed(stage.outputs, shapes),
        target=None if stage.target is None else shapes.get(stage.target, stage.target),
    )
    new.change(changed)
    return new


def collapse(stages: list[Stage]) -> tuple[list[Stage], Shapes]:
    """Stages with dimensions merged, and the buffers that changed."""
    plan = _Plan(stages)
    plan.settle()
    shapes = {b: plan.merged(b) for b in plan.buffers if any(plan.links[plan.root(b)])}
    return [plan.rewritten(stage, shapes) for stage in stages] if shapes else stages, shapes


def _is_special(stage: Stage) -> bool:
    return stage.scan is not None or stage.is_update or stage.place is not None


def _fixed(stages: Iterable[Stage]) -> set[Buffer]:
    """The buffers that stages fill whose axes have a meaning of their own."""
    return {b for stage in stages if _is_special(stage) for b in stage.outputs if b is not None}


def _buffers(stages: Iterable[Stage]) -> list[Buffer]:
    found: dict[Buffer, None] = {}
    for stage in stages:
        found.update((load.buffer, None) for load in stage.loads)
        found.update((b, None) for b in stage.outputs if b is not None)
        if stage.target is not None:
            found[stage.target] = None
    return list(found)


def _renamed(outputs: tuple[Buffer | None, ...], shapes: Mapping[Buffer, Buffer]) -> tuple[Buffer | None, ...]:
    return tuple([None if b is None else shapes.get(b, b) for b in outputs])


def _direct(e: Expr, found: set[Var]) -> set[Var]:
    """The variables of an expression that do not stand inside a load."""
    stack = [e]
    while stack:
        node = stack.pop()
        if isinstance(node, Var):
            found.add(node)
        elif not isinstance(node, Load):
            stack.extend(node.children)
    return found


class _Plan:
    """Which neighbours merge: of each buffer dimension d with d + 1, of each stage pairs of axes."""

    def __init__(self, stages: list[Stage]) -> None:
        self.stages = stages
        self.buffers = _buffers(stages)
        self.roots = {s.buffer: s.target for s in stages if s.target is not None}
        fixed = _fixed(stages)
        self.links: dict[Buffer, list[bool]] = {}
        for buffer in self.buffers:
            known = [isinstance(s, Const) for s in buffer.shape]
            can = buffer not in fixed
            links = [can and b and int(t) > 0 for (_, b), t in zip(pairwise(known), buffer.shape[1:], strict=True)]  # type: ignore[call-overload]  # pyright: ignore
            self.links[self.root(buffer)] = links
        self.accesses = [self.accesses_of(stage) for stage in stages]
        self.pairs: list[dict[Pair, None]] = [self.candidates(k) for k in range(len(stages))]

    def root(self, buffer: Buffer) -> Buffer:
        """The buffer itself, or for an assignment the placeholder."""
        return self.roots.get(buffer, buffer)

    def accesses_of(self, stage: Stage) -> list[tuple[Buffer, tuple[Expr, ...]]]:
        places = stage.place or tuple([axis.var for axis in stage.axes])
        stored = [(self.root(b), places) for b in stage.outputs if b is not None]
        return [*stored, *[(self.root(load.buffer), load.indices) for load in stage.loads]]

    def candidates(self, k: int) -> dict[Pair, None]:
        """Pairs of axes of one kind that occur nowhere but in subscripts."""
        stage = self.stages[k]
        if _is_special(stage):
            return {}
        elsewhere: set[Var] = set()
        for e in stage.expressions:
            _direct(e, elsewhere)
        for axis in stage.reduce_axes:
            _direct(axis.begin, _direct(axis.end, elsewhere))
        axes = {a.var: a for a in (*stage.axes, *stage.reduce_axes) if a.begin is _ZERO and a.var not in elsewhere}
        found: dict[Pair, None] = {}
        for _, places in self.accesses[k]:
            for p, q in pairwise(places):
                if isinstance(p, Var) and isinstance(q, Var) and p in axes and q in axes and p is not q:
                    if axes[p].is_reduce == axes[q].is_reduce and isinstance(axes[q].end, Const):
                        found[p, q] = None
        return {pair: None for pair in found if self.is_alone(pair, found)}

    @staticmethod
    def is_alone(pair: Pair, found: Mapping[Pair, None]) -> bool:
        """Whether no other pair begins or ends as this one: else axes come in different orders."""
        return not any((p is pair[0]) != (q is pair[1]) for p, q in found)

    def settle(self) -> None:
        """Strike out what does not fit until nothing changes."""
        changed = True
        while changed:
            changed = False
            for k, stage in enumerate(self.stages):
                extents = {a.var: a.end for a in (*stage.axes, *stage.reduce_axes)}
                for buffer, places in self.accesses[k]:
                    changed = self.strike(k, buffer, places, extents) or changed

    def strike(self, k: int, buffer: Buffer, indices: tuple[Expr, ...], extents: Mapping[Var, Expr]) -> bool:
        """Strike out the links of a buffer that an access does not bear, and the pairs that do not bear the access."""
        changed, places = False, list[Place]()
        for d, index in enumerate(indices):
            if d and self.links[buffer][d - 1]:
                joined = self.joined(places[-1], index, buffer.shape[d], k, extents)
                if joined is not None:
                    places[-1] = joined
                    continue
                self.links[buffer][d - 1] = False
                changed = True
            places.append((index,) if isinstance(index, Var) else index)
        for pair in list(self.pairs[k]):
            if not all(_fits(pair, extents[pair[1]], place) for place in places):
                del self.pairs[k][pair]
                changed = True
        return changed

    def joined(
        self, place: Place, index: Expr, size: Expr, k: int, extents: Mapping[Var, Expr]
    ) -> Place | None:
        """The subscripts of two neighbours as one: a run of axes, or an index that was taken apart; None if neither."""
        if isinstance(place, tuple):
            if isinstance(index, Var) and (place[-1], index) in self.pairs[k] and extents[index] is size:
                return (*place, index)
            return None
        return _whole(place, index, size)

    def merged(self, buffer: Buffer) -> Buffer:
        """The buffer with linked dimensions as one."""
        shape: list[Expr] = []
        links = self.links[self.root(buffer)]
        for d, size in enumerate(buffer.shape):
            if d and links[d - 1]:
                shape[-1] = simplify(shape[-1] * size)
            else:
                shape.append(size)
        return Buffer(buffer.name, tuple(shape), buffer.dtype)

    def rewritten(self, stage: Stage, shapes: Mapping[Buffer, Buffer]) -> Stage:
        """A stage over the new buffers and axes."""
        k = next(n for n, s in enumerate(self.stages) if s is stage)
        after = dict(self.pairs[k].keys())
        first = {p for p in after if p not in after.values()}
        values: dict[Var, Expr] = {}
        new: dict[Var, Axis] = {}
        by_var = {a.var: a for a in (*stage.axes, *stage.reduce_axes)}
        for head in first:
            run = [head]
            while run[-1] in after:
                run.append(after[run[-1]])
            extent = by_var[head].end
            for v in run[1:]:
                extent = simplify(extent * by_var[v].end)
            merged = fresh_var(plain_name(head))
            new[head] = Axis(merged, _ZERO, extent, by_var[head].is_reduce)
            values.update(dict.fromkeys(run[:-1], _ZERO))
            values[run[-1]] = merged
        gone = values.keys() - new.keys()
        memo: dict[Expr, Expr] = {}

        def rule(node: Expr) -> Expr | None:
            if not isinstance(node, Load):
                return None
            buffer = shapes.get(node.buffer, node.buffer)
            places = self.places(k, node.buffer, node.indices)
            return Load(buffer, tuple([simplify(substitute(e, values)) for e in places]))

        result = replace(
            stage,
            axes=tuple([new.get(a.var, a) for a in stage.axes if a.var not in gone]),
            reduce_axes=tuple([new.get(a.var, a) for a in stage.reduce_axes if a.var not in gone]),
            outputs=_renamed(stage.outputs, shapes),
            target=None if stage.target is None else shapes.get(stage.target, stage.target),
        )
        result.change(lambda e: rewrite(e, rule, memo))
        return result

    def places(self, k: int, buffer: Buffer, indices: tuple[Expr, ...]) -> list[Expr]:
        """The subscripts of linked dimensions as one: the last of a run of axes, or the index that was taken apart."""
        stage = self.stages[k]
        extents = {a.var: a.end for a in (*stage.axes, *stage.reduce_axes)}
        places: list[Place] = []
        for d, index in enumerate(indices):
            if d and self.links[self.root(buffer)][d - 1]:
                joined = self.joined(places[-1], index, buffer.shape[d], k, extents)
                assert joined is not None
                places[-1] = joined
            else:
                places.append((index,) if isinstance(index, Var) else index)
        return [place[-1] if isinstance(place, tuple) else place for place in places]


def _fits(pair: Pair, size: Expr, place: Place) -> bool:
    """Whether a subscript sees two axes as one number."""
    p, q = pair
    if isinstance(place, tuple):
        outer, inner = (next((k for k, v in enumerate(place) if v is one), -1) for one in pair)
        return (outer < 0) == (inner < 0) and (outer < 0 or outer + 1 == inner)
    found = _direct(place, set())
    return (p not in found and q not in found) or (isinstance(size, Const) and _as_digits(place, p, q, int(size)))


def _whole(a: Expr, b: Expr, size: Expr) -> Expr | None:
    """``c * size + f`` of the subscripts ``c + f // size`` and ``f % size``; None for others."""
    if not isinstance(b, Binary) or b.op != "mod" or b.b is not size or not isinstance(size, Const):
        return None
    rest: list[Expr] = []
    found = False
    for term in _terms(a):
        if not found and _is_quotient(term, b.a, int(size)):
            found = True
        else:
            rest.append(term)
    if not found:
        return None
    whole = b.a
    for term in rest:
        whole = term * size + whole
    return simplify(whole)


def _is_quotient(term: Expr, f: Expr, size: int) -> bool:
    """Whether a term is ``f // size``; ``g // (size * k)`` is that, too, of ``f = g // k``."""
    if not isinstance(term, Binary) or term.op != "floordiv" or not isinstance(term.b, Const):
        return False
    if term.a is f and int(term.b) == size:
        return True
    is_inner = isinstance(f, Binary) and f.op == "floordiv" and f.a is term.a and isinstance(f.b, Const)
    return is_inner and int(f.b) * size == int(term.b)  # type: ignore[attr-defined]  # pyright: ignore


def _terms(e: Expr) -> list[Expr]:
    """What an expression is the sum of."""
    return [*_terms(e.a), *_terms(e.b)] if isinstance(e, Binary) and e.op == "add" else [e]


def _as_digits(place: Expr, p: Var, q: Var, size: int) -> bool:
    """Whether two axes stand in one subscript as ``p * size + q``, times anything."""
    if isinstance(place, Binary) and place.op in ("floordiv", "mod") and isinstance(place.b, Const):
        return _as_digits(place.a, p, q, size)
    form = Affine.of(place)
    return form is not None and form.coefficient(p) == size * form.coefficient(q)
