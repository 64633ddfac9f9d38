"""The bench of composite documents: which documents it takes, and its tables."""

import pytest

from bench import composite, composite_tables


def document(name: str, op: str, dtype: str) -> dict[str, object]:
    tensor = {"tensor_name": "x", "shape": [2, 3], "data_type": dtype}
    out = {**tensor, "tensor_name": "y"}
    return {"op": name, "input_desc": [[tensor]], "output_desc": [out],
            "op_desc": [{"name": op, "input_desc": [[tensor]], "output_desc": [out]}]}  # fmt: skip


def test_selection_is_even_over_classes_and_types() -> None:
    found = [document(f"{op}{k}{t}", op, t) for op in ("Mul", "ReduceSum", "Transpose", "MatMul") for k in range(60)
             for t in ("float16", "float32")]  # fmt: skip
    chosen = composite.selection([*found, *found])
    kinds = [(composite.class_of(d), composite.is_half(d)) for d in chosen]
    assert len(chosen) == len({d["op"] for d in chosen}) == 120
    for name, share in composite.SHARES.items():
        assert kinds.count((name, True)) == kinds.count((name, False)) == share // 2


def test_tables_weigh_by_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    common = {"class": "reduce", "float16": False, "build_ms": 1.0, "build_cpu_ms": 1.0, "least_copy_us": 100.0}
    rows = [
        {"op": "a", "bytes": 4_000_000, "least_us": 100.0, "inductor": {"build_s": 1.0}, "inductor_us": 400.0,
         "inductor_least_us": 300.0, **common},
        {"op": "b", "bytes": 2_000_000, "least_us": 100.0, "inductor": {"error": "wrong"}, **common},
    ]  # fmt: skip
    composite_tables.report(rows, 1)
    text = capsys.readouterr().out
    assert "| reduce float32 | 2 | 30.0 | 30.0 | 1.00 | 1.00 | 1, 1 |" in text
    assert "inductor: 1 of 2 documents right" in text
    assert "| reduce | 1 | 40.0 | 13.3 | 3.00 | 1 | 3.00 |" in text
