"""What a call of a kernel costs with two small arrays, with and without `out=`, beside NumPy.

    python bench/call_overhead.py [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import akg
from akg import te
from akg.runtime import measure

TARGET_US = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="for uniformity; it is quick")
    parser.add_argument("--json", metavar="PATH", help="write the numbers to a file")
    options = parser.parse_args()
    n, shape = te.var("n"), (8,)
    calls: dict[str, Callable[[], object]] = {}
    x, y = np.ones(shape, np.float32), np.ones(shape, np.float32)
    out = np.empty(shape, np.float32)
    for title, size in (("fixed size", 8), ("symbolic size", n)):
        a, b = te.placeholder((size,), name="a"), te.placeholder((size,), name="b")
        kernel = akg.build([te.compute((size,), lambda i, a=a, b=b: a[i] + b[i], name="c")], inputs=[a, b])
        calls[f"{title}, out="] = lambda kernel=kernel: kernel(x, y, out=out)
        calls[title] = lambda kernel=kernel: kernel(x, y)
    calls["np.add, out="] = lambda: np.add(x, y, out=out)
    calls["np.add"] = lambda: np.add(x, y)
    calls["an empty lambda"] = lambda: None
    result = {title: measure.sample(call, min_time_s=0.1) for title, call in calls.items()}
    print(f"one call on two arrays of 8 float32, in microseconds; target {TARGET_US:g}")
    for title, timing in result.items():
        print(f"{title:<22}{timing.median_us:>8.3f}  (quartiles {timing.low_us:.3f} .. {timing.high_us:.3f})")
    if options.json:
        Path(options.json).write_text(json.dumps({t: r.median_us for t, r in result.items()}, indent=2))


if __name__ == "__main__":
    main()
