"""`akg compile` and `akg explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

from akg.base.errors import AkgError
from akg.cli.find import build, load
from akg.cli.text import duration, table


def compile(options: argparse.Namespace) -> int:
    """Build what a file offers; print a table of the builds, or the text that `--emit` asks for."""
    kernels = {n: build(v, options.target, options.strategy, n) for n, v in load(options.place).items()}
    if options.emit:
        _write("\n".join(k.source(options.emit).rstrip("\n") + "\n" for k in kernels.values()), options.output)
        return 0
    rows: list[list[str]] = []
    for name, kernel in kernels.items():
        report = kernel.report
        legality = report.legality.removeprefix("legal: ") or "-"
        rows.append([name, duration(report.build_ms * 1e3), report.cache, str(report.threads), legality])
    lines = [table(rows, ("kernel", "build", "cache", "threads", "legality")), ""]
    lines += [f"{kernel.signature}" for kernel in kernels.values()]
    _write("\n".join(lines) + "\n", options.output)
    return 0


def explain(options: argparse.Namespace) -> int:
    """Print why each kernel looks as it does."""
    texts: list[str] = []
    for name, value in load(options.place).items():
        kernel = build(value, options.target, options.strategy, name)
        texts.append(f"== {name} ==\n{kernel.explain()}\n")
    print("\n".join(texts), end="")
    return 0


def _write(text: str, output: str | None) -> None:
    if output is None:
        print(text, end="")
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AkgError("AKG-E624", f"cannot write {output}", because=error.strerror or str(error)) from None
