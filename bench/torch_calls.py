"""Calls of the models of `bench.torch_models` in eager mode, through Inductor and through akg, compiled beforehand.

All rows are compiled first; Inductor's code is kept on disk (`TORCHINDUCTOR_CACHE_DIR`), so that a second run starts
quickly. Then the three take turns: the least time of a call and the median of the rounds' ratios. With `--hold` the
timing waits for lines on standard input, which a script sends when the machine is quiet: each begins the timing of the
rows whose name contains it, a space that of all.

    python -m bench.torch_calls [--only NAME ...] [--threads 2] [--hold] [--rounds 9]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "0")

import torch

from akg.base.config import config
from bench.torch_models import BACKENDS, MODELS, mean_of, runner, sample

SAMPLE_S = 0.02
Calls = dict[str, Callable[[], Any]]


def prepared(title: str, backends: list[str]) -> Calls:
    """Calls of a row by backend, each compiled."""
    name, dtype, mode = title.split()
    make, shape = MODELS[name]
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    model = make().to(kind)
    model.train(mode == "train")
    x = torch.randn(shape).to(kind)
    calls: Calls = {}
    results: dict[str, torch.Tensor] = {}
    for backend in backends:
        calls[backend] = runner(model, mode, BACKENDS[backend], x)
        results[backend] = calls[backend]().detach().float()
    difference = float((results["akg"] - results["eager"]).norm() / results["eager"].norm())
    if difference > (1e-4 if kind is torch.float32 else 3e-2):
        raise SystemExit(f"{title}: akg's result differs from eager mode's by {difference:.1e}")
    return calls


def timed(calls: Calls, rounds: int) -> dict[str, list[float]]:
    """Seconds of a call by backend, of each round."""
    counts = {name: max(1, int(SAMPLE_S / max(1e-6, sample(call, 2)))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(sample(call, counts[name]))
    return times


def show(rows: dict[str, Calls], rounds: int) -> None:
    """Print a line for each row, and the geometric mean of the ratios."""
    ratios: list[float] = []
    for title, calls in rows.items():
        times = timed(calls, rounds)
        cells = "".join([f"{min(found) * 1e3:10.3f}" for found in times.values()])
        if "inductor" in times:
            ratios.append(statistics.median([i / a for i, a in zip(times["inductor"], times["akg"], strict=True)]))
            cells += f"{ratios[-1]:8.2f}{min(times['inductor']) / min(times['akg']):8.2f}"
        print(f"{title:24}{cells}", flush=True)
    if ratios:
        print(f"geometric mean {mean_of(ratios):.3f}, least {min(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose name contains one of these")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--hold", action="store_true", help="wait for a line on standard input before timing")
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    titles = [f"{name} {dtype} {mode}" for dtype in ("float32", "bfloat16") for name in MODELS
              for mode in ("infer", "train")]  # fmt: skip
    with config.override(cache="off", num_threads=options.threads):
        rows: dict[str, Calls] = {}
        for title in titles:
            if any(part in title for part in options.only):
                rows[title] = prepared(title, options.backends)
                print(f"compiled {title}", flush=True)
        wish = ""
        while not options.hold or (wish := sys.stdin.readline().rstrip("\n")):
            print(f"milliseconds: {', '.join(options.backends)}; Inductor / akg: median of rounds, of the least times")
            chosen = {title: calls for title, calls in rows.items() if wish.strip() in title}
            show(chosen, options.rounds)
            print("done", flush=True)
            if not options.hold:
                break


if __name__ == "__main__":
    main()
