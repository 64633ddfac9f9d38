"""Which nodes become kernels: those that akg converts, in the largest parts without cycles; others run eagerly."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

from akg.base.errors import AkgError
from akg.base.target import Target
from akg.base.trace import logger
from akg.frontends.torch.context import dtype_or_refusal
from akg.frontends.torch.importer import NodeError
from akg.frontends.torch.package import functorch, fx, operator_support, partitioner, torch
from akg.frontends.torch.run import TorchRunner
from akg.frontends.torch.table import find, is_view, name_of
from akg.poly.strategy import StrategyLike

_log = logger("torch")


class _Support(operator_support.OperatorSupportBase):
    """Whether akg converts a node; keeps the reasons why not."""

    def __init__(self, refused: dict[str, str]) -> None:
        super().__init__()
        self.reasons: Counter[str] = Counter()
        self.refused = refused

    def is_node_supported(self, submodules: Any, node: Any) -> bool:
        """Asked by the partitioner for each node."""
        del submodules
        why = self.obstacle(node)
        is_size = isinstance(node.meta.get("val"), torch.SymInt)  # arithmetic on sizes is torch's business
        if why and node.target is not operator.getitem and not is_size:
            self.reasons[why] += 1
        return not why

    def obstacle(self, node: Any) -> str:
        """Why a node stays in eager mode; empty if it need not."""
        if node.op != "call_function":
            return f"{node.op} {node.target}" if node.op not in ("placeholder", "output", "get_attr") else node.op
        if node.target is operator.getitem:
            return self.obstacle(node.args[0])
        if node.name in self.refused:
            return self.refused[node.name]
        name = name_of(node.target)
        if find(name) is None:
            return f"{name}: no converter"
        return _unknown_types(node, name)


def _unknown_types(node: Any, name: str) -> str:
    tensors = [n.meta.get("val") for n in (*node.all_input_nodes, node)]
    for fake in tensors:
        for part in fake if isinstance(fake, (tuple, list)) else [fake]:
            if isinstance(part, torch.Tensor):
                if part.device.type != "cpu":
                    return f"{name}: on {part.device.type}"
                if part.layout != torch.strided:
                    return f"{name}: layout {part.layout}"
                try:
                    dtype_or_refusal(part.dtype, name)
                except AkgError:
                    return f"{name}: {part.dtype}"
    return ""


def compile_module(
    module: Any, name: str, target: str | Target | None, strategy: StrategyLike
) -> Callable[[list[Any]], Any]:
    """A module whose supported parts run on akg's kernels.

    Returns:
        A function of a list of arguments, which it empties, as AOTAutograd calls it.
    """
    refused: dict[str, str] = {}
    try:
        runner = _complete(module, name, target, strategy)
    except AkgError as error:
        _refuse(refused, error, module)
    else:
        if runner is not None:
            return _boxed(runner)
    while True:
        parts, support = _parted(module, refused)
        runners = [(n, getattr(parts, n.target)) for n in parts.graph.nodes if n.op == "call_module"]
        done = True
        for k, (node, inner) in enumerate(runners):
            runner = TorchRunner(inner, f"{name}_{k}", target, strategy)
            try:
                runner.prepare()
            except AkgError as error:
                _refuse(refused, error, inner)
                done = False
                break
            setattr(parts, node.target, _Module(runner))
        if done:
            _report(name, support, len(runners))
            return functorch.make_boxed_func(parts)


def _complete(
    module: Any, name: str, target: str | Target | None, strategy: StrategyLike
) -> TorchRunner | None:
    """A runner of the whole graph, if akg converts all of it and it computes something."""
    support = _Support({})
    nodes = [n for n in module.graph.nodes if n.op not in ("placeholder", "output", "get_attr")]
    if not all(support.is_node_supported({}, n) for n in nodes) or not any(map(_computes, nodes)):
        return None
    runner = TorchRunner(module, f"{name}_0", target, strategy)
    runner.prepare()
    _report(name, support, 1)
    return runner


def _boxed(runner: TorchRunner) -> Callable[[list[Any]], list[Any]]:
    """A function that enters a runner at once."""

    def run(args: list[Any]) -> list[Any]:
        results = runner(args)
        args.clear()
        return results

    run.__dict__["_boxed_call"] = True
    return run


def _refuse(refused: dict[str, str], error: AkgError, part: Any) -> None:
    """Note what a part could not be built for; an error without a node is of the whole part."""
    culprits = [error.node] if isinstance(error, NodeError) else _computing(part)
    if not set(culprits) - set(refused):
        raise error
    refused.update(dict.fromkeys(culprits, f"{error.message} ({error.because})"))


def _parted(module: Any, refused: dict[str, str]) -> tuple[Any, _Support]:
    support = _Support(refused)
    chosen = partitioner.CapabilityBasedPartitioner(
        _copy(module), support, allows_single_node_partition=True
    )
    proposals = [p for p in chosen.propose_partitions() if _is_worth_it(p)]
    return chosen.fuse_partitions(proposals), support


def _copy(module: Any) -> Any:
    graph = fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    return fx.GraphModule(module, graph)


def _is_worth_it(partition: Any) -> bool:
    """Whether a part computes something."""
    return any(map(_computes, partition.nodes))


def _computes(node: Any) -> bool:
    return node.target is not operator.getitem and not is_view(name_of(node.target))


def _computing(inner: Any) -> list[str]:
    """The names of a part's nodes that are operators."""
    return [str(n.name) for n in inner.graph.nodes if n.op == "call_function" and n.target is not operator.getitem]


def _report(name: str, support: _Support, count: int) -> None:
    left = {why: n for why, n in support.reasons.items() if why not in ("placeholder", "output", "get_attr")}
    _log.info("%s: %d parts on akg's kernels", name, count)
    for why, n in left.items():
        _log.info("%s: in eager mode: %s (%d nodes)", name, why, n)


class _Module(torch.nn.Module):
    """A runner in the place of a submodule."""

    def __init__(self, runner: TorchRunner) -> None:
        super().__init__()
        self.runner = runner
        self.single = runner.returns_one

    def forward(self, *args: Any) -> Any:
        """The results of the part: a tensor, or a list of several."""
        results = self.runner(args)
        return results[0] if self.single else results

