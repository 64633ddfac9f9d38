"""The integer set library, as the rest of `akg.poly` sees it: the only file that imports islpy.

All objects live in one context. Their types are re-exported (`Set`, `Map`, `Aff`, ...); operations that can
go wrong in silence or without saying on what go through the functions here:

  * spaces have named dimensions and a tuple name, always (`set_space`);
  * a union operation on tuple names that do not meet is empty in isl; here it is an `InternalError`
    (`union_map`, `apply_checked`);
  * text with anything behind its end is refused (`parse_set`, `parse_map`): isl drops the rest in silence;
  * errors carry the text of their operands;
  * under `budget(n)` a computation of more than `n` isl operations raises `Unknown`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import islpy as _isl

from akg.base.errors import InternalError

Aff: TypeAlias = _isl.Aff
AstBuild: TypeAlias = _isl.AstBuild
AstExpr: TypeAlias = _isl.AstExpr
AstNode: TypeAlias = _isl.AstNode
BasicMap: TypeAlias = _isl.BasicMap
BasicSet: TypeAlias = _isl.BasicSet
Constraint: TypeAlias = _isl.Constraint
LocalSpace: TypeAlias = _isl.LocalSpace
Map: TypeAlias = _isl.Map
MultiPwAff: TypeAlias = _isl.MultiPwAff
Point: TypeAlias = _isl.Point
PwAff: TypeAlias = _isl.PwAff
ScheduleNode: TypeAlias = _isl.ScheduleNode
Set: TypeAlias = _isl.Set
Space: TypeAlias = _isl.Space
UnionMap: TypeAlias = _isl.UnionMap
UnionSet: TypeAlias = _isl.UnionSet
Val: TypeAlias = _isl.Val

PARAM = _isl.dim_type.param
IN = _isl.dim_type.in_
OUT = _isl.dim_type.out
SET = _isl.dim_type.set

CONTEXT = _isl.Context()
T = TypeVar("T")


class Unknown(Exception):
    """The budget of operations ran out: neither yes nor no."""


@contextmanager
def budget(operations: int) -> Generator[None]:
    """Bound the isl operations of a block; they are counts, not seconds, so an answer does not depend on load.

    Raises:
        Unknown: inside the block, when the bound is passed.
    """
    CONTEXT.reset_operations()
    CONTEXT.set_max_operations(operations)
    try:
        yield
    except _isl.Error as error:
        if _is_budget(error):
            raise Unknown(f"more than {operations} operations") from None
        raise
    finally:
        CONTEXT.set_max_operations(0)


def _is_budget(error: Exception) -> bool:
    return "maximal number of operations" in str(error)


def _failed(operation: str, error: Exception, *operands: object) -> Exception:
    if _is_budget(error):
        return Unknown(f"{operation}: budget of operations exceeded")
    texts = "; ".join(str(o) for o in operands)
    return InternalError(f"isl {operation}: {error}; operands: {texts}")


# --- spaces and affine functions ---------------------------------------------------------------------


def set_space(name: str, dims: Sequence[str], params: Sequence[str]) -> Space:
    """The space ``[params] -> name[dims]``.

    Raises:
        InternalError: if the tuple has no name or dimension names repeat.
    """
    if not name:
        raise InternalError("an isl tuple needs a name")
    if len({*dims, *params}) != len(dims) + len(params):
        raise InternalError(f"dimension names of {name} repeat: {dims} and {params}")
    space = _isl.Space.create_from_names(CONTEXT, set=list(dims), params=list(params))
    return space.set_tuple_name(SET, name)


def params_space(params: Sequence[str]) -> Space:
    """The space of parameters alone."""
    return _isl.Space.create_from_names(CONTEXT, set=[], params=list(params)).params()


@functools.lru_cache(maxsize=4096)
def val(value: int) -> Val:
    """An integer."""
    if -(2**62) < value < 2**62:
        return _isl.Val.int_from_si(CONTEXT, value)
    return _isl.Val.read_from_str(CONTEXT, str(value))


def zero_aff(space: Space) -> Aff:
    """The function 0 on a set space."""
    return _isl.Aff.zero_on_domain_space(space)


def linear(zero: Aff, dims: Iterable[tuple[int, int]], params: Iterable[tuple[int, int]], const: int) -> Aff:
    """The affine function with (position, coefficient) pairs over dimensions and parameters."""
    aff = zero
    for position, coefficient in dims:
        aff = aff.set_coefficient_val(IN, position, val(coefficient))
    for position, coefficient in params:
        aff = aff.set_coefficient_val(PARAM, position, val(coefficient))
    return aff.set_constant_val(val(const)) if const else aff


def floor_div(aff: Aff, divisor: int) -> Aff:
    """``floor(aff / divisor)``."""
    return aff.scale_down_val(val(divisor)).floor()


def pw(aff: Aff | PwAff) -> PwAff:
    """An affine function as a piecewise one."""
    return _isl.PwAff.from_aff(aff) if isinstance(aff, _isl.Aff) else aff


def universe(space: Space) -> Set:
    """Every point of a set space."""
    return _isl.Set.universe(space)


def access_map(space: Space, name: str, values: Sequence[Aff | PwAff | None]) -> Map:
    """The map from a set space to ``name[values]``; a None value is any integer."""
    target = space.from_domain().add_dims(OUT, len(values)).set_tuple_name(OUT, name)
    if all(isinstance(v, _isl.Aff) for v in values):
        exact = _isl.MultiAff.zero(target)
        for k, value in enumerate(values):
            assert isinstance(value, _isl.Aff)
            exact = exact.set_at(k, value)
        return _isl.Map.from_multi_aff(exact)
    zero = pw(zero_aff(space))
    multi = _isl.MultiPwAff.zero(target)
    for k, value in enumerate(values):
        multi = multi.set_at(k, zero if value is None else pw(value))
    result = _isl.Map.from_multi_pw_aff(multi)
    for k, value in enumerate(values):
        if value is None:
            result = result.drop_constraints_involving_dims(OUT, k, 1)
    return result


def graph(value: PwAff) -> Map:
    """The relation from points to the value of a function."""
    return _isl.Map.from_pw_aff(value)


# --- operations with checks --------------------------------------------------------------------------


def compose(first: Map, second: Map) -> Map:
    """``second`` after ``first``.

    Raises:
        InternalError: if the tuples in the middle differ; the message has both maps.
        Unknown: if the budget ran out.
    """
    try:
        return first.apply_range(second)
    except _isl.Error as error:
        raise _failed("apply_range", error, first, second) from None


def is_empty(a: Set | Map | UnionMap | UnionSet) -> bool:
    """Whether there is no element.

    Raises:
        Unknown: if the budget ran out.
    """
    try:
        return a.is_empty()
    except _isl.Error as error:
        raise _failed("is_empty", error, a) from None


def intersect(a: Set, b: Set | BasicSet) -> Set:
    """The points in both sets.

    Raises:
        InternalError: if they live in different spaces.
        Unknown: if the budget ran out.
    """
    try:
        return a.intersect(b)
    except _isl.Error as error:
        raise _failed("intersect", error, a, b) from None


def subtract(a: Set, b: Set | BasicSet) -> Set:
    """The points of `a` that are not in `b`; raises as `intersect`."""
    try:
        return a.subtract(b)
    except _isl.Error as error:
        raise _failed("subtract", error, a, b) from None


def is_subset(a: Set, b: Set) -> bool:
    """Whether every point of `a` is in `b`; raises as `intersect`."""
    try:
        return a.is_subset(b)
    except _isl.Error as error:
        raise _failed("is_subset", error, a, b) from None


def tuple_names(union: UnionMap, kind: Any) -> set[str]:
    """The names of the domain (`IN`) or range (`OUT`) tuples of a union map."""
    names: set[str] = set()
    union.foreach_map(lambda m: names.add(m.get_tuple_name(kind) or ""))
    return names


def union_map(maps: Iterable[Map]) -> UnionMap:
    """The union of maps that all have tuple names on both sides.

    Raises:
        InternalError: if there is no map or a domain tuple has no name.
    """
    result: UnionMap | None = None
    for one in maps:
        if not one.has_tuple_name(IN):
            raise InternalError(f"a map without a domain tuple name in a union: {one}")
        union = one.to_union_map()
        result = union if result is None else result.union(union)
    if result is None:
        raise InternalError("the union of no maps has no space")
    return result


def union_set(sets: Iterable[Set]) -> UnionSet:
    """The union of sets that all have tuple names; raises as `union_map`."""
    result: UnionSet | None = None
    for one in sets:
        if not one.has_tuple_name():
            raise InternalError(f"a set without a tuple name in a union: {one}")
        union = one.to_union_set()
        result = union if result is None else result.union(union)
    if result is None:
        raise InternalError("the union of no sets has no space")
    return result


def apply_checked(first: UnionMap, second: UnionMap) -> UnionMap:
    """``second`` after ``first``, where every range tuple of `first` is a domain tuple of `second`.

    Raises:
        InternalError: naming the tuples that do not meet (isl would answer with an empty relation).
    """
    missing = tuple_names(first, OUT) - tuple_names(second, IN)
    if missing:
        raise InternalError(f"isl apply: no domain tuple {sorted(missing)} in {second}")
    return first.apply_range(second)


def _parse(kind: Any, text: str) -> Any:
    if not text.rstrip().endswith("}") or text.count("{") != 1 or text.count("}") != 1:
        raise InternalError(f"isl text must be one set or relation in braces: {text!r}")
    try:
        return kind.read_from_str(CONTEXT, text)
    except _isl.Error as error:
        raise InternalError(f"isl cannot read {text!r}: {error}") from None


def parse_set(text: str) -> Set:
    """A set from isl's notation.

    Raises:
        InternalError: with the text, if it is not one set, or if text follows it.
    """
    return _parse(_isl.Set, text)


def parse_map(text: str) -> Map:
    """A relation from isl's notation; raises as `parse_set`."""
    return _parse(_isl.Map, text)


