"""Composite documents as torch functions, for Inductor; the peer `inductor` of `bench.composite`.

    python -m bench.composite_torch THREADS      # reads commands, see `bench.composite_serve`
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.composite_serve import Prepared, aligned, serve

_BINARY = {
    "Mul": "mul", "Add": "add", "TensorAdd": "add", "Sub": "sub", "RealDiv": "div", "Div": "div", "Maximum": "maximum",
    "Minimum": "minimum", "Pow": "pow", "Greater": "gt", "GreaterEqual": "ge", "Less": "lt", "LessEqual": "le",
    "Equal": "eq", "NotEqual": "ne", "LogicalOr": "logical_or", "LogicalAnd": "logical_and",
}  # fmt: skip
_UNARY = {
    "Sqrt": "sqrt", "Neg": "neg", "Exp": "exp", "Log": "log", "Abs": "abs", "Tanh": "tanh", "Rsqrt": "rsqrt",
    "Reciprocal": "reciprocal", "IsInf": "isinf", "IsNan": "isnan", "LogicalNot": "logical_not", "ACos": "acos",
    "Sin": "sin", "Cos": "cos", "Floor": "floor", "Round": "round", "Sign": "sign", "Expm1": "expm1",
}  # fmt: skip
_REDUCE = {"ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin", "ReduceAll": "all"}


def function_of(torch: Any, desc: dict[str, Any]) -> Callable[..., tuple[Any, ...]]:
    """The document as a function on tensors: results in the order of `output_desc`; assigned inputs are written."""
    names = [t["tensor_name"] for group in desc.get("input_desc") or [] for t in group]
    wanted = [t["tensor_name"] for t in desc["output_desc"]]

    def run(*inputs: Any) -> tuple[Any, ...]:
        given = dict(zip(names, inputs, strict=True))
        values = dict(given)
        for op in desc["op_desc"]:
            _apply(torch, op, values)
        for name, tensor in given.items():
            if values[name] is not tensor:
                tensor.copy_(values[name])
        return tuple([_own(values[name]) for name in wanted])

    return run


def _own(result: Any) -> Any:
    """A result as a dense array: not a view with other strides, which would be no work."""
    return result if result.is_contiguous() else result.contiguous()


def _apply(torch: Any, op: dict[str, Any], values: dict[str, Any]) -> None:
    """Add the result of an operator to the values."""
    attributes = {a["name"]: a.get("value") for a in op.get("attr") or []}
    tensors = [t for group in op.get("input_desc") or [] for t in group]
    out = op["output_desc"][0]

    def operand(t: dict[str, Any]) -> Any:
        if t.get("value") is None:
            return values[t["tensor_name"]]
        return torch.full(tuple(t["shape"]), t["value"], dtype=getattr(torch, t["data_type"]))

    args = [operand(t) for t in tensors]
    name, shape = op["name"], tuple(out["shape"])
    if name in ("Assign", "InplaceAssign"):
        target = values[tensors[0]["tensor_name"]]
        values[tensors[0]["tensor_name"]] = args[1].to(target.dtype).reshape(target.shape)
        result = args[1] if name == "Assign" else args[2]
    else:
        result = _value(torch, name, args, attributes, shape)
    if result.numel() == _count(shape):
        result = result.reshape(shape)
    values[out["tensor_name"]] = result.to(getattr(torch, out["data_type"]))


def _value(torch: Any, name: str, args: list[Any], attributes: dict[str, Any], shape: tuple[int, ...]) -> Any:
    if name in _BINARY:
        return getattr(torch, _BINARY[name])(args[0], args[1])
    if name in _UNARY:
        return getattr(torch, _UNARY[name])(args[0])
    if name in _REDUCE:
        axis = attributes.get("axis")
        if axis is None and len(args) > 1:
            raise NotImplementedError("axes in a tensor")
        axis = [axis] if isinstance(axis, int) else list(axis or range(args[0].dim()))
        return getattr(torch, _REDUCE[name])(args[0], dim=axis, keepdim=bool(attributes.get("keep_dims")))
    if name in ("Cast", "Reshape"):
        return args[0]
    if name in ("BroadcastTo", "Tile"):
        multiples = attributes.get("multiples")
        return args[0].repeat(multiples) if multiples else args[0].expand(attributes.get("shape") or shape)
    if name == "Transpose":
        return args[0].permute(attributes["perm"])
    if name == "Select":
        return torch.where(args[0].to(torch.bool), args[1], args[2])
    if name == "AddN":
        total = args[0]
        for other in args[1:]:
            total = total + other
        return total
    if name == "ElemAny":
        return (args[0] > 0).any()
    if name in ("MatMul", "BatchMatMul"):
        turned = [bool(attributes.get(f"transpose_{k}")) for k in "ab"]
        a, b = (x.transpose(-1, -2) if is_turned else x for x, is_turned in zip(args[:2], turned, strict=True))
        return a @ b + args[2] if len(args) > 2 else a @ b
    if name == "Gather":
        return torch.index_select(args[0], attributes["axis"], args[1].reshape(-1).to(torch.int64))
    raise NotImplementedError(name)


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def prepare(desc: dict[str, Any], inputs: list[np.ndarray]) -> Prepared:
    """The document compiled by Inductor, as one graph.

    Raises:
        RuntimeError: Inductor did not compile it as one graph.
    """
    torch = importlib.import_module("torch")
    dynamo = importlib.import_module("torch._dynamo")
    make_fx = importlib.import_module("torch.fx.experimental.proxy_tensor").make_fx
    dynamo.reset()
    counters = dynamo.utils.counters
    counters.clear()
    tensors = [torch.from_numpy(aligned(a)) for a in inputs]
    with torch.no_grad():
        graph = make_fx(function_of(torch, desc))(*[t.clone() for t in tensors])
        compiled = torch.compile(graph, fullgraph=True, dynamic=False)
        latest: list[Any] = []

        def call() -> None:
            latest[:] = compiled(*tensors)

        for k, array in enumerate(inputs):  # tracing and the first call may have written
            tensors[k].copy_(torch.from_numpy(array))
        compiled(*[t.clone() for t in tensors])
        if counters["stats"]["unique_graphs"] != 1:
            raise RuntimeError(f"{counters['stats']['unique_graphs']} graphs were compiled, not 1")
    return call, lambda: [t.numpy() for t in latest], [t.numpy() for t in tensors]


if __name__ == "__main__":
    _torch = importlib.import_module("torch")
    _torch.set_grad_enabled(False)
    _torch.set_num_threads(int(sys.argv[1]))
    serve(prepare)
