"""Composite documents beside a plain copy and, where they are installed, beside Inductor and MindSpore's AKG.

Of each document of at least `--min-elems` elements of inputs and outputs, in turns: a call into outputs that are given,
a copy of as many bytes, and what the peers make of it. Bandwidth is bytes of inputs and outputs over time, weighted by
traffic: all bytes over all time. A peer counts where its results are right.

    python -m bench.composite FILE.jsonl.gz                     # 120 documents, evenly over classes and types
    python -m bench.composite FILE.jsonl.gz --all --worst 30
    python -m bench.composite FILE.jsonl.gz --peers --mindspore PYTHON --json rows.jsonl

The file has one JSON object a line, with the document under "desc"; a `reference.py` beside it, with `make_inputs`,
`evaluate`, `tolerance` and `mismatch`, is the oracle. Without one, peers are compared with akg. `--peers` takes
Inductor where torch is importable; `--mindspore` is the Python of an environment with MindSpore (and gcc, g++). Runs in
parts (`--part 0/4`, ...) write rows that `--tables` puts together.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg.base.dtype import dtype_of, tolerance
from akg.runtime.buffer import empty_aligned
from bench.composite_serve import Peer, burst, repeats
from bench.composite_tables import Row, report

ROUNDS = 7
CLASSES = (
    ("matmul", ("MatMul", "BatchMatMul", "Conv2D")), ("reduce", ("Reduce", "ElemAny")), ("transpose", ("Transpose",)),
)  # fmt: skip
SHARES = {"elementwise": 52, "reduce": 38, "transpose": 18, "matmul": 12}  # documents of a selection, both types


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a file."""
    with gzip.open(path, "rt") as stream:
        for line in stream:
            yield json.loads(line)["desc"]


