"""Witnesses: statement instances at small concrete sizes, for messages."""

from __future__ import annotations

from dataclasses import dataclass

from akg.ir.affine import Affine
from akg.poly import isl
from akg.poly.dependence import Dependence
from akg.poly.domain import Model
from akg.poly.scop import Statement


@dataclass(frozen=True, slots=True)
class Instance:
    """A statement at values of its iterators."""

    statement: str
    values: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.statement}[{', '.join(f'{n}={v}' for n, v in self.values)}]"


@dataclass(frozen=True, slots=True)
class Witness:
    """A dependence between two instances at concrete sizes."""

    kind: str
    source: Instance
    sink: Instance
    buffer: str
    element: tuple[int, ...] | None
    sizes: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.source} -> {self.sink} at {self.place}{self.at_sizes}"

    @property
    def place(self) -> str:
        """The array element that both touch, or the array."""
        return self.buffer if self.element is None else f"{self.buffer}[{', '.join(map(str, self.element))}]"

    @property
    def at_sizes(self) -> str:
        """The sizes in brackets, if there are any."""
        return f" (with {', '.join(f'{n} = {v}' for n, v in self.sizes)})" if self.sizes else ""


def smallest(model: Model, points: isl.Set) -> tuple[dict[str, int], list[int]] | None:
    """(sizes, coordinates) of a point of least sizes, symbolic constants at their values; None if empty."""
    concrete = model.concrete(points)
    count = len(model.params)
    flat = concrete.flatten() if concrete.is_wrapping() else concrete
    found = isl.lexmin_point(flat.move_dims(isl.SET, 0, isl.PARAM, 0, count))
    if found is None:
        return None
    sizes = {v.name: found[1][k] for v, k in model.sizes.items()}
    return sizes, found[1][count:]


def witness(model: Model, dependence: Dependence, points: isl.Set) -> Witness | None:
    """An instance pair out of a part of a dependence (a wrapped set); None if it is empty at concrete sizes."""
    found = smallest(model, points)
    if found is None:
        return None
    sizes, values = found
    source, sink = model.scop.statements[dependence.source], model.scop.statements[dependence.sink]
    split = len(source.loops)
    first, second = instance(source, values[:split]), instance(sink, values[split:])
    writer, where = (sink, second) if dependence.kind == "anti" else (source, first)
    element = _element(writer, dependence, sizes, where)
    return Witness(dependence.kind, first, second, dependence.buffer.name, element, tuple(sizes.items()))


def instance(statement: Statement, values: list[int]) -> Instance:
    """A statement at iterator values, in loop order."""
    return Instance(statement.name, tuple([(v.name, x) for v, x in zip(statement.iterators, values, strict=True)]))


def _element(
    statement: Statement, dependence: Dependence, sizes: dict[str, int], where: Instance
) -> tuple[int, ...] | None:
    """The element that the instance writes, if its subscripts are affine."""
    env = {**sizes, **dict(where.values)}
    result: list[int] = []
    for index in statement.write.indices:
        form = Affine.of(index)
        if form is None or any(v.name not in env for v in form.terms):
            return None
        result.append(form.const + sum(c * env[v.name] for v, c in form.terms.items()))
    return tuple(result)