# --- points ------------------------------------------------------------------------------------------


def fix_params(a: Set, values: dict[int, int]) -> Set:
    """`a` with parameters (by position) set to integers."""
    for position, value in values.items():
        a = a.fix_val(PARAM, position, val(value))
    return a


def sample(a: Set) -> tuple[list[int], list[int]] | None:
    """One point as (parameters, dimensions), or None if there is none; raises `Unknown` out of budget."""
    try:
        if a.is_empty():
            return None
        point = a.sample_point()
    except _isl.Error as error:
        raise _failed("sample_point", error, a) from None
    space = a.get_space()
    params = [_number(point.get_coordinate_val(PARAM, k)) for k in range(space.dim(PARAM))]
    return params, [_number(point.get_coordinate_val(SET, k)) for k in range(space.dim(SET))]


def lexmin_point(a: Set) -> tuple[list[int], list[int]] | None:
    """The lexicographically least point of a set without free parameters; otherwise as `sample`."""
    try:
        return sample(a.lexmin())
    except _isl.Error as error:
        raise _failed("lexmin", error, a) from None


def points(a: Set) -> list[list[int]]:
    """Every point of a bounded set without free parameters."""
    result: list[list[int]] = []

    def collect(point: Point) -> None:
        result.append([_number(point.get_coordinate_val(SET, k)) for k in range(a.dim(SET))])

    a.foreach_point(collect)
    return result


