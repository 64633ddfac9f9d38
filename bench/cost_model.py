"""Is the cost model of use? Predicted beside measured times, and the tile it chooses beside others.

The first table has the rows of `bench.operators` on one thread: what `akg.driver.roofline` predicts from the loops and
the target's description, what was measured, and the resource that bounds the row by the model. The second one builds
each product with many register tiles, of which the model would choose one: the rank correlation (Spearman's) of its
prices with the times, and the regret, by which its choice is slower than the best tile tried.

    python -m bench.cost_model [--rows GLOB] [--products 31x1000x777 ...] [--tiles N] [--json PATH]
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import os
import random
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg import ops, te
from akg.base.core import Core
from akg.base.target import resolve_target
from akg.driver.build import memory
from akg.driver.roofline import predict
from akg.ir.text import parse_kernel
from akg.poly.register_tile import RegisterTile, Space, outer_product_tile, outer_product_tiles
from akg.poly.tile import reuse
from bench.rows import all_rows

PRODUCTS = ("128x128x128", "512x512x512", "31x1000x777", "100x3000x300", "777x777x777", "7x768x3072")
SECONDS = 0.05  # of samples, of which the least counts


def least_us(call: Callable[[], object]) -> float:
    """The shortest of some calls, in microseconds."""
    call()
    best, end = math.inf, perf_counter() + SECONDS
    while perf_counter() < end or best == math.inf:
        begin = perf_counter()
        call()
        best = min(best, perf_counter() - begin)
    return best * 1e6


def predictions(pattern: str) -> list[dict[str, Any]]:
    """Predicted and measured times of rows, where sizes are known."""
    target, rows = resolve_target("cpu"), list[dict[str, Any]]()
    for row in all_rows():
        if not fnmatch.fnmatch(row.name, pattern):
            continue
        kernel = row.build()
        found = predict(parse_kernel(kernel.source("loop")), target)
        if found is None:
            continue
        arrays = row.arrays(0)
        out = None if row.is_in_place else kernel(*arrays)
        us = least_us(lambda k=kernel, a=arrays, o=out: k(*a) if o is None else k(*a, out=o))
        rows.append({"name": row.name, "us": us, "predicted_us": found.us, "bound": found.bound.name})
        print(f"{row.name:36s} {us:11.1f} us, predicted {found.us:11.1f}, x {found.us / us:.2f}  {found.bound.name}")
    errors = [abs(math.log(r["predicted_us"] / r["us"])) for r in rows]
    if rows:
        rank = correlation([r["predicted_us"] for r in rows], [r["us"] for r in rows])
        factor = math.exp(sum(errors) / len(errors))
        print(f"off by a factor of {factor:.2f} in the mean; rank correlation {rank:.3f}\n")
    return rows


@contextmanager
def tiled(choose: Callable[[Space, int, Core], RegisterTile]) -> Generator[None]:
    """Products in the register tiles that a function chooses."""
    before = reuse.outer_product_tile
    reuse.outer_product_tile = choose  # pyright: ignore[reportAttributeAccessIssue]
    memory.clear()
    try:
        yield
    finally:
        reuse.outer_product_tile = before
        memory.clear()


def regret(m: int, k: int, n: int, count: int) -> dict[str, Any]:
    """The model's tile of a product of [m, k] and [k, n] beside `count` others."""
    rng = np.random.default_rng(0)
    a, b = rng.random((m, k), dtype=np.float32), rng.random((k, n), dtype=np.float32)
    out, spaces = np.empty((m, n), np.float32), list[tuple[Space, int, Core]]()

    def time_of(choose: Callable[[Space, int, Core], RegisterTile]) -> float:
        A, B = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
        with tiled(choose):
            kernel = akg.build([ops.matmul(A, B)], inputs=[A, B])
        return least_us(lambda: kernel(a, b, out=out))

    def noticed(space: Space, registers: int, core: Core) -> RegisterTile:
        spaces.append((space, registers, core))
        return outer_product_tile(space, registers, core)

    time_of(noticed)
    chosen = outer_product_tile(*spaces[-1])
    tiles = [t for t in outer_product_tiles(*spaces[-1]) if t != chosen]
    tiles = random.Random(0).sample(tiles, min(count, len(tiles)))
    times = {t: time_of(lambda *_, t=t: t) for t in (*tiles, chosen)}
    own = min(times[chosen], time_of(outer_product_tile))
    best = min(times, key=lambda t: times[t])
    rank = correlation([t.key[0] for t in times], list(times.values()))
    name = f"{m} x {k} x {n}"
    print(f"{name:20s} {chosen!s:8s} {own:9.1f} us; best of {len(times)}: {best!s:8s} {times[best]:9.1f} us; "
          f"regret {max(own / times[best] - 1, 0):6.1%}; rank correlation {rank:.2f}")  # fmt: skip
    return {"name": name, "tile": str(chosen), "us": own, "best": str(best), "best_us": times[best], "rank": rank}


def correlation(a: list[float], b: list[float]) -> float:
    """Spearman's rank correlation."""
    first, second = (np.argsort(np.argsort(values)) for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1]) if len(a) > 1 else 1.0


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="*", metavar="GLOB")
    parser.add_argument("--products", nargs="*", default=PRODUCTS, metavar="MxKxN")
    parser.add_argument("--tiles", type=int, default=24, help="tiles tried of each product")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with akg.config.override(num_threads=1, cache="off"):
        rows = predictions(options.rows)
        sizes = [[int(extent) for extent in product.split("x")] for product in options.products]
        products = [regret(m, k, n, options.tiles) for m, k, n in sizes]
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "products": products}, indent=1) + "\n")


if __name__ == "__main__":
    main()
