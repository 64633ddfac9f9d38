"""Pairs of dependent instances as boxes: questions on a dependence answered by arithmetic on bounds.

    for t: for i in 1 .. n - 1: S1: B[i] = A[i - 1]      S1 -> S2 by B: t' = t + D, i' = i, D >= 0
           for i in 1 .. n - 1: S2: A[i] = B[i]          S2 -> S1 by A: t' = t + D, i' = i + 1, D >= 1, i <= n - 3

Equal subscripts and the order of loops give most iterators of a pair by a few free ones. Each of these is between
two functions of the sizes; at most one loop, which carries the dependence, is a start with a step `D` that ends
before the loop does. Such a set is the product of intervals and a triangle: its vertices are integers, an affine
function takes its extremes at them, and the functions that are nowhere negative are those that are not at the vertices.

What is no such product (subscripts ``i + k``, conditions, triangular loops) is a box with conditions. It answers where
the box alone decides, or where a vertex that meets the conditions is a witness; the rest is for isl.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import inf

from akg.base.dtype import index
from akg.ir.affine import Affine
from akg.ir.expr import Var
from akg.poly.boxes import Boxes, Corner, NoBoxError, Range, Values, at_least_zero
from akg.poly.domain import conjuncts
from akg.poly.scop import Access, Statement

_STEP = Var("?step", index)
_WITNESS_SIZES = (0, 6)  # added to the least sizes where a witness is looked for
_MOST_CORNERS = 512  # of a box whose vertices are listed


class NoPairError(Exception):
    """There is no pair."""


@dataclass(slots=True)
class Pairs:
    """Pairs of instances: iterators of source and sink over free variables, and what these range over.

    Attributes:
        source: the source's iterators over the free variables and parameters.
        sink: the sink's.
        ranges: free variables; every one may take each value of its range, where the conditions hold.
        step: ``(variable, least)`` where that variable and ``_STEP >= least`` together stay in its range.
        least: sizes below which there is no pair.
        conditions: forms that are at least zero besides.
    """

    boxes: Boxes
    source: dict[Var, Affine]
    sink: dict[Var, Affine]
    ranges: dict[Var, Range]
    step: tuple[Var, int] | None = None
    least: dict[Var, int] = field(default_factory=dict[Var, int])
    conditions: tuple[Affine, ...] = ()
    _corners: list[Corner] = field(default_factory=list[Corner])

    def difference(self, before: Affine, after: Affine) -> Affine:
        """A row of the sink less one of the source, over the free variables."""
        before, after = self.boxes.lifted(before), self.boxes.lifted(after)
        terms: dict[Var, int] = {}
        const = after.const - before.const
        for form, values, sign in ((after, self.sink, 1), (before, self.source, -1)):
            for v, c in form.terms.items():
                value = values.get(v)
                if value is None:
                    terms[v] = terms.get(v, 0) + sign * c
                    continue
                const += sign * c * value.const
                for inner, k in value.terms.items():
                    terms[inner] = terms.get(inner, 0) + sign * c * k
        return Affine(terms, const)

    # --- extremes --------------------------------------------------------------------------------------

    def corners(self) -> list[Corner]:
        """What spans the parameters, where there are pairs."""
        if not self._corners:
            self._corners.extend(self.boxes.corners(self.least))
        return self._corners

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal boxes of pairs of the same statements."""
        ranges = [(v, *self.ranges[v]) for v in self.ranges]
        return *self.source.values(), *self.sink.values(), *ranges, self.step, *self.least.items(), *self.conditions

    def extreme(self, form: Affine, corner: Corner, greatest: bool) -> tuple[int, dict[Var, int]]:
        """The extreme value of a form at a corner of the parameters, and the free variables there."""
        point: dict[Var, int] = {}
        for v, (low, high) in self.ranges.items():
            if self.step is None or v is not self.step[0]:
                point[v] = corner.at(high if (form.coefficient(v) > 0) == greatest else low)
        best: tuple[int, dict[Var, int]] | None = None
        for ends in self._triangle(corner):
            here = {**point, **ends}
            value = corner.at(form, here)
            if best is None or (value > best[0] if greatest else value < best[0]):
                best = value, here
        assert best is not None
        return best

    def _triangle(self, corner: Corner) -> list[dict[Var, int]]:
        if self.step is None:
            return [{}]
        v, least = self.step
        low, high = (corner.at(f) for f in self.ranges[v])
        first = least * corner.unit
        return [{v: low, _STEP: first}, {v: high - first, _STEP: first}, {v: low, _STEP: high - low}]

    def has(self, form: Affine, greatest: bool) -> bool | None:
        """Whether a form is positive (`greatest`) or negative somewhere; None if that is not decided here."""
        if not form.terms:
            return form.const > 0 if greatest else form.const < 0
        values = [self.extreme(form, c, greatest)[0] for c in self.corners()]
        if not any(v > 0 if greatest else v < 0 for v in values):
            return False
        return True if not self.conditions else self._witness(form, greatest, 1)

    def is_empty(self) -> bool | None:
        """Whether no pair meets the conditions; None if that is not decided here."""
        if not self.conditions:
            return False
        return None if self._witness(Affine(), False, 0) is None else False

    def _witness(self, form: Affine, greatest: bool, least: int) -> bool | None:
        """True if a vertex with a value of at least `least` (or at most its negative) meets the conditions."""
        start = self.corners()[0]
        for more in _WITNESS_SIZES[: 2 if self.boxes.sizes else 1]:
            corner = Corner(1, {v: value + more * (v in self.boxes.sizes) for v, value in start.values.items()})
            for wanted in (form, *[c if greatest else c * -1 for c in self.conditions]):
                point = self.extreme(wanted, corner, greatest)[1]
                value = corner.at(form, point)
                if (value >= least if greatest else value <= -least) and self._holds(corner, point):
                    return True
        return None

    def _holds(self, corner: Corner, point: Values) -> bool:
        return all(corner.at(c, point) >= 0 for c in self.conditions)

    # --- subsets ---------------------------------------------------------------------------------------

    def where_zero(self, form: Affine) -> Pairs | None:
        """The pairs where a form over the free variables is zero; None where that set is not described here.

        Raises:
            NoPairError: if there is none.
        """
        if not form.terms and not form.const:
            return self
        if self.is_beyond(form) or self.is_beyond(form * -1):
            raise NoPairError
        state = _Equations(self.boxes, self)
        try:
            state.equate(form)
            return state.pairs()
        except NoBoxError:
            return None

    def is_beyond(self, form: Affine) -> bool:
        """Whether a form is positive everywhere in the box."""
        return all(self.extreme(form, c, False)[0] >= c.unit for c in self.corners())

    # --- cones -----------------------------------------------------------------------------------------

    def vertices(self, is_difference: bool) -> Iterator[list[int]]:
        """What spans the pairs: rows over (unit, parameters, source iterators, sink iterators or their differences).

        Raises:
            NoBoxError: if there are conditions, or too many.
        """
        if self.conditions:
            raise NoBoxError
        if is_difference:
            forms = [a - b for a, b in zip(self.sink.values(), self.source.values(), strict=True)]
        else:
            forms = [*self.source.values(), *self.sink.values()]
        params = self.boxes.params()
        used = {v for form in forms for v in form.terms}
        free = [v for v in self.ranges if v in used and (self.step is None or v is not self.step[0])]
        if 2 ** len(free) > _MOST_CORNERS:
            raise NoBoxError
        for corner in self.corners():
            head = [corner.unit, *[corner.values.get(v, 0) for v in params]]
            ends = [{corner.at(f) for f in self.ranges[v]} for v in free]
            for chosen in product(*ends):
                for more in self._triangle(corner):
                    point = {**dict(zip(free, chosen, strict=True)), **more}
                    yield [*head, *[corner.at(f, point) for f in forms]]