def _number(value: Val) -> int:
    return int(value.to_python())


def integer(value: Val) -> int | None:
    """A value as an integer, None for infinities, NaN and fractions."""
    return _number(value) if value.is_int() else None


def coefficients(aff: Aff) -> tuple[list[int], list[int], int] | None:
    """(dimension coefficients, parameter coefficients, constant) of an integral affine function without divisions."""
    if aff.dim(_isl.dim_type.div) or not aff.get_denominator_val().is_one():
        return None
    dims = [_number(aff.get_coefficient_val(IN, k)) for k in range(aff.dim(IN))]
    params = [_number(aff.get_coefficient_val(PARAM, k)) for k in range(aff.dim(PARAM))]
    return dims, params, _number(aff.get_constant_val())


def collected(register: Callable[[Callable[[T], None]], object]) -> list[T]:
    """The elements that an isl ``foreach_*`` hands out, as a list."""
    result: list[T] = []
    register(result.append)
    return result


# --- rows of numbers ---------------------------------------------------------------------------------


def basic_sets(a: Set) -> list[BasicSet]:
    """The convex pieces of a set, with integer divisions projected out: together they cover it."""
    return collected(a.remove_divs().foreach_basic_set)


def _numbers(a: BasicSet) -> list[tuple[int, list[int]]]:
    """Constraints as (0 for an equality, else 1; coefficients), by isl's PolyLib format, the quickest way."""
    printer = _isl.Printer.to_str(CONTEXT).set_output_format(_isl.format.POLYLIB)
    lines = printer.print_basic_set(a).get_str().split("\n")
    result: list[tuple[int, list[int]]] = []
    for line in lines[1 : int(lines[0].split()[0]) + 1]:
        kind, *values = [int(v) for v in line.split()]
        result.append((kind, values))
    return result


