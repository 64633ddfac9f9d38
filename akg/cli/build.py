"""`akg compile` and `akg explain`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from akg.base.errors import AkgError
from akg.cli.find import build, load
from akg.cli.text import duration, table
from akg.cli.write import write
from akg.runtime.kernel import Kernel


def compile(options: argparse.Namespace) -> int:
    """Build what a file offers; print a table of the builds, or the text that `--emit` asks for."""
    kernels = {n: build(v, options.target, options.strategy, n) for n, v in load(options.place).items()}
    if options.save:
        _save(kernels, options)
    if options.emit:
        write("\n".join(k.source(options.emit).rstrip("\n") + "\n" for k in kernels.values()), options.output)
        return 0
    rows: list[list[str]] = []
    for name, kernel in kernels.items():
        report = kernel.report
        legality = report.legality.removeprefix("legal: ") or "-"
        rows.append([name, duration(report.build_ms * 1e3), report.cache, str(report.threads), legality])
    lines = [table(rows, ("kernel", "build", "cache", "threads", "legality")), ""]
    lines += [f"{kernel.signature}" for kernel in kernels.values()]
    if options.explain:
        lines += [f"\n== {name} ==\n{kernel.explain()}" for name, kernel in kernels.items()]
    write("\n".join(lines) + "\n", options.output)
    return 0


def _save(kernels: dict[str, Kernel], options: argparse.Namespace) -> None:
    names: dict[str, str] = {}
    for title, kernel in kernels.items():
        other = names.setdefault(kernel.name, title)
        if other != title and kernels[other] is not kernel:
            raise AkgError(
                "AKG-E625",
                f"{other} and {title} are both kernels of the name {kernel.name}",
                because="a kernel's files have its name",
                hint="name them apart, as in akg.lower(..., name='softmax'), or compile FILE.py:name",
            )
    for title in names.values():
        for path in kernels[title].save(options.save, kind=options.kind, threads=options.threads):
            print(path, file=sys.stderr)


def explain(options: argparse.Namespace) -> int:
    """Print why each kernel looks as it does, or write it to HTML pages."""
    kernels = {n: build(v, options.target, options.strategy, n) for n, v in load(options.place).items()}
    if options.html is None:
        print("\n".join(f"== {name} ==\n{kernel.explain()}\n" for name, kernel in kernels.items()), end="")
        return 0
    page = Path(options.html)
    for name, kernel in kernels.items():
        path = page if len(kernels) == 1 else page.with_stem(f"{page.stem}-{name}")
        kernel.explain().to_html(path)
        print(path)
    return 0