def tensors(desc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The inputs of a document."""
    return [t for group in desc.get("input_desc") or [] for t in group]


def elements(desc: Mapping[str, Any]) -> int:
    """Elements of inputs and outputs."""
    return sum(math.prod(t["shape"]) for t in [*tensors(desc), *desc["output_desc"]])


def class_of(desc: Mapping[str, Any]) -> str:
    """matmul, reduce, transpose or elementwise."""
    names = {op["name"] for op in desc["op_desc"]}
    found = (c for c, words in CLASSES if any(n.startswith(w) for n in names for w in words))
    return next(found, "elementwise")


def is_half(desc: Mapping[str, Any]) -> bool:
    """Whether a float16 tensor takes part."""
    return "float16" in json.dumps(desc)


def selection(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Documents evenly over classes, types and the file, one of a name."""
    named = {d["op"]: d for d in reversed(found)}
    groups: dict[tuple[str, bool], list[dict[str, Any]]] = collections.defaultdict(list)
    for desc in reversed(named.values()):
        groups[class_of(desc), is_half(desc)].append(desc)
    chosen: list[dict[str, Any]] = []
    for name, share in SHARES.items():
        parts = [groups[name, half] for half in (False, True)]
        counts = [min(share // 2, len(part)) for part in parts]
        counts = [min(len(parts[k]), share - counts[1 - k]) for k in (0, 1)]
        for part, count in zip(parts, counts, strict=True):
            chosen += [part[i * len(part) // count] for i in range(count)]
    return chosen


def filled(tensor: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
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


# --- peers ----------------------------------------------------------------------------------------------


class Oracle:
    """What is right: the file's own reference, or akg."""

    def __init__(self, file: Path) -> None:
        path = file.parent / "reference.py"
        self.reference: Any = None
        if path.exists():
            spec = importlib.util.spec_from_file_location("composite_reference", path)
            assert spec is not None
            assert spec.loader is not None
            self.reference = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self.reference)

    def inputs(self, desc: dict[str, Any]) -> list[np.ndarray]:
        """The same in every run."""
        seed = zlib.crc32(desc["op"].encode())
        if self.reference is not None:
            return list(self.reference.make_inputs(desc, seed).values())
        return [filled(t, np.random.default_rng(seed)) for t in tensors(desc)]

    def wanted(self, desc: dict[str, Any], inputs: Sequence[np.ndarray], own: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs, and then the inputs as they are afterwards; `own` are akg's."""
        if self.reference is None:
            return list(own)
        with np.errstate(all="ignore"):
            given = dict(zip([t["tensor_name"] for t in tensors(desc)], inputs, strict=True))
            values = self.reference.evaluate(desc, given)
        return [values[t["tensor_name"]] for t in [*desc["output_desc"], *tensors(desc)]]

    def mistake(self, desc: dict[str, Any], got: np.ndarray, want: np.ndarray) -> str | None:
        """What is wrong with an array."""
        if self.reference is not None:
            limit = self.reference.tolerance(desc, str(want.dtype))
            return self.reference.mismatch(got.reshape(want.shape), want, limit)
        limit = 16 * max(tolerance(dtype_of("float16" if is_half(desc) else "float32")), 1e-6)
        is_close = np.allclose(got.reshape(want.shape), want, limit, limit, equal_nan=True)
        return None if is_close else "differs from akg"


def peers_of(args: argparse.Namespace) -> list[Peer]:
    """The peers that are there; says which are not."""
    found: list[Peer] = []
    count = str(args.threads or len(os.sched_getaffinity(0)))
    threads = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    if args.peers and importlib.util.find_spec("torch") is not None:
        command = [sys.executable, "-m", "bench.composite_torch", count]
        cache = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or tempfile.mkdtemp()  # new, so that all is compiled
        found.append(Peer("inductor", command, {**threads, "TORCHINDUCTOR_CACHE_DIR": cache}))
    elif args.peers:
        print("no Inductor: torch is not installed")
    if args.mindspore:
        ask = "import importlib.util as u; print(u.find_spec('mindspore').submodule_search_locations[0])"
        asked = subprocess.run([args.mindspore, "-c", ask], capture_output=True, text=True, check=False)
        package = asked.stdout.strip()
        if package:
            libraries = str(Path(package) / "lib" / "plugin" / "cpu")
            command = [args.mindspore, "-m", "bench.composite_mindspore", count, package]
            found.append(Peer("mindspore", command, {**threads, "LD_LIBRARY_PATH": libraries}))
        else:
            print(f"no MindSpore in {args.mindspore}")
    return found


def prepared(peer: Peer, oracle: Oracle, desc: dict[str, Any], inputs: Sequence[np.ndarray], want: Any) -> Row:
    """What a peer makes of a document: {"build_s": ...} once its results are right, else {"error": ...}."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        (folder / "desc.json").write_text(json.dumps(desc))
        for k, array in enumerate(inputs):
            np.save(folder / f"in{k}.npy", array)
        answer = peer.ask(folder=name)
        if "error" in answer:
            return answer
        count = len(desc["output_desc"])
        fake = {op["output_desc"][0]["tensor_name"] for op in desc["op_desc"] if _is_fake(op)}
        files = [f"out{k}.npy" for k in range(count)] + [f"after{k}.npy" for k in range(len(inputs))]
        for k, (file, right) in enumerate(zip(files, want, strict=True)):
            if k < count and desc["output_desc"][k]["tensor_name"] in fake:
                continue  # what AKG does not write
            wrong = oracle.mistake(desc, np.load(folder / file), right)
            if wrong:
                return {"error": f"wrong: {wrong}"}
    return answer


def _is_fake(op: Mapping[str, Any]) -> bool:
    attributes = {a["name"]: a.get("value") for a in op.get("attr") or []}
    return op["name"] == "Assign" or bool(attributes.get("fake_output"))


# --- one document -----------------------------------------------------------------------------------------


def measured(desc: dict[str, Any], copies: dict[int, Any], peers: Sequence[Peer], oracle: Oracle) -> Row:
    """The row of a document: times of akg, of a copy, and of peers, in microseconds."""
    inputs = oracle.inputs(desc) if peers else [filled(t, np.random.default_rng(7)) for t in tensors(desc)]
    held = [_placed(a) for a in inputs]
    start, cpu = perf_counter(), process_time()
    kernel = akg.composite.build(desc)
    built, cpu = perf_counter() - start, process_time() - cpu
    result = kernel(*held)
    outputs = tuple([_placed(a) for a in (result if isinstance(result, tuple) else (result,))])
    out = outputs if isinstance(result, tuple) else outputs[0]
    size = sum(a.nbytes for a in (*held, *outputs))
    row: Row = {
        "op": desc["op"], "class": class_of(desc), "float16": is_half(desc), "bytes": size,
        "build_ms": built * 1e3, "build_cpu_ms": cpu * 1e3, "kernels": len(kernel.compiled.kernels),
    }  # fmt: skip
    ready: dict[str, Any] = {}
    if peers:
        want = oracle.wanted(desc, inputs, [np.array(a) for a in (*outputs, *held)])
        wrong = [oracle.mistake(desc, np.asarray(a), w) for a, w in zip((*outputs, *held), want, strict=True)]
        row["wrong"] = next((w for w in wrong if w), None)
        for peer in peers:
            answer = prepared(peer, oracle, desc, inputs, want)
            row[peer.name] = answer
            if "error" not in answer:
                ready[peer.name] = lambda p=peer: p.ask(time=True).get("s", float("nan"))
    copy = copies[max(size // 2 // 4, 1)]

    def call() -> None:
        kernel(*held, out=out)

    counts = repeats(call), repeats(copy)
    ready |= {"": lambda: burst(call, counts[0]), "copy": lambda: burst(copy, counts[1])}
    times: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(ROUNDS):
        for name, timer in ready.items():
            times[name].append(timer())
    for name, samples in times.items():
        stem = f"{name}_" if name else ""
        row[f"{stem}us"], row[f"{stem}least_us"] = statistics.median(samples) * 1e6, min(samples) * 1e6
    row["least_copy_us"] = row.pop("copy_least_us")
    return row


def _placed(array: Any) -> np.ndarray:
    """The array in memory that begins at a page."""
    array = np.asarray(array)
    result = empty_aligned(array.shape, array.dtype)
    result[...] = array
    return result


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--tables", type=Path, nargs="+", help="rows of earlier runs: print their tables")
    parser.add_argument("--part", default="0/1", help="K/N: of N parts of the documents the one of number K")
    parser.add_argument("--all", action="store_true", help="every document, not 120 of them")
    parser.add_argument("--limit", type=int, help="so many of these, spread over them")
    parser.add_argument("--min-elems", type=float, default=1e5)
    parser.add_argument("--max-elems", type=float, default=1.5e7)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--case", help="only documents whose name contains this")
    parser.add_argument("--peers", action="store_true", help="beside Inductor")
    parser.add_argument("--mindspore", metavar="PYTHON", help="beside the AKG of the MindSpore of this Python")
    parser.add_argument("--worst", type=int, default=15, help="so many of the slowest against a copy")
    parser.add_argument("--json", type=Path, help="write the rows")
    args = parser.parse_args()
    if args.tables:
        report([json.loads(line) for path in args.tables for line in path.read_text().splitlines()], args.worst)
        return
    if args.file is None:
        parser.error("a file of documents is needed")
    found = [
        d for d in documents(args.file)
        if args.min_elems <= elements(d) <= args.max_elems and (not args.case or args.case in d["op"])
    ]  # fmt: skip
    found = found if args.all or args.case else selection(found)
    if args.limit and len(found) > args.limit:
        found = [found[i * len(found) // args.limit] for i in range(args.limit)]
    part, parts = map(int, args.part.split("/"))
    found = found[part::parts]
    rows: list[Row] = []
    peers, oracle, copies = peers_of(args), Oracle(args.file), Copies()
    with akg.config.override(cache="off", **({"num_threads": args.threads} if args.threads else {})):
        for desc in found:
            rows.append(measured(desc, copies, peers, oracle))
            if args.json:
                args.json.write_text("\n".join(map(json.dumps, rows)))
    for peer in peers:
        peer.close()
    report(rows, args.worst)


if __name__ == "__main__":
    main()