def equalities(a: BasicSet) -> list[list[int]]:
    """The equalities of a set without integer divisions, over (dimensions, parameters, constant)."""
    return [row for kind, row in _numbers(a) if kind == 0]


def inequalities(a: BasicSet) -> list[list[int]]:
    """The constraints of a set without divisions, over (dimensions, parameters, constant); equalities as two."""
    return [side for kind, row in _numbers(a) for side in ([row] if kind else [row, [-v for v in row]])]


def project_out(a: BasicSet, dims: Iterable[int]) -> BasicSet:
    """The set without some dimensions, by position."""
    for k in sorted(dims, reverse=True):
        a = a.project_out(SET, k, 1)
    return a


def valid_constraints(a: BasicSet) -> list[list[int]]:
    """The cone of affine functions that are nowhere negative on `a` (affine form of Farkas's lemma).

    A row gives one inequality ``row . f >= 0`` on the functions ``f = (constant, parameters, dimensions)``.

    Raises:
        Unknown: if the budget ran out.
    """
    try:
        found = _numbers(a.coefficients())
    except _isl.Error as error:
        raise _failed("coefficients", error, a) from None
    result: list[list[int]] = []
    for kind, values in found:
        row = values[:-1]  # the last column is the constant: a cone has none
        result.append(row)
        if kind == 0:
            result.append([-v for v in row])
    return result


def deltas(a: Set) -> Set:
    """The differences of a set of pairs in one space."""
    return a.unwrap().deltas()


def lexmin_of_rows(rows: Sequence[Sequence[int]], count: int) -> list[int] | None:
    """The lexicographically least integer point with ``row[:-1] . x + row[-1] >= 0`` for all rows; None if none.

    Raises:
        Unknown: if the budget ran out, or the minimum does not exist.
    """
    lines = [f"{len(rows)} {count + 2}", *["1 " + " ".join(map(str, row)) for row in rows]]
    try:
        points = _isl.BasicSet.read_from_str(CONTEXT, "\n".join(lines) + "\n").lexmin()
    except _isl.Error as error:
        raise _failed("lexmin", error) from None
    found = sample(points)
    return None if found is None else found[1]


# --- schedule trees and syntax trees ------------------------------------------------------------------


def schedule_root(domains: Iterable[Set]) -> ScheduleNode:
    """The node below the root of a new schedule tree over some statement domains."""
    return ScheduleNode.from_domain(union_set(domains)).child(0)


def insert_member(node: ScheduleNode, rows: Sequence[Aff]) -> ScheduleNode:
    """Insert a band of one member, with one function per statement, above `node`; the new band node."""
    union = _isl.UnionPwAff.from_aff(rows[0])
    for row in rows[1:]:
        union = union.union_add(_isl.UnionPwAff.from_aff(row))
    return node.insert_partial_schedule(_isl.MultiUnionPwAff.from_union_pw_aff(union))


def insert_sequence(node: ScheduleNode, filters: Sequence[UnionSet]) -> ScheduleNode:
    """Insert a sequence above `node`; the new sequence node."""
    children = _isl.UnionSetList.alloc(CONTEXT, len(filters))
    for one in filters:
        children = children.add(one)
    return node.insert_sequence(children)


def insert_mark(node: ScheduleNode, name: str) -> ScheduleNode:
    """Insert a mark above `node`; the new mark node."""
    return node.insert_mark(_isl.Id.read_from_str(CONTEXT, name))


def _name(kind: Any) -> str:
    """The name of an enumerator (the stubs call them integers), without the underscore of Python's keywords."""
    return kind.name.rstrip("_")


def generate_ast(node: ScheduleNode, context: Set) -> AstNode:
    """The syntax tree of the schedule that `node` is part of.

    Raises:
        Unknown: if the budget ran out.
    """
    try:
        return AstBuild.from_context(context).node_from_schedule(node.get_schedule())
    except _isl.Error as error:
        raise _failed("ast_build", error, node) from None


def node_kind(node: AstNode) -> str:
    """``for``, ``if``, ``block``, ``mark`` or ``user``."""
    return _name(node.get_type())


