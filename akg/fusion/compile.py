"""From a graph to a callable: groups, a kernel each, and a plan of calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from akg.base.config import config
from akg.base.errors import user_facing
from akg.base.target import Target, host, resolve_target
from akg.base.trace import phase
from akg.driver.several import Begun, Several
from akg.fusion.bound import BoundGraph
from akg.fusion.cluster import Partition, partition, whole
from akg.fusion.constants import bind_constants
from akg.fusion.copies import with_copies
from akg.fusion.cut import Verdict, cut_at
from akg.fusion.fold import fold_constants
from akg.fusion.group import Definition, Group, define, groups_of
from akg.fusion.run import Plan, Runner, Spec, Step
from akg.ir import stmt
from akg.ir.expr import Var
from akg.ir.graph import Graph, Value, graph_text, merge_equal, remove_dead, simplify_algebra, verify_graph
from akg.poly.strategy import StrategyLike
from akg.runtime.kernel import Kernel


class CompiledGraph:
    """A graph as kernels. Called with its inputs it returns its outputs: an array, or a tuple of several.

    Arguments are those of `Kernel`: NumPy arrays, or anything with DLPack, dense and of the declared dtypes. Inputs in
    the graph's updates are modified. Outputs are new arrays, or those given as ``out=`` (one, or a tuple).

    Attributes:
        graph: what was compiled, simplified.
        kernels: one for each group, in the order of their calls.
        groups: the nodes of each kernel.
    """

    def __init__(self, graph: Graph, parts: Partition, kernels: Sequence[Kernel], plan: Plan) -> None:
        self.graph, self.groups, self.kernels = graph, parts.groups, tuple(kernels)
        self._parts, self._run = parts, Runner(plan)

    @property
    def name(self) -> str:
        """The graph's name."""
        return self.graph.name

    @user_facing
    def __call__(self, *args: Any, out: Any = None) -> Any:
        """Run the graph.

        Raises:
            AkgError: AKG-E5xx for arguments that do not fit.
        """
        single = len(self.graph.outputs) == 1
        given = None if out is None else (out,) if single else tuple(out)
        results = self._run(args, given)
        return results[0] if single else tuple(results) if results else None

    @user_facing
    def run(self, args: Sequence[Any], out: Sequence[Any] | None = None) -> list[Any]:
        """As a call, with arguments and outputs as sequences and the results as a list."""
        return self._run(args, out)

    def bind(self, sizes: Mapping[str, int] | None = None) -> BoundGraph:
        """The graph for callers that pass addresses of memory that they have checked; symbols have these sizes.

        Raises:
            InternalError: the graph updates inputs, or was compiled without `own_outputs` and passes some through.
        """
        return BoundGraph(self._run.plan, sizes or {})

    def explain(self) -> str:
        """The groups with their nodes, and for each edge that was not fused, why."""
        lines = [graph_text(self.graph).rstrip(), ""]
        for k, group in enumerate(self.groups):
            lines.append(f"kernel {k}, {group.name}: {', '.join(map(repr, group.nodes))}")
        lines += [f"not fused: {a.outputs[0].name} -> {b.outputs[0].name}: {why}" for a, b, why in self._parts.reasons]
        return "\n".join([*lines, *self._parts.notes])

    def __repr__(self) -> str:
        return f"<akg.CompiledGraph {self.name}: {len(self.graph.nodes)} nodes, {len(self.kernels)} kernels>"


@user_facing
def compile_graph(
    graph: Graph, target: str | Target | None = None, strategy: StrategyLike = None, *, own_outputs: bool = False,
    one_kernel: bool = False, rounded: bool = True,
) -> CompiledGraph:
    """Fuse the operators of a graph and compile its kernels.

    Args:
        graph: from a `Builder`, or from `akg.ir.graph` directly.
        target: as for `akg.build`.
        strategy: as for `akg.build`, for every kernel.
        own_outputs: whether outputs that are inputs or constants, or occur twice, are arrays of their own, too; else
            the call returns the input itself, or one array twice.
        one_kernel: whether all operators become one kernel.
        rounded: whether 16-bit floats are rounded after every operator, as if none were fused; without it, steps within
            a kernel keep what float32 holds, which is faster.

    Raises:
        AkgError: AKG-E70x for a graph that is none, and what `akg.build` raises.
    """
    verify_graph(graph)
    with phase("simplify-graph"):
        graph = with_copies(canonical(graph, _evaluated), own_outputs)
    return _compiled(graph, resolve_target(target), strategy, one_kernel, rounded)


