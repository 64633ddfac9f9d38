"""One program, every way to run it: interpreter before and after scheduling, LLVM kernel, compiled C.

The interpretation of the unscheduled kernel is what the others must give. Work thresholds are lowered, so that
small shapes run on threads and split their reductions.

    python -m tests.property.oracle te 1234        # one program again: its loop IR, then what differs
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from akg.base.config import config
from akg.base.dtype import DType, bool_, dtype_of, float64, tolerance
from akg.base.target import resolve_target
from akg.base.trace import Recorder
from akg.codegen.c import emit_c
from akg.codegen.llvm import parallel
from akg.driver import assemble, pipeline
from akg.ir.buffer import Buffer
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.script import Script
from akg.ir.stmt import Kernel
from akg.ir.text import to_text
from akg.ir.verify import verify
from akg.poly.loops import split_reduction
from akg.poly.strategy import resolve_strategy
from akg.runtime import jit
from akg.runtime.kernel import Kernel as Compiled
from tests.helpers import assert_close, copy_args, fresh_args, terms_of, written
from tests.ir.test_script_random import Writer, define
from tests.strategies import random_script, random_te

STRATEGIES: tuple[Any, ...] = (
    "auto", "original", "isl", {"parallel": False}, {"vectorize": False}, {"tile": False}, {"fusion": "none"},
    {"preset": "isl", "tile": False}, {"preset": "isl", "vectorize": False},
)  # fmt: skip
GCC = shutil.which("gcc")
FLAGS = ["-std=c11", "-O1", "-fopenmp", "-shared", "-fPIC", "-w"]
THREADED_RUNS = 3
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait must not hold the cores that others need


@dataclass
class Program:
    """A kernel with arguments, and a bound on the products that an element sums."""

    kernel: Kernel
    args: list[Any]
    terms: int
    sizes: dict[str, int]
    precision: DType = float64  # the coarsest float type of a stage
    references: tuple[Any, ...] = ()  # what NumPy gives for the outputs, where that is known

    def kind(self, array: Any) -> DType:
        """The type whose rounding an output may show."""
        own = dtype_of(array.dtype)
        return max(own, self.precision, key=lambda kind: tolerance(kind)) if own.is_float else own


def te_program(seed: int) -> Program:
    """The definition that a seed names."""
    made = random_te(np.random.default_rng(seed), large=seed % 2 == 1)
    kernel = lower_te(made.outputs, made.inputs, f"te_{seed}")
    given = made.arrays(seed)
    args = [given.get(p.name, a) for p, a in zip(kernel.params, fresh_args(kernel, made.sizes, seed))]
    # references of integers do not wrap; small programs stay far from where that matters
    exact = seed % 2 == 0 or all(t.dtype.is_float or t.dtype is bool_ for t in (*made.outputs, *made.inputs))
    references = tuple(reference(given) for reference in made.references) if exact else ()
    return Program(kernel, args, 4 * made.terms, made.sizes, made.precision, references)


def script_program(seed: int) -> Program:
    """The loop nest that a seed names."""
    made = random_script(np.random.default_rng(seed), large=seed % 2 == 1)
    return Program(
        made.kernel, fresh_args(made.kernel, made.sizes, seed), terms_of(made.kernel, made.sizes), made.sizes
    )


def source_program(seed: int) -> Program:
    """The function in Python that a seed names: every other one on longer loops."""
    n = (5, 9, 5, 17)[seed % 4]
    types = f'(A: Tensor[{n}, {n}, "float64"], B: Tensor[{n}, "float64"])'
    source = Writer(seed, n).function().replace("(A, B)", types)
    kernel = Script(define(source, f"source {seed}")).lower()
    return Program(kernel, fresh_args(kernel, {}, seed), n * n * n, {})


PROGRAMS: dict[str, Callable[[int], Program]] = {
    "te": te_program, "script": script_program, "source": source_program,
}  # fmt: skip


@contextmanager
def eager_threads() -> Iterator[None]:
    """Threads for any amount of work, and reductions split from a few iterations on."""
    before = parallel.THRESHOLD, split_reduction.ENOUGH_ITERATIONS
    parallel.THRESHOLD, split_reduction.ENOUGH_ITERATIONS = 1, 8
    try:
        yield
    finally:
        parallel.THRESHOLD, split_reduction.ENOUGH_ITERATIONS = before


def check(family: str, seed: int, strategies: tuple[Any, ...], c: bool = True) -> None:
    """Run the program that `family` and `seed` name in every way, under each strategy.

    Raises:
        AssertionError: something differs; the message has the command that runs it again.
    """
    try:
        compare(PROGRAMS[family](seed), strategies, c)
    except Exception as error:
        again = f"python -m tests.property.oracle {family} {seed}"
        raise AssertionError(f"{family} {seed}: {type(error).__name__}: {error}\nagain: {again}") from error


def compare(program: Program, strategies: tuple[Any, ...], c: bool = True) -> None:
    """See `check`."""
    kernel = program.kernel
    verify(kernel)
    want = copy_args(program.args)
    interpret(kernel, *want, check_uninitialised=True)
    expected = written(kernel, want)
    for got, reference in zip(expected.values(), program.references):
        assert_close(got, reference, program.kind(got), program.terms, "NumPy")
    with eager_threads(), tempfile.TemporaryDirectory() as folder:
        for strategy in strategies:
            _compare_one(program, strategy, expected, Path(folder) if c and GCC else None)


def _compare_one(program: Program, strategy: Any, expected: Mapping[str, Any], folder: Path | None) -> None:
    state = pipeline.start(program.kernel, resolve_strategy(strategy), resolve_target(None))
    pipeline.run(state, pipeline.SCHEDULE, check=True)

    def same(args: list[Any], what: str) -> None:
        for name, got in written(program.kernel, args).items():
            assert_close(got, expected[name], program.kind(got), program.terms, f"{what}, strategy {strategy}, {name}")

    pipeline.run(state, pipeline.MAP, check=True)
    assert state.result is not None
    for order in ("forward", "shuffle"):
        args = copy_args(program.args)
        interpret(state.result, *args, order=order, seed=1)
        same(args, f"interpreted {order}")
    compiled = build(state)
    for threads in (1, *[2] * THREADED_RUNS):
        args = copy_args(program.args)
        with config.override(num_threads=threads):
            call(compiled, program, args)
        same(args, f"LLVM on {threads} threads")
    if folder is not None:
        args = copy_args(program.args)
        call_c(state.result, args, folder)
        same(args, "C")


def build(state: pipeline.Compilation) -> Compiled:
    """A callable kernel of a mapped compilation."""
    module = assemble.emit(state)
    passes = module.meta.get("passes", ())
    code = jit.compile_llvm(assemble._linkable(module, state), state.target, passes)
    kept = assemble.Code(code, state.target.backend, "")
    return assemble.assemble(kept, state.kernel, state.strategy, state.target, Recorder(), "off", lambda: state)


def call(compiled: Compiled, program: Program, args: list[Any]) -> None:
    """Call a kernel on arguments in the order of the loop IR's parameters, in place."""
    params = list(zip(program.kernel.params, args, strict=True))
    outs = tuple(a for p, a in params if p.role == "out")
    given = [a for p, a in params if p.role not in ("out", "size")]
    sizes = {p.name: a for p, a in params if p.role == "size"}
    more = {"out": outs[0] if len(outs) == 1 else outs} if outs else {}
    compiled(*given, **more, **sizes)


