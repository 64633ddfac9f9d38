"""The tables of `bench.composite`: bandwidth weighted by traffic, and means of ratios, by class and type."""

from __future__ import annotations

import collections
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

PEERS = ("inductor", "mindspore")
LARGE_BYTES = 1e6  # of inputs and outputs, from which on documents count in means of ratios
Row = dict[str, Any]


def report(rows: Sequence[Row], worst: int) -> None:
    """Print all tables, and the rows that lose most time; of each row's samples the least counts."""
    rows = [_least(row) for row in rows]
    peers = [p for p in PEERS if any(p in r for r in rows)]
    summary(rows)
    for peer in peers:
        against(rows, peer)
    if peers:
        against_better(rows, peers)
    for r in [r for r in rows if r.get("wrong")]:
        print(f"akg is wrong: {r['op']}: {r['wrong']}")
    print("\nslowest against a copy, weighted by time:")
    for r in sorted(rows, key=lambda r: r["copy_us"] - r["us"])[:worst]:
        us = f"{r['us']:10.0f} us, copy {r['copy_us']:8.0f} us"
        print(f"{us}, {r['class']}, {r['bytes'] / 1e6:.1f} MB  {r['op'][:90]}")


def groups_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by what is told of them together."""
    groups: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        kind = "float16" if row["float16"] else "float32"
        names = ["all", row["class"], f"{row['class']} {kind}"]
        for name in names if row["class"] == "matmul" else ["all but matmul", kind, *names]:
            groups[name].append(row)
    order = ["all", "all but matmul", "float32", "float16"]
    return {name: groups[name] for name in sorted(groups, key=lambda n: (order.index(n) if n in order else 9, n))}


def _least(row: Row) -> Row:
    """The row with least times in place of medians: other programs only add to a time."""
    result = {**row, "us": row["least_us"], "copy_us": row["least_copy_us"]}
    for peer in PEERS:
        if f"{peer}_us" in row:
            least = row[f"{peer}_least_us"]
            result[f"{peer}_us"] = least
            if math.isnan(least):
                del result[f"{peer}_us"]
    return result


def summary(rows: Sequence[Row]) -> None:
    """Bandwidth beside a copy's, by group."""
    print("| what | documents | GB/s | copy GB/s | of copy | geomean of copy | build ms (median, p95) |")
    print("|---|---|---|---|---|---|---|")
    for name, found in groups_of(rows).items():
        size = sum(r["bytes"] for r in found)
        own, plain = sum(r["us"] for r in found), sum(r["copy_us"] for r in found)
        mean = _geomean([r["copy_us"] / r["us"] for r in found])
        built = sorted(r["build_cpu_ms"] for r in found)
        print(
            f"| {name} | {len(found)} | {size / own / 1e3:.1f} | {size / plain / 1e3:.1f} | {plain / own:.2f} "
            f"| {mean:.2f} | {statistics.median(built):.0f}, {built[int(len(built) * 0.95)]:.0f} |"
        )


def against(rows: Sequence[Row], peer: str) -> None:
    """akg beside a peer, over what the peer has right."""
    total = [r for r in rows if peer in r]
    right = [r for r in total if f"{peer}_us" in r]
    built = sorted(r[peer]["build_s"] * 1e3 for r in right)
    if not right:
        print(f"\n{peer}: none of {len(total)} documents")
        return
    late, own = built[int(len(built) * 0.95)], statistics.median([r["build_ms"] for r in right])
    print(f"\n{peer}: {len(right)} of {len(total)} documents right; build ms {statistics.median(built):.0f} median, "
          f"{late:.0f} p95, akg on these {own:.0f}")  # fmt: skip
    print(f"| what | documents | akg GB/s | {peer} GB/s | ratio | of 1 MB and more | geomean of ratios there |")
    print("|---|---|---|---|---|---|---|")
    for name, found in groups_of(right).items():
        size = sum(r["bytes"] for r in found)
        own, other = sum(r["us"] for r in found), sum(r[f"{peer}_us"] for r in found)
        large = [r for r in found if r["bytes"] >= LARGE_BYTES]
        mean = _geomean([r[f"{peer}_us"] / r["us"] for r in large])
        print(f"| {name} | {len(found)} | {size / own / 1e3:.1f} | {size / other / 1e3:.1f} | {other / own:.2f} "
              f"| {len(large)} | {mean:.2f} |")  # fmt: skip


def against_better(rows: Sequence[Row], peers: Sequence[str]) -> None:
    """akg beside the better of the peers on each document of 1 MB and more."""
    found = [r for r in rows if r["bytes"] >= LARGE_BYTES and any(f"{p}_us" in r for p in peers)]
    print("\nbeside the better of the peers, documents of 1 MB and more")
    print("| what | documents | geomean of ratios |\n|---|---|---|")
    for name, some in groups_of(found).items():
        ratios = [min(r[f"{p}_us"] for p in peers if f"{p}_us" in r) / r["us"] for r in some]
        print(f"| {name} | {len(some)} | {_geomean(ratios):.2f} |")


def _geomean(ratios: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else float("nan")
