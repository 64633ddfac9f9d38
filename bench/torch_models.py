"""Models of torch.nn in eager mode, through Inductor and through akg: calls, training steps, cold compile time.

For each model, type and mode ("infer": the forward pass without gradients; "train": forward, loss and backward), in
one process on given threads: seconds from `torch.compile` to the first result with empty caches, then the time of a
call, the three taking turns. The medians, the quartiles' distance in percent of the median, and Inductor's time over
akg's: the median of the rounds' ratios. Whether Inductor compiled is checked by its own count of operators, and
akg's results are compared with eager mode's.

    python -m bench.torch_models [--quick] [--only NAME] [--threads 2] [--json PATH] [--kernels]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from types import FunctionType
from typing import Any

os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
import torch.nn.functional as F
from torch import nn
from torch._inductor import metrics

from akg.base.config import config
from akg.frontends.torch import backend
from bench.torch_kernels import Recorder, report

ROUNDS = 15
SAMPLE_S = 0.03
CALLS = 15  # under --kernels
_numbers = itertools.count()
BACKENDS: dict[str, Any] = {"eager": None, "inductor": "inductor", "akg": backend}


class MLP(nn.Module):
    """A block of two linear layers with normalisation and GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, c: int, d: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(c, d, 3, stride, 1, bias=False), nn.BatchNorm2d(d)
        self.conv2, self.norm2 = nn.Conv2d(d, d, 3, 1, 1, bias=False), nn.BatchNorm2d(d)
        same = stride == 1 and c == d
        self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(c, d, 1, stride), nn.BatchNorm2d(d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.short(x))