class _Equations:
    """Pairs under construction: a box from which equations eliminate variables."""

    def __init__(self, boxes: Boxes, start: Pairs | _Equations) -> None:
        self.boxes = boxes
        self.source, self.sink, self.ranges = dict(start.source), dict(start.sink), dict(start.ranges)
        self.least, self.step = dict(start.least), start.step
        self.conditions = list(start.conditions)

    def pairs(self) -> Pairs:
        """The set as it is; raises `NoPairError` where a range has no value."""
        for v, (low, high) in self.ranges.items():
            least = self.step[1] if self.step is not None and v is self.step[0] else 0
            if low.terms or high.terms:
                self.require(high - low + -least)
            elif high.const - low.const < least:
                raise NoPairError
        found = Pairs(self.boxes, self.source, self.sink, self.ranges, self.step, self.least)
        if not self.conditions:
            return found
        kept: list[Affine] = []
        for form in dict.fromkeys(self.conditions):
            corners = found.corners()
            if all(found.extreme(form, c, True)[0] < 0 for c in corners[:1]) and all(
                found.extreme(form, c, True)[0] <= 0 for c in corners[1:]
            ):
                raise NoPairError
            if any(found.extreme(form, c, False)[0] < 0 for c in corners):
                kept.append(form)
        found.conditions = tuple(kept)
        return found

    def require(self, form: Affine) -> None:
        """That a form over parameters is at least zero: true, impossible, or true from some size on."""
        if not form.terms:
            if form.const < 0:
                raise NoPairError
            return
        first, *rays = self.boxes.corners(self.least)
        if any(ray.at(form) < 0 for ray in rays):
            raise NoBoxError
        if first.at(form) >= 0:
            return
        (v, c), *others = form.terms.items()
        if others or v not in self.boxes.sizes:
            raise NoBoxError
        self.least[v] = -(form.const // c)

    def is_known(self, form: Affine) -> bool:
        """Whether a form over parameters is nowhere negative."""
        return form.const >= 0 if not form.terms else all(c.at(form) >= 0 for c in self.boxes.corners(self.least))

    def raise_low(self, v: Var, bound: Affine) -> None:
        """Let a variable be at least `bound`."""
        low, high = self.ranges[v]
        if low is not bound and low != bound and not self.is_known(low - bound):
            if not self.is_known(bound - low):
                raise NoBoxError
            self.ranges[v] = bound, high

    def lower_high(self, v: Var, bound: Affine) -> None:
        """Let a variable be at most `bound`."""
        low, high = self.ranges[v]
        if high is not bound and high != bound and not self.is_known(bound - high):
            if not self.is_known(high - bound):
                raise NoBoxError
            self.ranges[v] = low, bound

    def replace(self, v: Var, value: Affine) -> None:
        """Put a form in the place of a variable."""
        values = {v: value}
        for forms in (self.source, self.sink):
            for key, form in forms.items():
                if v in form.terms:
                    forms[key] = form.substitute(values)
        self.conditions = [c.substitute(values) if v in c.terms else c for c in self.conditions]

    def equate(self, form: Affine) -> None:
        """Keep the pairs where a form is zero."""
        free = [(v, c) for v, c in form.terms.items() if v in self.ranges or v is _STEP]
        rest = form.without(v for v, _ in free)
        if not free:
            if rest.terms:
                raise NoBoxError
            if rest.const:
                raise NoPairError
        elif self.step is not None and any(v is _STEP or v is self.step[0] for v, _ in free):
            self._fix_step(free, rest)
        elif len(free) == 1:
            self._fix(*free[0], rest)
        elif len(free) == 2 and abs(free[0][1]) == abs(free[1][1]):
            self._join(free, rest)
        else:
            self._split(free, rest)

    def _quotient(self, form: Affine, divisor: int) -> Affine:
        if any(c % divisor for c in form.terms.values()):
            raise NoBoxError
        if form.const % divisor:
            raise NoPairError
        return Affine({v: c // divisor for v, c in form.terms.items()}, form.const // divisor)

    def _fix(self, v: Var, factor: int, rest: Affine) -> None:
        value = self._quotient(rest, -factor)
        low, high = self.ranges[v]
        self.require(value - low)
        self.require(high - value)
        del self.ranges[v]
        self.replace(v, value)

    def _fix_step(self, free: list[tuple[Var, int]], rest: Affine) -> None:
        assert self.step is not None
        start, least = self.step
        if len(free) > 1 or free[0][0] is not _STEP or rest.terms:
            raise NoBoxError
        value = self._quotient(rest, -free[0][1])
        if value.const < least:
            raise NoPairError
        low, high = self.ranges[start]
        self.ranges[start] = low, high - value
        self.step = None
        self.replace(_STEP, value)

    def _join(self, free: list[tuple[Var, int]], rest: Affine) -> None:
        """``w = sign * u + shift``: one variable by another, which keeps both ranges."""
        (u, a), (w, b) = free
        sign = -1 if a == b else 1
        shift = self._quotient(rest, -b)
        low, high = self.ranges.pop(w)
        if sign > 0:
            self.raise_low(u, low - shift)
            self.lower_high(u, high - shift)
        else:
            self.raise_low(u, shift - high)
            self.lower_high(u, shift - low)
        self.replace(w, Affine({u: sign}) + shift)

    def _split(self, free: list[tuple[Var, int]], rest: Affine) -> None:
        """Digits apart: ``48 p + j = 48 p' + j'``, j and j' below 48; else a variable by the others, in its range."""
        for unit in sorted({abs(c) for _, c in free}, reverse=True):
            high = [(v, c) for v, c in free if c % unit == 0]
            low = [(v, c) for v, c in free if c % unit]
            if unit == 1 or rest.terms or len(high) == len(free) or not self._is_below(low, rest.const % unit, unit):
                continue
            self.equate(Affine({v: c // unit for v, c in high}, rest.const // unit))
            self.equate(Affine(dict(low), rest.const % unit))
            return
        self._eliminate(free, rest)

    def _is_below(self, terms: list[tuple[Var, int]], const: int, unit: int) -> bool:
        """Whether a sum over free variables is between -unit and unit everywhere."""
        least = most = const
        for v, c in terms:
            low, high = self.ranges[v]
            if low.terms or high.terms:
                return False
            ends = c * low.const, c * high.const
            least, most = least + min(ends), most + max(ends)
        return -unit < least and most < unit

    def _eliminate(self, free: list[tuple[Var, int]], rest: Affine) -> None:
        single = [(v, c) for v, c in free if abs(c) == 1]
        if not single:
            raise NoBoxError
        v, c = max(single, key=lambda entry: self._width(entry[0]))  # whose range says least about the others
        value = (Affine({u: k for u, k in free if u is not v}) + rest) * -c
        low, high = self.ranges.pop(v)
        self.replace(v, value)
        self.conditions += [value - low, high - value]

    def _width(self, v: Var) -> float:
        low, high = self.ranges[v]
        return inf if low.terms or high.terms else high.const - low.const

    def order(self, form: Affine) -> None:
        """Keep the pairs where a form, a loop of the sink less that of the source, is positive."""
        free = [(v, c) for v, c in form.terms.items() if v in self.ranges]
        rest = form.without(v for v, _ in free)
        if not free:
            self.require(rest + -1)
        elif len(free) == 1 and abs(free[0][1]) == 1:
            v, c = free[0]
            if c > 0:
                self.raise_low(v, rest * -1 + 1)
            else:
                self.lower_high(v, rest + -1)
        elif len(free) == 2 and {c for _, c in free} == {1, -1} and not rest.terms:
            later, earlier = (v for v, _ in sorted(free, key=lambda entry: -entry[1]))
            self._start_step(earlier, later, 1 - rest.const)
        else:
            self.conditions.append(form + -1)

    def _start_step(self, earlier: Var, later: Var, least: int) -> None:
        """``later = earlier + _STEP`` with ``_STEP >= least``, between the start of one and the end of the other."""
        (low, high), (first, last) = self.ranges[earlier], self.ranges[later]
        if not self.is_known(low + least - first) or not self.is_known(high + least - last):
            raise NoBoxError
        del self.ranges[later]
        self.ranges[earlier] = low, last
        self.step = earlier, least
        self.replace(later, Affine({earlier: 1, _STEP: 1}))


def meetings(
    boxes: Boxes, first: tuple[Statement, Access], second: tuple[Statement, Access], common: int, textual: bool
) -> Iterator[tuple[int, Pairs]]:
    """The pairs of instances that touch one element by two accesses, by the loop that decides their order.

    Args:
        boxes: of the model.
        first: the statement that runs first, with its access.
        second: the other, with an access to the same buffer.
        common: the number of loops around both.
        textual: whether pairs that no loop carries are in order; their level is `common`.

    Raises:
        NoBoxError: where pairs from some level on are not described here.
    """
    try:
        state = _conflicts(boxes, first, second)
        for level, v in enumerate(second[0].iterators[:common]):
            distance = state.sink[v] - state.source[v]
            if not distance.terms and not distance.const:
                continue
            carried = _Equations(boxes, state)
            try:
                carried.order(distance)
                yield level, carried.pairs()
            except NoPairError:
                pass
            state.equate(distance)
        if textual:
            yield common, state.pairs()
    except NoPairError:
        return


def _conflicts(boxes: Boxes, first: tuple[Statement, Access], second: tuple[Statement, Access]) -> _Equations:
    """The pairs that touch one element, in any order."""
    (source, a), (sink, b) = first, second
    own, other = boxes.instances(source), boxes.instances(sink)
    forms: dict[Var, Affine] = {}
    others: list[tuple[Affine, Affine]] = []
    limits: list[tuple[Var, Range, int]] = []
    for x, y in zip(a.indices, b.indices, strict=True):
        left, right = boxes.form(x), boxes.form(y)
        u, v = _single(left), _single(right)
        if u is None or v is None or u not in own.ranges or v not in other.ranges or v in forms:
            others.append((left, right))
            continue
        shift = left.const - right.const  # v = u + shift
        forms[v] = Affine({u: 1}, shift)
        if shift or other.ranges[v] is not own.ranges[u]:
            limits.append((u, other.ranges[v], shift))
    ranges = dict(own.ranges)
    for v in sink.iterators:
        if v not in forms:
            forms[v] = Affine({boxes.primed(v): 1})
            ranges[boxes.primed(v)] = other.ranges[v]
    forms = {v: forms[v] for v in sink.iterators}
    conditions = [*own.conditions, *[c.substitute(forms) for c in other.conditions]]
    conditions += [form for c in conjuncts(a.conditions) for form in at_least_zero(boxes, c)]
    conditions += [form.substitute(forms) for c in conjuncts(b.conditions) for form in at_least_zero(boxes, c)]
    state = _Equations(boxes, Pairs(boxes, own.forms, forms, ranges, conditions=tuple(conditions)))
    for u, (low, high), shift in limits:
        state.raise_low(u, low + -shift if shift else low)
        state.lower_high(u, high + -shift if shift else high)
    for left, right in others:
        state.equate(_over(left, state.source) - _over(right, state.sink))
    return state


def _single(form: Affine) -> Var | None:
    """The variable of ``v + constant``."""
    if len(form.terms) != 1:
        return None
    ((v, c),) = form.terms.items()
    return v if c == 1 else None


def _over(form: Affine, values: dict[Var, Affine]) -> Affine:
    return form.substitute(values) if any(v in values for v in form.terms) else form
