"""Composite documents for tests: one operator, or several in a chain, written shortly."""

import json
from typing import Any

import numpy as np


def tensor(name: str, shape: Any, dtype: str = "float32", value: Any = None) -> dict[str, Any]:
    found = {"tensor_name": name, "shape": list(shape), "data_type": dtype, "format": "DefaultFormat"}
    return found if value is None else {**found, "value": value}


def op(name: str, inputs: list[Any], output: Any, variadic: bool = False, **attributes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "attr": [{"name": k, "value": v, "data_type": "str"} for k, v in attributes.items()] or None,
        "input_desc": [inputs] if variadic else [[t] for t in inputs],
        "output_desc": [output],
        "impl_path": "",
    }


def document(inputs: list[Any], ops: list[Any], outputs: list[Any], **keys: Any) -> dict[str, Any]:
    return {
        "composite": True, "op": "Fused_test", "process": "cpu", "platform": "AKG",
        "input_desc": [[t] for t in inputs] or None, "op_desc": ops, "output_desc": outputs, **keys,
    }  # fmt: skip


def single(
    name: str, inputs: list[Any], out_shape: Any, dtype: str = "float32", **attributes: Any
) -> dict[str, Any]:  # fmt: skip
    """A document of one operator; inputs with a value are constants."""
    out = tensor("out", out_shape, dtype)
    variadic = name in ("AddN", "Concat")
    return document(
        [t for t in inputs if "value" not in t], [op(name, inputs, out, variadic, **attributes)], [out]
    )  # fmt: skip


def text(desc: dict[str, Any]) -> str:
    return json.dumps(desc)


def values(shape: Any, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Positive numbers below 1, so that every function has a value; integers from 0 to 3; bools."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) > 0.5
    if dtype.startswith(("int", "uint")):
        return rng.integers(0, 4, shape).astype(dtype)
    return rng.uniform(0.1, 0.9, shape).astype(dtype)