def expr_parts(expr: AstExpr) -> tuple[str, str | int, list[AstExpr]]:
    """A syntax expression as ("id", name, []), ("int", value, []) or ("op", operation, operands)."""
    kind = expr.get_type()
    if kind is _isl.ast_expr_type.id:
        return "id", expr.get_id().get_name(), []
    if kind is _isl.ast_expr_type.int:
        return "int", _number(expr.get_val()), []
    operands = [expr.get_op_arg(k) for k in range(expr.get_op_n_arg())]
    return "op", _name(expr.get_op_type()), operands


def compute_schedule(
    domains: Iterable[Set],
    context: Set,
    validity: Sequence[Map],
    coincidence: Sequence[Map],
    proximity: Sequence[Map],
    options: dict[str, int],
) -> ScheduleNode:
    """Run isl's scheduler; `options` are named after the context's ``set_schedule_*``. The root node.

    Raises:
        InternalError: for an option that isl does not have.
        Unknown: if the budget ran out, or isl gives up.
    """
    constraints = _isl.ScheduleConstraints.on_domain(union_set(domains)).set_context(context)
    if validity:
        constraints = constraints.set_validity(union_map(validity))
    if coincidence:
        constraints = constraints.set_coincidence(union_map(coincidence))
    if proximity:
        constraints = constraints.set_proximity(union_map(proximity))
    previous: dict[str, int] = {}
    try:
        for name, value in options.items():
            setter = getattr(CONTEXT, f"set_schedule_{name}", None)
            if setter is None:
                raise InternalError(f"isl's scheduler has no option {name!r}")
            previous[name] = getattr(CONTEXT, f"get_schedule_{name}")()
            setter(value)
        return constraints.compute_schedule().get_root()
    except _isl.Error as error:
        if "unable to carry dependences" in str(error):  # isl's scheduler gives up on some mixes of congruences
            raise Unknown("isl's scheduler is unable to carry the dependences") from None
        raise _failed("compute_schedule", error, *domains) from None
    finally:
        for name, value in previous.items():
            getattr(CONTEXT, f"set_schedule_{name}")(value)


def schedule_kind(node: ScheduleNode) -> str:
    """``band``, ``sequence``, ``set``, ``filter``, ``mark``, ``leaf``, ``domain`` or ``context``."""
    return _name(node.get_type())


def filter_names(node: ScheduleNode) -> list[str]:
    """The statements of a filter node."""
    return [s.get_tuple_name() for s in collected(node.filter_get_filter().foreach_set)]


def band_rows(node: ScheduleNode) -> list[dict[str, Aff]]:
    """Per member, the affine function of every statement.

    Raises:
        InternalError: if a row is piecewise.
    """
    partial = node.band_get_partial_schedule()
    result: list[dict[str, Aff]] = []
    for k in range(node.band_n_member()):
        rows: dict[str, Aff] = {}
        for piecewise in collected(partial.get_at(k).foreach_pw_aff):
            if not piecewise.isa_aff():
                raise InternalError(f"isl's schedule has a piecewise row: {piecewise}")
            rows[piecewise.get_space().get_tuple_name(IN)] = piecewise.as_aff()
        result.append(rows)
    return result


def unwritten(reads: Sequence[Map], writes: Sequence[Map], schedule: Sequence[Map]) -> list[Map]:
    """The parts of `reads` that no earlier instance of `writes` (exact ones) has written, under a schedule."""
    access = _isl.UnionAccessInfo.from_sink(union_map(reads)).set_schedule_map(union_map(schedule))
    if writes:
        access = access.set_must_source(union_map(writes))
    try:
        return collected(access.compute_flow().get_must_no_source().foreach_map)
    except _isl.Error as error:
        raise _failed("compute_flow", error, *reads) from None


def last_writes(reads: Sequence[Map], must: Sequence[Map], may: Sequence[Map], schedule: Sequence[Map]) -> list[Map]:
    """Value-based flow: relations from writing instances to the reads of their values, under a schedule."""
    access = _isl.UnionAccessInfo.from_sink(union_map(reads)).set_schedule_map(union_map(schedule))
    if must:
        access = access.set_must_source(union_map(must))
    if may:
        access = access.set_may_source(union_map(may))
    try:
        return collected(access.compute_flow().get_may_dependence().foreach_map)
    except _isl.Error as error:
        raise _failed("compute_flow", error, *reads) from None
