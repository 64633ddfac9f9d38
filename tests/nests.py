"""Random affine loop nests for property tests, all accesses in bounds, all values bounded."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akg.base.dtype import DType, dtype_of, float32, float64, index, int32
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, select
from akg.ir.rewrite import variables_of
from akg.ir.stmt import REDUCTIONS, Alloc, For, If, Kernel, Param, Stmt, Store, block, sub_statements

LARGE_DTYPES = (
    "float64", "float32", "float32", "int32", "float16", "bfloat16", "int8", "uint8", "int16", "int64",
)  # fmt: skip
MAX_ITERATIONS_LARGE = 30_000  # of the deepest nest: the interpreter runs them one by one
PAD = 4  # arrays are this much longer than their size, so that shifted subscripts stay in bounds


@dataclass
class ScriptProgram:
    """A kernel of affine nests, and the values of its sizes."""

    kernel: Kernel
    sizes: dict[str, int]


@dataclass
class _ScriptMaker:
    rng: np.random.Generator
    dtype: DType
    sizes: dict[Var, int]
    read_only: list[Buffer] = field(default_factory=list[Buffer])
    mutable: list[Buffer] = field(default_factory=list[Buffer])
    extents: dict[Buffer, tuple[tuple[Var, bool], ...]] = field(default_factory=dict[Buffer, Any])
    scalars: list[Var] = field(default_factory=list[Var])
    large: bool = False
    loops: int = 0
    stores: int = 0
    temporaries: int = 0

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def buffer(self, name: str) -> Buffer:
        """An array whose dimensions measure a size, or twice a size for sums of two variables."""
        dims = tuple((self.pick(list(self.sizes)), self.chance(0.2)) for _ in range(self.pick((1, 2, 2, 3))))
        shape = tuple((size * 2 if wide else size) + PAD for size, wide in dims)
        made = Buffer(name, shape, self.dtype)
        self.extents[made] = dims
        return made

    def subscript(self, size: Var, wide: bool, scope: dict[Var, Var]) -> Expr:
        """An affine subscript in [0, size + PAD), or in [0, 2 * size + PAD) if `wide`."""
        shift = int(self.rng.integers(0, PAD + 1)) if self.chance(0.4) else 0
        fitting = [v for v, s in scope.items() if s is size]
        if not fitting:
            return Const(min(shift, PAD - 1)) if self.chance(0.7) else size + min(shift, PAD - 1)
        v = self.pick(fitting)
        if wide and self.chance(0.6):
            return v + self.pick(fitting) + shift
        return size - 1 - v + shift if self.chance(0.1) else v + shift

    def subscripts(self, buffer: Buffer, scope: dict[Var, Var]) -> tuple[Expr, ...]:
        """One subscript per dimension, mostly over different variables."""
        free = dict(scope)
        found: list[Expr] = []
        for size, wide in self.extents[buffer]:
            has_free = any(s is size for s in free.values())
            found.append(self.subscript(size, wide, free if has_free and self.chance(0.85) else scope))
            for v in variables_of(found[-1]):
                free.pop(v, None)
        return tuple(found)

    def load(self, buffers: list[Buffer], scope: dict[Var, Var]) -> Expr:
        buffer = self.pick(buffers)
        return Load(buffer, self.subscripts(buffer, scope))

    def bounded(self, scope: dict[Var, Var]) -> Expr:
        """An expression no larger than the largest value in memory, so that recurrences cannot blow up."""
        x = self.load([*self.mutable, *self.read_only], scope)
        y = self.load([*self.mutable, *self.read_only], scope)
        half = (lambda e: e * 0.5) if self.dtype.is_float else (lambda e: e // 2)
        kinds = [
            lambda: half(x) + half(y), lambda: half(x) - half(y), lambda: -x, lambda: x,
            lambda: Binary("max", x, y), lambda: Binary("min", x, y),
            lambda: half(Binary("max", x, y)) + half(half(self.load(self.read_only, scope))),
        ]  # fmt: skip
        if self.dtype.is_float:
            kinds.append(lambda: half(half(self.load(self.read_only, scope) * x)) + half(y))
        if scope:
            kinds.append(lambda: select(self.condition(scope), x, half(y)))
        if self.scalars:
            kinds.append(lambda: half(x) + half(half(self.pick(self.scalars))))
        return self.pick(kinds)()

    def condition(self, scope: dict[Var, Var]) -> Expr:
        v = self.pick(list(scope))
        same = [w for w in scope if scope[w] is scope[v] and w is not v]
        other: Expr = self.pick(same) if same and self.chance(0.6) else scope[v] - int(self.rng.integers(0, 3))
        kinds = [lambda: v < other, lambda: v >= other - 1, lambda: v.__eq__(other), lambda: v + 1 <= other]
        if self.large:
            kinds += [lambda: Binary("eq", v % 2, Const(0)), lambda: v >= scope[v] // 2]
        return self.pick(kinds)()

    def store(self, scope: dict[Var, Var], targets: list[Buffer] | None = None) -> Stmt:
        target = self.pick(targets or self.mutable)
        place = self.subscripts(target, scope)
        name = f"S{self.stores}"
        self.stores += 1
        if self.chance(0.35):
            # 16-bit sums in memory round at every step, and so depend on the order of their terms
            kind = self.pick(("max", "min", "sum")[: 3 if self.dtype.compute is self.dtype else 2])
            x = self.load(self.read_only, scope)
            term = x * self.load(self.read_only, scope) if kind == "sum" else self.bounded(scope)
            if kind == "sum" or all(t is not target for t in _buffers(term)):
                return Store(target, place, Binary(REDUCTIONS[kind], Load(target, place), term), name, kind)
            return Store(target, place, term, name)
        return Store(target, place, self.bounded(scope), name)

    def body(self, scope: dict[Var, Var], budget: int) -> Stmt:
        """Up to `budget` stores, in a random tree of loops and guards."""
        parts: list[Stmt] = []
        while budget > 0 and (not parts or self.chance(0.6)):
            share = int(self.rng.integers(1, budget + 1))
            if len(scope) < 3 and self.chance(0.9 if not scope else 0.5):
                parts.append(self.loop(scope, share))
            elif self.large and self.temporaries < 2 and self.chance(0.15):
                parts.append(self.temporary(scope, share))
            elif scope and self.chance(0.2):
                orelse = self.body(scope, 1) if self.chance(0.3) else None
                parts.append(If(self.condition(scope), self.body(scope, share), orelse))
            else:
                share = 1
                parts.append(self.store(scope))
            budget -= share
        return block(*parts)

    def temporary(self, scope: dict[Var, Var], budget: int) -> Stmt:
        """A local array or scalar, filled, then used by up to `budget` stores."""
        dims = ((self.pick(list(self.sizes)), False),) if self.chance(0.5) else ()
        buffer = Buffer(f"t{self.temporaries}", tuple(size + PAD for size, _ in dims), self.dtype, "local")
        self.temporaries += 1
        self.extents[buffer] = dims
        name = f"S{self.stores}"
        self.stores += 1
        value = self.bounded(scope)
        at = tuple(Var(f"i{self.loops + d}") for d in range(len(dims)))
        self.loops += len(dims)
        fill: Stmt = Store(buffer, at, value, name)
        for v, extent in zip(at, buffer.shape):
            fill = For(v, Const(0), extent, fill)
        self.mutable.append(buffer)
        use = self.body(scope, budget)
        read = self.store(scope, [buffer]) if self.chance(0.8) else None
        self.mutable.remove(buffer)
        result = self.pick(self.mutable)
        place = self.subscripts(result, scope)
        last = Store(result, place, Load(buffer, self.subscripts(buffer, scope)), f"S{self.stores}")
        self.stores += 1
        return Alloc(buffer, block(fill, use, read, last))

    def loop(self, scope: dict[Var, Var], budget: int) -> Stmt:
        size = self.pick(list(self.sizes))
        var = Var(f"i{self.loops}")
        self.loops += 1
        begin: Expr = Const(0)
        end: Expr = size
        outer = [v for v in scope if scope[v] is size]
        if outer and self.chance(0.4):
            v = self.pick(outer)
            begin, end = self.pick(((Const(0), v), (Const(0), v + 1), (v, size), (v + 1, size)))
        elif self.chance(0.2):
            begin = Const(1)
        return For(var, begin, end, self.body({**scope, var: size}, budget))


def _buffers(root: Expr) -> list[Buffer]:
    found = [root.buffer] if isinstance(root, Load) else []
    return found + [b for child in root.children for b in _buffers(child)]


def random_script(rng: np.random.Generator, dtype: DType | str | None = None, large: bool = False) -> ScriptProgram:
    """A random kernel of affine statements that read and update arrays in place, all accesses in bounds.

    1 to 4 statements over float64, float32 or int32 with sizes below 9; if `large`, also with temporaries and scalars,
    over the other types, with one size below 25 and one up to 70, 0 at times.
    """
    if dtype is not None:
        kind = dtype_of(dtype)
    elif large:
        kind = dtype_of(LARGE_DTYPES[int(rng.integers(len(LARGE_DTYPES)))])
    else:
        kind = (float64, float32, int32)[int(rng.integers(3))]
    sizes = {Var(name, index): int(rng.integers(1, 9)) for name in (("n", "m") if rng.random() < 0.4 else ("n",))}
    if large:
        sizes = {Var("n", index): int(rng.integers(0, 25)), Var("m", index): int(rng.integers(1, 71))}
    maker = _ScriptMaker(rng, kind, sizes, large=large)
    if large and kind.bits >= 32 and rng.random() < 0.4:
        maker.scalars.append(Var("alpha", kind))
    maker.read_only = [maker.buffer(f"A{k}") for k in range(int(rng.integers(1, 3)))]
    maker.mutable = [maker.buffer(f"B{k}") for k in range(int(rng.integers(1, 3)))]
    body = maker.body({}, int(rng.integers(1, 7 if large else 5)))
    while large and _iterations(body, sizes) > MAX_ITERATIONS_LARGE:
        largest = max(sizes, key=lambda v: sizes[v])
        sizes[largest] = sizes[largest] * 3 // 4
    params = (
        *(Param(b, "in") for b in maker.read_only), *(Param(v, "scalar") for v in maker.scalars),
        *(Param(b, "inout") for b in maker.mutable), *(Param(v, "size") for v in sizes),
    )  # fmt: skip
    return ScriptProgram(Kernel("random_script", params, body), {v.name: value for v, value in sizes.items()})


def _iterations(root: Stmt, sizes: dict[Var, int]) -> int:
    """Stores that run, at most."""
    if isinstance(root, For):
        return max(sizes.values()) * _iterations(root.body, sizes)
    if isinstance(root, Store):
        return 1
    return sum(_iterations(s, sizes) for s in sub_statements(root))
