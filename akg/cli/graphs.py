"""`akg compile`, `akg explain` and `akg run` for graphs: ONNX models, and composite documents in JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from akg.base.errors import AkgError
from akg.base.trace import Recorder
from akg.cli.run import draw, parsed_sizes, report
from akg.cli.text import duration, table
from akg.cli.write import write
from akg.frontends.composite import build as build_composite
from akg.frontends.onnx import load as load_onnx
from akg.fusion import CompiledGraph
from akg.ir.text import parse_kernel
from akg.runtime import measure


def compile(options: argparse.Namespace) -> int:
    """Build the kernels of a graph; print a table of them, the text that `--emit` asks for, or what was fused."""
    compiled, _, build_ms = _built(options)
    if options.save:
        for kernel in compiled.kernels:
            for path in kernel.save(options.save, kind=options.kind, threads=options.threads):
                print(path, file=sys.stderr)
    if options.emit:
        write("\n".join(k.source(options.emit).rstrip("\n") + "\n" for k in compiled.kernels), options.output)
        return 0
    rows: list[list[str]] = []
    for kernel in compiled.kernels:
        legality = kernel.report.legality.removeprefix("legal: ") or "-"
        rows.append([kernel.name, duration(kernel.report.build_ms * 1e3), kernel.report.cache, legality])
    lines = [f"{compiled.name}: {len(compiled.graph.nodes)} operators, {len(rows)} kernels, {build_ms:.0f} ms", ""]
    lines.append(table(rows, ("kernel", "build", "cache", "legality")))
    if options.explain:
        lines += ["", compiled.explain()]
    write("\n".join(lines) + "\n", options.output)
    return 0


def explain(options: argparse.Namespace) -> int:
    """Print what was fused, for each edge that was not why, and each kernel's explanation."""
    compiled, _, _ = _built(options)
    if options.html is None:
        print(compiled.explain())
        print("\n".join(f"\n== {k.name} ==\n{k.explain()}" for k in compiled.kernels))
        return 0
    page = Path(options.html)
    for position, kernel in enumerate(compiled.kernels):
        path = page if len(compiled.kernels) == 1 else page.with_stem(f"{page.stem}-{position}")
        kernel.explain().to_html(path)
        print(path)
    return 0


def run(options: argparse.Namespace) -> int:
    """Run a graph once with random inputs, time it, and compare each kernel with the interpreter."""
    compiled, inputs, build_ms = _built(options)
    print(f"{compiled.name}: {len(compiled.graph.nodes)} operators, {len(compiled.kernels)} kernels, {build_ms:.0f} ms")
    if options.explain:
        print(compiled.explain())
    results = compiled.run(inputs)
    outputs = [np.array(r) for r in results]
    print(f"  time   {measure.sample(lambda: compiled.run(inputs, outputs))}")
    for kernel in compiled.kernels:
        report(kernel.name, kernel, parse_kernel(kernel.source("definition")), {}, options.seed)
    return 0


def _built(options: argparse.Namespace) -> tuple[CompiledGraph, list[Any], float]:
    """The kernels, random inputs for them, and the milliseconds that building took."""
    recorder = Recorder()
    with recorder:
        compiled, inputs = _of_onnx(options) if options.place.endswith(".onnx") else _of_document(options)
    return compiled, inputs, sum(e.ms for e in recorder.events if e.depth == 0)


def _of_document(options: argparse.Namespace) -> tuple[CompiledGraph, list[Any]]:
    try:
        text = Path(options.place).read_bytes()
    except OSError as error:
        raise AkgError(
            "AKG-E620", f"cannot read {options.place}", because=error.strerror or str(error),
            hint="give a Python file, an ONNX model or a composite document",
        ) from None  # fmt: skip
    compiled = build_composite(text, target=options.target, strategy=options.strategy).compiled
    rng = np.random.default_rng(options.seed)
    return compiled, [draw(v.const_shape or (), v.dtype, rng) for v in compiled.graph.inputs]


def _of_onnx(options: argparse.Namespace) -> tuple[CompiledGraph, list[Any]]:
    model = load_onnx(options.place, target=options.target, strategy=options.strategy)
    if model.static:
        raise AkgError(
            "AKG-E521", f"{options.place} needs the elements of {', '.join(model.static)}",
            because="they decide the shapes of results", hint="call akg.onnx.load(...) from Python with real inputs",
        )  # fmt: skip
    rng = np.random.default_rng(options.seed)
    sizes = parsed_sizes(options.size)
    inputs = [draw(_shape(shape, sizes, options.default_size), dtype, rng) for shape, dtype in model.declared()]
    return model.compile(*inputs), inputs


def _shape(declared: Sequence[int | str], sizes: Mapping[str, int], default: int) -> tuple[int, ...]:
    return tuple([sizes.get(n, default) if isinstance(n, str) else n for n in declared])
