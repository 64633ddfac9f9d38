"""From a valid strategy document to the plan that the scheduler reads."""

from __future__ import annotations

import hashlib
import importlib
import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from akg.base.errors import AkgError, InternalError, suggest
from akg.poly.hint_rows import rows_of
from akg.poly.plan import (
    ConstraintSpec,
    CostSpec,
    DimensionPlan,
    Directive,
    FusionPlan,
    Plan,
    SchedulerOptions,
    SchedulerState,
)
from akg.poly.schedule.constraints import parse_constraint, parse_form
from akg.poly.schedule.cost import costs
from akg.poly.schedule.plan_check import used_variables
from akg.poly.schema import Document, Path, strategy_schema, validate
from akg.poly.tiling import TILE_OPTIONS

PLAN_KEYS = ("new_variables", "ILP_construction", "fusion", "directives", "soft constraints", "options", "callback")
HEURISTICS = ("smartfuse", "maxfuse", "nofuse", "parallelfuse")
_HINTS = {"serials": "sequential", "vectorials": "vectorize", "parallels": "parallel", "reduces": "reduce"}


def make_plan(document: Document) -> Plan:
    """The plan of a document that fits the schema; keys that are not the scheduler's are passed over.

    Raises:
        AkgError: AKG-E302 for constraints that cannot be read, AKG-E304 for an unknown cost function,
            AKG-E307 for a call-back that cannot be found.
    """
    values: Mapping[str, Any] = document.value
    variables = tuple(values.get("new_variables", ()))
    dimensions: dict[int, DimensionPlan] = {}
    for k, entry in enumerate(values.get("ILP_construction", ())):
        plan = make_dimension(entry, variables, document, k)
        _place(document, ("ILP_construction", k), entry, plan, dimensions)
    for k, rows in enumerate(values.get("soft constraints", ())):
        for position, texts in enumerate(rows_of(document, k, rows)[0]):
            plan = dimensions.get(position, dimensions.get(-1, DimensionPlan()))
            extra = tuple([ConstraintSpec(t, True) for t in texts])
            dimensions[position] = replace(plan, constraints=(*plan.constraints, *extra))
    fusion: dict[int, FusionPlan] = {}
    given = values.get("fusion", ())
    if isinstance(given, str):
        if given in HEURISTICS:
            fusion[-1] = FusionPlan(given)  # pyright: ignore[reportArgumentType]
    else:
        for k, entry in enumerate(given):
            _place(document, ("fusion", k), entry, _fusion(entry), fusion)
    options = {k: v for k, v in values.get("options", {}).items() if k not in TILE_OPTIONS}
    options.update(options.pop("params", {}))
    options["max_coefficient"] = options.get("max_coefficient") or 0
    if "fallback" in options:
        chain = options["fallback"]
        names = [] if chain == "error" else [chain] if isinstance(chain, str) else chain
        options["fallback"] = tuple(["original" if n == "initial" else n for n in names])
    plan = Plan(
        variables,
        {-1: DimensionPlan(), **dimensions},
        {-1: FusionPlan(), **fusion},
        tuple(_directives(values.get("directives", ()))),
        SchedulerOptions(**options),
        _callback(values.get("callback"), variables),
    )
    _refuse_idle(document, plan)
    return plan


def _refuse_idle(document: Document, plan: Plan) -> None:
    """Variables and constraints that change nothing are mistakes."""
    idle = [v for v in plan.variables if v not in used_variables(plan)]
    if idle and plan.callback is None:
        raise document.error(
            ("new_variables",), f"{idle[0]!r} has no effect", "no cost function or constraint uses it",
            'put it into "cost_functions"',
        )  # fmt: skip
    needs = {"no-reversal": "negative_coefficients", "no-parameter-shift": "parameter_shifting"}
    for dimension in plan.dimensions.values():
        for c in dimension.constraints:
            option = needs.get(c.text)
            if option and not getattr(plan.options, option):
                raise document.error(
                    ("ILP_construction",), f"the constraint {c.text!r} has no effect",
                    f"there is nothing to forbid without the option {option!r}", "leave it away",
                )  # fmt: skip


def _place(document: Document, path: Path, entry: Mapping[str, Any], plan: Any, result: dict[int, Any]) -> None:
    where = entry.get("scheduling_dimension", "default")
    for k in [-1] if where == "default" else [where] if isinstance(where, int) else where:
        if k in result:
            raise document.error(path, f"two entries for dimension {'default' if k < 0 else k}",
                                 "the second would have no effect", "join them")  # fmt: skip
        result[k] = plan


