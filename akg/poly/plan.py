"""What a strategy asks of the polyhedral scheduler, checked and in the form that the scheduler reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from akg.poly.domain import SYMBOLIC_FROM

CostSpec: TypeAlias = "str | Mapping[str, Any]"  # a registered name, {"minimize": form} or {"weighted": [[n, cost]]}
Heuristic = Literal["smartfuse", "maxfuse", "nofuse", "parallelfuse"]
DirectiveKind = Literal["vectorize", "parallel", "sequential", "reduce", "unroll"]


_LARGEST = 4  # of coefficients, where their signs are free (Acharya and Bondhugula 2015)


@dataclass(frozen=True, slots=True)
class ConstraintSpec:
    """A constraint on the coefficients of one dimension; a soft one is dropped where it cannot hold."""

    text: str
    soft: bool = False


@dataclass(frozen=True, slots=True)
class DimensionPlan:
    """How one scheduling dimension is chosen.

    Attributes:
        costs: minimised one after the other.
        require_parallel: the dimension carries no dependence; where that cannot be, it is reported.
        prefer_parallel: the same without a report, for every dimension of a band.
    """

    costs: tuple[CostSpec, ...] = ("proximity",)
    constraints: tuple[ConstraintSpec, ...] = ()
    require_parallel: bool = False
    prefer_parallel: bool = False


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """Which statements may share loops from one dimension on.

    Attributes:
        heuristic: "smartfuse" keeps nests of different depth apart, "maxfuse" fuses what it can, "nofuse" fuses only
            statements that depend on one another in a cycle, "parallelfuse" fuses as long as that costs no
            parallel loop.
        groups: explicit groups of statements, in the order of execution.
        total_distribution: every strongly connected component gets nests of its own at this dimension.
    """

    heuristic: Heuristic = "smartfuse"
    groups: tuple[tuple[str, ...], ...] = ()
    total_distribution: bool = False


@dataclass(frozen=True, slots=True)
class Directive:
    """A wish for the loops of some statements (None: all); iterators count from 0, outermost first."""

    kind: DirectiveKind
    statements: tuple[str, ...] | None
    iterators: tuple[int, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """Switches of the scheduler.

    Attributes:
        dependences: "memory", all of them, or "flow", the direct ones: fewer, of more complicated shapes.
        constant_to_parameter: large constants are symbolic while a schedule is sought.
        context_min: constants from here on, and the least value that is assumed of them.
        check_schedule: the schedule is proved legal before it is taken; else the fallback is used.
        solver: of the integer problems: "own", "isl" or "auto".
        parameter_shifting: rows may have multiples of sizes.
        negative_coefficients: rows may have negative coefficients of iterators.
        max_coefficient: the largest coefficient of an iterator, 0 for no bound.
        cluster_identity: statements that only pass elements on to one another share their rows.
        relax_reductions: updates of a reduction need not keep their order.
        diamond: bands without a parallel row get a pair of rows whose tiles can start at once, where there is one.
        split_components: statements that do not depend on one another get nests of their own.
        fallback: what is tried where no row is found: "feautrier", "isl", "original"; in order.
    """

    dependences: Literal["memory", "flow"] = "memory"
    constant_to_parameter: bool = True
    context_min: int = SYMBOLIC_FROM
    check_schedule: bool = False
    solver: str = "auto"
    parameter_shifting: bool = False
    negative_coefficients: bool = False
    max_coefficient: int = 0
    cluster_identity: bool = True
    relax_reductions: bool = False
    diamond: bool = False
    split_components: bool = True
    fallback: tuple[str, ...] = ("feautrier", "isl", "original")

    @property
    def coefficient_limit(self) -> int:
        """The largest coefficient of an iterator; 0 for no bound. Negative ones need a bound."""
        return self.max_coefficient or (_LARGEST if self.negative_coefficients else 0)


@dataclass(frozen=True, slots=True)
class SchedulerState:
    """What a call-back sees before each dimension.

    Attributes:
        dimension: rows so far on the way from the root.
        position: members of the current band so far.
        statements: those that the dimension is for.
        ranks: loops that each of them has, linearly independent, so far.
        depths: loops that each of them needs.
        unsatisfied: (kind, source, sink, buffer) of each open dependence.
        last_parallel: whether the dimension before carries no dependence; None for the first.
    """

    dimension: int
    position: int
    statements: tuple[str, ...]
    ranks: Mapping[str, int]
    depths: Mapping[str, int]
    unsatisfied: tuple[tuple[str, str, str, str], ...]
    last_parallel: bool | None


Callback: TypeAlias = "Callable[[SchedulerState], DimensionPlan | None]"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it; `dimensions` and `fusion` by dimension, -1 for every other one."""

    variables: tuple[str, ...] = ()
    dimensions: Mapping[int, DimensionPlan] = field(default_factory=lambda: {-1: DimensionPlan()})
    fusion: Mapping[int, FusionPlan] = field(default_factory=lambda: {-1: FusionPlan()})
    directives: tuple[Directive, ...] = ()
    options: SchedulerOptions = SchedulerOptions()
    callback: Callback | None = None

    def dimension(self, k: int) -> DimensionPlan:
        """The plan of a dimension."""
        return self.dimensions.get(k) or self.dimensions.get(-1) or DimensionPlan()

    def fusion_at(self, k: int) -> FusionPlan:
        """The fusion from a dimension on."""
        return self.fusion.get(k) or self.fusion.get(-1) or FusionPlan()

    def with_options(self, **changes: Any) -> Plan:
        """The plan with some switches changed."""
        return replace(self, options=replace(self.options, **changes))