def _compiled(
    graph: Graph, target: Target, strategy: StrategyLike, one_kernel: bool = False, rounded: bool = True
) -> CompiledGraph:
    with phase("cluster"):
        parts = whole(graph) if one_kernel else partition(graph, target)
    definitions: list[Definition] = []
    begun: list[Begun] = []
    with Several(target, strategy) as several:
        while len(begun) < len(parts.groups):
            definition = define(parts.groups[len(begun)], graph, rounded=rounded)
            kernel = _begun(definition, parts, len(begun), graph, several, one_kernel)
            if kernel is not None:
                definitions.append(definition)
                begun.append(kernel)
        kernels = [k.kernel() for k in begun]
    plan = _plan(graph, parts.groups, definitions, kernels)
    if graph.inputs and target.is_host:
        with phase("bind"):
            plan = bind_constants(plan, definitions)
    return CompiledGraph(graph, parts, [step.kernel for step in plan.steps], plan)


def canonical(graph: Graph, evaluate: Callable[[Graph], list[Any]] | None = None) -> Graph:
    """`graph` with what nothing needs, what is there already and what is known left out.

    Args:
        graph: any graph.
        evaluate: the outputs of a graph without inputs; None: constants are not folded.
    """
    while True:
        before = graph
        graph = remove_dead(merge_equal(simplify_algebra(graph, fast_math=config.fast_math)))
        if graph is before:
            break
    return graph if evaluate is None else fold_constants(graph, evaluate)


def _evaluated(graph: Graph) -> list[Any]:
    return _compiled(with_copies(graph, own_outputs=True), host(), None).run(())


def _begun(
    definition: Definition, parts: Partition, k: int, graph: Graph, several: Several, is_final: bool
) -> Begun | None:
    """The kernel of group `k`; None where the scheduler's verdict is against it, and `parts` has it cut instead."""
    nodes = parts.groups[k].nodes
    verdict = Verdict(definition.names, several.target)

    def accept(loops: stmt.Kernel) -> bool:
        return is_final or len(nodes) == 1 or verdict.accept(loops) or len(cut_at(nodes, verdict.cuts)) == 1

    kernel = several.begin(definition.kernel, accept)
    if kernel is not None:
        return kernel
    levels = cut_at(nodes, verdict.cuts)
    for node in nodes:
        for value in node.outputs:
            readers = [r for r in nodes if value in r.inputs] if value in verdict.cuts else []
            parts.reasons.extend((node, r, verdict.reason(value)) for r in readers)
    lists = [list(g.nodes) for g in parts.groups]
    parts.groups = groups_of(graph, [*lists[:k], *levels, *lists[k + 1 :]])
    return None


def _plan(
    graph: Graph, groups: Sequence[Group], definitions: Sequence[Definition], kernels: Sequence[Kernel]
) -> Plan:
    place: dict[Value, int] = {}
    for value in (*graph.inputs, *graph.constants, *[v for g in groups for v in g.outputs]):
        place[value] = len(place)
    for group in groups:
        place.update((v, place[target]) for target, v in group.updates.items() if v not in group.outputs)
    done = {target for group in groups for target in group.updates}
    steps: list[Step] = []
    for group, definition, kernel in zip(groups, definitions, kernels, strict=True):
        ins = [a.name if isinstance(a, Var) else place[definition.values[a]] for a in definition.inputs]
        steps.append(Step(kernel, tuple(ins), tuple([place[v] for v in group.outputs])))
    returned = set(graph.outputs)
    inside = {place[v]: _spec(v) for g in groups for v in g.outputs if v not in returned}
    return Plan(
        tuple([_spec(v) for v in graph.inputs]), tuple(graph.constants.values()), tuple(steps), inside,
        tuple([(place[v], _spec(v)) for v in graph.outputs]),
        tuple([(place[v], place[target]) for target, v in graph.updates.items() if target not in done]),
        len(place),
    )  # fmt: skip


def _spec(value: Value) -> Spec:
    return Spec.of(value.name, value.shape, value.dtype)