_TYPES: dict[str, Any] = {
    "float64": ctypes.c_double, "float32": ctypes.c_float, "int64": ctypes.c_int64, "index": ctypes.c_int64,
    "int32": ctypes.c_int32, "int16": ctypes.c_int16, "int8": ctypes.c_int8, "uint8": ctypes.c_uint8,
    "bool": ctypes.c_uint8,
}  # fmt: skip


def call_c(kernel: Kernel, args: list[Any], folder: Path) -> None:
    """Print a kernel as C, compile it, call it in place."""
    assert GCC is not None
    stem = f"kernel{len(list(folder.iterdir()))}"  # a library that is loaded stays loaded under its name
    source, library = folder / f"{stem}.c", folder / f"{stem}.so"
    source.write_text(emit_c(kernel))
    done = subprocess.run([GCC, *FLAGS, str(source), "-o", str(library), "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + source.read_text()
    entry = getattr(ctypes.CDLL(str(library)), kernel.name)
    entry.argtypes = [
        ctypes.c_void_p if isinstance(p.value, Buffer) else _TYPES[p.value.dtype.name] for p in kernel.params
    ]
    assert entry(*[a.ctypes.data if isinstance(a, np.ndarray) else getattr(a, "item", lambda: a)() for a in args]) == 0


def main(arguments: list[str]) -> None:
    """Run one program under every strategy, and show it."""
    family, seed = arguments[0], int(arguments[1])
    program = PROGRAMS[family](seed)
    print(to_text(program.kernel))
    print(program.sizes)
    for strategy in STRATEGIES:
        compare(program, (strategy,))
        print(f"strategy {strategy}: the same")


if __name__ == "__main__":
    main(sys.argv[1:])
