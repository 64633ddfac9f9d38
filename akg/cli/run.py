"""`akg run`: a kernel on random inputs, timed, and compared with the interpreter."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from akg.base.dtype import DType
from akg.base.errors import AkgError, suggest
from akg.cli.find import build, load
from akg.cli.text import rate
from akg.ir import stmt
from akg.ir.expr import Const, Expr, Var
from akg.ir.interp import interpret
from akg.ir.rewrite import substitute
from akg.ir.simplify import simplify
from akg.ir.text import parse_kernel
from akg.runtime.kernel import Kernel

_INTERPRETED = 300_000  # statement instances that the interpreter runs in about a second
_SMALL = (48, 16, 8, 4)  # sizes to try for the comparison where the wanted ones are too large


def run(options: argparse.Namespace) -> int:
    """Run every kernel of a place once with random inputs; report time and error."""
    given = parsed_sizes(options.size)
    for name, value in load(options.place).items():
        kernel = build(value, options.target, options.strategy, name)
        definition = parse_kernel(kernel.source("definition"))
        unknown = sorted(set(given) - set(kernel.signature.sizes))
        if unknown:
            raise AkgError(
                "AKG-E520",
                f"{name} has no size {unknown[0]!r}",
                because=f"its signature is {kernel.signature}",
                hint=suggest(unknown[0], kernel.signature.sizes, "sizes"),
            )
        default: int = options.default_size
        sizes = {size: given.get(size, default) for size in kernel.signature.sizes}
        report(name, kernel, definition, sizes, options.seed)
        if options.explain:
            print(kernel.explain())
    return 0


def parsed_sizes(texts: Sequence[str]) -> dict[str, int]:
    """The sizes of ``NAME=VALUE`` texts.

    Raises:
        AkgError: AKG-E520 for a text that is none.
    """
    sizes: dict[str, int] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name.isidentifier() or not value.isdecimal():
            raise AkgError("AKG-E520", f"--size {text} is not a size", hint="write --size n=100")
        sizes[name] = int(value)
    return sizes


def report(name: str, kernel: Kernel, definition: stmt.Kernel, sizes: dict[str, int], seed: int) -> None:
    """Print what a kernel takes, its time on random inputs, and its error beside the interpreter."""
    print(f"{name}: {kernel.signature}")
    if sizes:
        print("  sizes  " + ", ".join(f"{n} = {v}" for n, v in sizes.items()))
    args = _arguments(definition, sizes, seed)
    inputs = [a for p, a in zip(definition.params, args, strict=True) if p.role not in ("out", "size")]
    timing = kernel.benchmark(*inputs, **_needed(kernel, sizes))
    work = kernel.report.flops
    print(f"  time   {timing}" + (f", {rate(timing.rate(work), 'FLOP')}" if isinstance(work, int) else ""))
    small = _comparable(definition, sizes)
    if small is None:
        print("  error  not compared: the interpreter would take too long")
        return
    error = _error(kernel, definition, small, seed)
    where = "" if small == sizes else " at " + ", ".join(f"{n} = {v}" for n, v in small.items())
    print(f"  error  {error:.2g} of the largest element, beside the interpreter{where}")


def _needed(kernel: Kernel, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes that no argument's shape tells."""
    told = {n for p in kernel.signature.arguments for dim in p.shape or () for n, _ in dim.terms or ()}
    return {n: v for n, v in sizes.items() if n not in told}


def _arguments(kernel: stmt.Kernel, sizes: Mapping[str, int], seed: int) -> list[Any]:
    """Random arguments in the order of the parameters; square float matrices get a heavy diagonal."""
    rng = np.random.default_rng(seed)
    args: list[Any] = []
    for param in kernel.params:
        value = param.value
        if isinstance(value, Var):
            args.append(sizes[param.name] if param.role == "size" else draw((), value.dtype, rng)[()])
            continue
        shape = tuple([_extent(e, sizes) for e in (value.shape if param.shape is None else param.shape)])
        args.append(np.zeros(shape, value.dtype.numpy) if param.role == "out" else draw(shape, value.dtype, rng))
    return args


def draw(shape: tuple[int, ...], dtype: DType, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Random elements: small integers, or numbers between -1 and 1; square matrices get a heavy diagonal."""
    if not dtype.is_float:
        low, high = (0, 2) if dtype.kind == "bool" else (0, 5) if dtype.kind == "uint" else (-4, 5)
        return rng.integers(low, high, shape).astype(dtype.numpy)
    values = rng.uniform(-1, 1, shape)
    if len(shape) == 2 and shape[0] == shape[1]:
        values += shape[0] * np.eye(shape[0])  # factorisations and solves without pivots stay tame
    return values.astype(dtype.numpy)


def _extent(expr: Expr, sizes: Mapping[str, int]) -> int:
    value = simplify(substitute(expr, {Var(n): Const(v) for n, v in sizes.items()}))
    assert isinstance(value, Const)
    return int(value.value)


def _comparable(kernel: stmt.Kernel, sizes: dict[str, int]) -> dict[str, int] | None:
    """Sizes at most those given that the interpreter can do, or None."""
    for limit in (max(sizes.values(), default=0), *(_SMALL if sizes else ())):
        trial = {n: min(v, limit) for n, v in sizes.items()}
        if _instances(kernel.body, trial) <= _INTERPRETED:
            return trial
    return None


def _instances(root: stmt.Stmt, sizes: Mapping[str, int]) -> int:
    """An upper estimate of statement instances: loops whose bounds depend on others count as the largest size."""
    if isinstance(root, stmt.For):
        largest = max(sizes.values(), default=1)
        trips = simplify(substitute(root.end - root.begin, {Var(n): Const(v) for n, v in sizes.items()}))
        count = max(int(trips.value), 0) if isinstance(trips, Const) else largest
        return count * _instances(root.body, sizes)
    inner = stmt.sub_statements(root)
    return sum(_instances(s, sizes) for s in inner) if inner else 1


def _error(kernel: Kernel, definition: stmt.Kernel, sizes: dict[str, int], seed: int) -> float:
    want = _arguments(definition, sizes, seed)
    interpret(definition, *want)
    got = _arguments(definition, sizes, seed)
    roles = [p.role for p in definition.params]
    inputs = [a for r, a in zip(roles, got, strict=True) if r not in ("out", "size")]
    outputs = tuple([a for r, a in zip(roles, got, strict=True) if r == "out"])
    needed = _needed(kernel, sizes)
    if outputs:
        kernel(*inputs, out=outputs[0] if len(outputs) == 1 else outputs, **needed)
    else:
        kernel(*inputs, **needed)
    worst = 0.0
    for role, ours, theirs in zip(roles, got, want, strict=True):
        if role in ("out", "inout") and ours.size:
            a, b = ours.astype(np.float64), theirs.astype(np.float64)
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0)) or 1.0
            with np.errstate(invalid="ignore"):
                worst = max(worst, float(np.where(same, 0.0, np.abs(a - b)).max()) / scale)
    return worst
