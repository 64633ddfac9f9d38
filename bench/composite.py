"""Composite documents beside a plain copy: bandwidth weighted by traffic, over real fused subgraphs.

Of each document of at least `--min-elems` elements of inputs and outputs: milliseconds of its build, microseconds of a
call into outputs that are given, the bytes of its inputs and outputs a second, and the same of a copy of as many bytes,
timed in turns with it. The summary is total bytes over total time, against the copies', for all and by class and type.

    python -m bench.composite FILE.jsonl.gz [--limit N] [--threads 2] [--json PATH]

The file has one JSON object a line, with the document under "desc".
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import math
import statistics
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg.runtime.buffer import empty_aligned

ROUNDS = 7
SAMPLE_S = 2e-3
CLASSES = (
    ("matmul", ("MatMul", "BatchMatMul", "Conv2D")), ("reduce", ("Reduce", "ElemAny")), ("transpose", ("Transpose",)),
)  # fmt: skip


def documents(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") as stream:
        for line in stream:
            yield json.loads(line)["desc"]


def tensors(desc: dict[str, Any]) -> list[dict[str, Any]]:
    return [t for group in desc.get("input_desc") or [] for t in group]


def elements(desc: dict[str, Any]) -> int:
    return sum(math.prod(t["shape"]) for t in [*tensors(desc), *desc["output_desc"]])


def class_of(desc: dict[str, Any]) -> str:
    names = {op["name"] for op in desc["op_desc"]}
    found = (c for c, words in CLASSES if any(n.startswith(w) for n in names for w in words))
    return next(found, "elementwise")


def filled(tensor: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
    """Values near 1, in memory that begins at a page, as outputs do."""
    shape, dtype = tuple(tensor["shape"]), np.dtype(tensor["data_type"])
    array = empty_aligned(shape, dtype)
    if dtype.kind == "f":
        array[...] = rng.normal(1, 0.1, shape)
    elif dtype.kind == "c":
        array[...] = rng.normal(1, 0.1, shape) + 1j * rng.normal(1, 0.1, shape)
    else:
        array[...] = rng.integers(0, 2, shape)
    return array


def burst(call: Any, repeat: int) -> float:
    start = perf_counter()
    for _ in range(repeat):
        call()
    return (perf_counter() - start) / repeat


def repeats(call: Any) -> int:
    call()
    return max(1, min(10000, int(SAMPLE_S / max(burst(call, 1), 1e-7))))


def measured(desc: dict[str, Any], copies: dict[int, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(zlib.crc32(desc["op"].encode()))
    inputs = [filled(t, rng) for t in tensors(desc)]
    start, cpu = perf_counter(), process_time()
    kernel = akg.composite.build(desc)
    built, cpu = perf_counter() - start, process_time() - cpu
    result = kernel(*inputs)
    outputs = tuple([filled(t, rng) for t in desc["output_desc"]])
    out = outputs if isinstance(result, tuple) else outputs[0]
    size = sum(a.nbytes for a in (*inputs, *outputs))
    copy = copies[max(size // 2 // 4, 1)]

    def call() -> None:
        kernel(*inputs, out=out)

    counts = repeats(call), repeats(copy)
    times: list[float] = []
    plain: list[float] = []
    for _ in range(ROUNDS):
        times.append(burst(call, counts[0]))
        plain.append(burst(copy, counts[1]))
    return {
        "op": desc["op"], "class": class_of(desc), "float16": "float16" in json.dumps(desc), "bytes": size,
        "build_ms": built * 1e3, "build_cpu_ms": cpu * 1e3, "us": statistics.median(times) * 1e6,
        "least_us": min(times) * 1e6, "copy_us": statistics.median(plain) * 1e6, "least_copy_us": min(plain) * 1e6,
        "kernels": len(kernel.compiled.kernels),
    }  # fmt: skip


class Copies(dict[int, Any]):
    """Calls that copy so many float32, in as many threads as kernels have, made when asked for."""

    def __init__(self) -> None:
        super().__init__()
        n = akg.te.var("n")
        x = akg.te.placeholder((n,), "float32", name="x")
        self.kernel = akg.build([akg.te.compute((n,), lambda i: x[i])], inputs=[x])

    def __missing__(self, count: int) -> Any:
        source, target = empty_aligned((count,), np.dtype("float32")), empty_aligned((count,), np.dtype("float32"))
        source[...] = 1
        return lambda: self.kernel(source, out=target)


def summary(rows: list[dict[str, Any]]) -> None:
    groups: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in rows:
        groups["all"].append(row)
        groups[row["class"]].append(row)
        groups["float16" if row["float16"] else "float32"].append(row)
    print("| what | documents | GB/s | copy GB/s | of copy | geomean of copy | build ms (median, p95) |")
    print("|---|---|---|---|---|---|---|")
    for name, found in groups.items():
        size = sum(r["bytes"] for r in found)
        own, plain = sum(r["us"] for r in found), sum(r["copy_us"] for r in found)
        mean = math.exp(statistics.fmean([math.log(r["copy_us"] / r["us"]) for r in found]))
        built = sorted(r["build_cpu_ms"] for r in found)
        print(
            f"| {name} | {len(found)} | {size / own / 1e3:.1f} | {size / plain / 1e3:.1f} | {plain / own:.2f} "
            f"| {mean:.2f} | {statistics.median(built):.0f}, {built[int(len(built) * 0.95)]:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int, help="so many documents, spread over the file")
    parser.add_argument("--min-elems", type=float, default=1e5)
    parser.add_argument("--max-elems", type=float, default=2e7)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--case", help="only documents whose name contains this")
    parser.add_argument("--worst", type=int, default=15, help="so many of the slowest against a copy")
    parser.add_argument("--json", type=Path, help="write the rows")
    args = parser.parse_args()
    found = [
        d for d in documents(args.file)
        if args.min_elems <= elements(d) <= args.max_elems and (not args.case or args.case in d["op"])
    ]  # fmt: skip
    if args.limit and len(found) > args.limit:
        found = [found[i * len(found) // args.limit] for i in range(args.limit)]
    rows: list[dict[str, Any]] = []
    with akg.config.override(num_threads=args.threads) if args.threads else akg.config.override():
        copies = Copies()
        for desc in found:
            rows.append(measured(desc, copies))
            if args.json:
                args.json.write_text("\n".join(map(json.dumps, rows)))
    summary(rows)
    print("\nslowest against a copy, weighted by time:")
    for r in sorted(rows, key=lambda r: r["copy_us"] - r["us"])[: args.worst]:
        us = f"{r['us']:10.0f} us, copy {r['copy_us']:8.0f} us"
        print(f"{us}, {r['class']}, {r['bytes'] / 1e6:.1f} MB  {r['op'][:90]}")


if __name__ == "__main__":
    main()