def make_dimension(
    entry: Mapping[str, Any], variables: Sequence[str], document: Document, position: int | None = None
) -> DimensionPlan:
    """The plan of one dimension, the entry at a position of a document's "ILP_construction", if it is of one.

    Raises:
        AkgError: AKG-E302, AKG-E304 as for `make_plan`.
    """
    constraints: list[ConstraintSpec] = []
    path: Path = () if position is None else ("ILP_construction", position)
    for k, c in enumerate(entry.get("constraints", ())):
        text, soft = (c, False) if isinstance(c, str) else (c["constraint"], c.get("soft", False))
        with document.at((*path, "constraints", k)):
            parse_constraint(text)
        constraints.append(ConstraintSpec(text, soft))
    given: Sequence[CostSpec] = entry.get("cost_functions", ("proximity",))
    for k, spec in enumerate(given):
        with document.at((*path, "cost_functions", k)):
            _check_cost(spec, variables)
    parallel = entry.get("require_parallel", False)
    return DimensionPlan(tuple(given), tuple(constraints), parallel is True, parallel == "prefer")


def _check_cost(spec: CostSpec, variables: Sequence[str]) -> None:
    if isinstance(spec, str):
        if spec not in variables:
            costs.get(spec)
    elif "minimize" in spec:
        parse_form(spec["minimize"])
    else:
        for _, inner in spec["weighted"]:
            _check_cost(inner, variables)


def _fusion(entry: Mapping[str, Any]) -> FusionPlan:
    groups = tuple([tuple(g) for g in entry.get("stmts_fusion", ())])
    return FusionPlan(entry.get("heuristic", "smartfuse"), groups, entry.get("total_distribution", False))


def _directives(given: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Sequence[int]]]) -> list[Directive]:
    if isinstance(given, Mapping):  # AKG's form: per statement, lists of loops
        return [
            Directive(kind, (name,), tuple(hints[key]))  # pyright: ignore[reportArgumentType]
            for name, hints in given.items() for key, kind in _HINTS.items() if hints.get(key)
        ]  # fmt: skip
    result: list[Directive] = []
    for d in given:
        statements = d.get("stmts", "*")
        iterators = [d["iterator"]] if isinstance(d["iterator"], int) else d["iterator"]
        names = None if statements == "*" else tuple(statements)
        result.append(Directive(d["type"], names, tuple(iterators), d.get("strict", False)))
    return result


# --- call-backs ------------------------------------------------------------------------------------------


def _callback(
    given: str | Callable[[SchedulerState], Any] | None, variables: Sequence[str]
) -> Callable[[SchedulerState], DimensionPlan | None] | None:
    if given is None:
        return None
    function = _found(given) if isinstance(given, str) else given

    def call(state: SchedulerState) -> DimensionPlan | None:
        try:
            answer = function(state)
        except AkgError:
            raise
        except Exception as error:
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            raise AkgError(
                "AKG-E307",
                f"the strategy's call-back raised {type(error).__name__} at dimension {state.dimension}",
                because="".join([line for line in lines if __file__ not in line]).rstrip(),
                hint="it gets a SchedulerState and gives a dict as in ILP_construction, or None",
            ) from error
        if answer is None or isinstance(answer, DimensionPlan):
            return answer
        if not isinstance(answer, Mapping):
            raise AkgError(
                "AKG-E307",
                f"the strategy's call-back returned {type(answer).__name__}",
                because="its answer is a dict as in ILP_construction, or None",
                hint="return a dict",
            )
        document = Document(dict(answer), f"the call-back's answer for dimension {state.dimension}")
        validate(document, strategy_schema(), "dimension")
        if "scheduling_dimension" in answer:
            raise document.error(("scheduling_dimension",), "this key has no effect",
                                 "an answer is for the dimension in the state", "leave it away")  # fmt: skip
        return make_dimension(answer, variables, document)

    return call


def _found(name: str) -> Callable[[SchedulerState], Any]:
    module, _, attribute = name.partition(":")
    hint = 'write "package.module:function"'
    try:
        loaded = importlib.import_module(module)
    except (ImportError, ValueError) as error:
        raise AkgError("AKG-E307", f"cannot import the call-back {name!r}", because=str(error), hint=hint) from None
    function = getattr(loaded, attribute, None)
    if not callable(function):
        names = [n for n in vars(loaded) if callable(getattr(loaded, n))]
        raise AkgError("AKG-E307", f"module {module} has no function {attribute!r}",
                       because="the call-back is looked up there",
                       hint=suggest(attribute, names, "functions") if attribute else hint)  # fmt: skip
    return function


def canonical(document: Mapping[str, Any]) -> str:
    """The scheduler's part of a document as text, the same for equal documents: part of cache keys."""
    return json.dumps({k: document[k] for k in PLAN_KEYS if k in document}, sort_keys=True, default=_of_callable)


def _of_callable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    code = getattr(value, "__code__", None)
    if code is None:
        raise InternalError(f"a strategy has a value of type {type(value).__name__}")
    cells = [repr(c.cell_contents) for c in value.__closure__ or ()]
    text = repr((code.co_code, code.co_consts, code.co_names, cells, value.__defaults__))
    return f"{value.__module__}:{value.__qualname__}:{hashlib.sha256(text.encode()).hexdigest()}"


OPTION_NAMES = tuple([f.name for f in fields(SchedulerOptions)])