class CNN(nn.Module):
    """A small ResNet."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.norm, self.pool = (
            nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.MaxPool2d(3, 2, 1))  # fmt: skip
        self.blocks = nn.Sequential(Residual(width, width), Residual(width, 2 * width, 2))
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.blocks(self.pool(F.relu(self.norm(self.stem(x)))))
        return self.head(F.adaptive_avg_pool2d(y, 1).flatten(1))


class LSTM(nn.Module):
    """Steps of an LSTM cell, and a linear layer on the last state."""

    def __init__(self, width: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.steps, self.hidden = steps, hidden
        self.cell, self.out = nn.LSTMCell(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(x.shape[0], self.hidden, dtype=x.dtype)
        for t in range(self.steps):
            h, c = self.cell(x[:, t], (h, c))
        return self.out(h)


class Encoder(nn.Module):
    """A transformer encoder block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Decoder(nn.Module):
    """A transformer decoder block with a causal mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        return self.layer(x, x * 0.5, tgt_mask=mask)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: MLP(1024, 4096), (128, 1024)),
    "cnn": (lambda: CNN(64), (8, 3, 64, 64)),
    "lstm": (lambda: LSTM(128, 256, 4), (32, 4, 128)),
    "encoder": (lambda: Encoder(256, 4), (8, 128, 256)),
    "decoder": (lambda: Decoder(256, 4), (8, 128, 256)),
}
QUICK: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (lambda: MLP(64, 128), (32, 64)), "cnn": (lambda: CNN(8), (2, 3, 32, 32)),
    "lstm": (lambda: LSTM(16, 32, 2), (8, 2, 16)), "encoder": (lambda: Encoder(32, 2), (2, 16, 32)),
    "decoder": (lambda: Decoder(32, 2), (2, 16, 32)),
}  # fmt: skip


def own_code(function: Any) -> Any:
    """A copy of a function with code of its own: what Dynamo keeps for one model is not searched for another."""
    name = f"{function.__name__}_{next(_numbers)}"
    return FunctionType(function.__code__.replace(co_name=name), function.__globals__, name, None, function.__closure__)


def runner(model: nn.Module, mode: str, compiler: Any, x: torch.Tensor) -> Callable[[], torch.Tensor]:
    """A call without arguments: the result in inference, the loss after its backward pass in training."""
    if mode == "infer":

        def apply(batch: torch.Tensor) -> torch.Tensor:
            return model(batch)

        forward = model if compiler is None else torch.compile(own_code(apply), backend=compiler)

        def infer() -> torch.Tensor:
            with torch.no_grad():
                return forward(x)

        return infer

    def loss(batch: torch.Tensor) -> torch.Tensor:
        return model(batch).float().square().mean()

    compiled = loss if compiler is None else torch.compile(own_code(loss), backend=compiler)

    def train() -> torch.Tensor:
        for p in model.parameters():
            p.grad = None
        value = compiled(x)
        value.backward()
        return value

    return train


def sample(call: Callable[[], Any], count: int) -> float:
    """Seconds of a call, the mean of `count`."""
    start = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - start) / count


def measure(
    make: Callable[[], nn.Module], shape: tuple[int, ...], dtype: Any, mode: str, rounds: int
) -> dict[str, Any]:
    """One row: compile seconds, medians and spreads of calls in seconds, ratios."""
    torch.manual_seed(0)
    model = make().to(dtype)
    model.train(mode == "train")
    x = torch.randn(shape).to(dtype)
    row: dict[str, Any] = {}
    calls: dict[str, Callable[[], Any]] = {}
    results: dict[str, torch.Tensor] = {}
    torch._dynamo.reset()
    for name, compiler in BACKENDS.items():
        metrics.reset()
        calls[name] = runner(model, mode, compiler, x)
        start = perf_counter()
        results[name] = calls[name]().detach().float()
        row[f"{name}_compile_s"] = perf_counter() - start
        if name == "inductor" and not metrics.ir_nodes_pre_fusion:
            raise SystemExit("Inductor compiled nothing")
    difference = (results["akg"] - results["eager"]).norm() / results["eager"].norm()
    row["difference"] = float(difference)
    if difference > (1e-4 if dtype is torch.float32 else 3e-2):
        raise SystemExit(f"akg's result differs from eager mode's by {difference:.1e}")
    counts = {name: max(1, int(SAMPLE_S / max(1e-6, sample(call, 3)))) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(sample(call, counts[name]))
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        row[f"{name}_s"], row[f"{name}_spread"], row[f"{name}_min_s"] = middle, (high - low) / middle, min(found)
    row["ratio"] = statistics.median(i / a for i, a in zip(times["inductor"], times["akg"], strict=True))
    row["compile_ratio"] = row["inductor_compile_s"] / row["akg_compile_s"]
    return row


def kernels(make: Callable[[], nn.Module], shape: tuple[int, ...], dtype: Any, mode: str, threads: int) -> str:
    """Where the time goes: a report on each graph that akg compiles."""
    torch.manual_seed(0)
    model = make().to(dtype)
    model.train(mode == "train")
    torch._dynamo.reset()
    with Recorder() as recorder:
        call = runner(model, mode, backend, torch.randn(shape).to(dtype))
        for _ in range(CALLS):
            call()
    return "\n".join([report(graph, threads) for graph in recorder.graphs])


def line(name: str, row: dict[str, Any]) -> str:
    """A line of the table."""
    cells = [f"{row[f'{b}_s'] * 1e3:8.3f} ±{row[f'{b}_spread'] * 100:3.0f}%" for b in BACKENDS]
    return (f"{name:24} {'  '.join(cells)}  {row['ratio']:5.2f}   "
            f"{row['inductor_compile_s']:6.1f} {row['akg_compile_s']:6.2f}  {row['compile_ratio']:5.1f}")  # fmt: skip


def mean_of(values: list[float]) -> float:
    """The geometric mean."""
    return math.exp(statistics.mean(math.log(v) for v in values))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small models, few rounds: that the comparison works")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kernels", action="store_true", help="each kernel's time beside its ideal, instead")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: dict[str, dict[str, Any]] = {}
    with config.override(cache="off", num_threads=options.threads):
        warm = nn.Linear(4, 4)
        # what compilers load once is no part of a model's compile time
        for compiler in (backend,) if options.kernels else (backend, "inductor"):
            runner(warm, "train", compiler, torch.randn(4, 4))()
        print(f"{'milliseconds, ±quartiles':24} {'eager':>14}  {'inductor':>14}  {'akg':>14}  {'x':>5}   compile: "
              "inductor, akg, x")  # fmt: skip
        for name, (make, shape) in (QUICK if options.quick else MODELS).items():
            for dtype in (torch.float32, torch.bfloat16):
                for mode in ("infer", "train"):
                    title = f"{name} {str(dtype).removeprefix('torch.')} {mode}"
                    if options.only not in title:
                        continue
                    if options.kernels:
                        print(f"{title}\n{kernels(make, shape, dtype, mode, options.threads)}", flush=True)
                        continue
                    rows[title] = measure(make, shape, dtype, mode, 3 if options.quick else options.rounds)
                    print(line(title, rows[title]), flush=True)
    if options.kernels:
        return
    speed, compile_time = (mean_of([r[k] for r in rows.values()]) for k in ("ratio", "compile_ratio"))
    print(f"geometric means over Inductor: calls {speed:.2f}, compile time {compile_time:.1f}")
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
