"""Random programs for property tests: tensor definitions with a NumPy reference, and affine loop nests.

Each takes a `numpy.random.Generator`, so that one integer names a program: ``random_te(np.random.default_rng(7))``.
Values stay bounded and functions continuous, so that backends may differ by rounding only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akg.base.dtype import DType, dtype_of, float32, float64, index, int32
from akg.ir import te
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Load, Var, select
from akg.ir.rewrite import variables_of
from akg.ir.stmt import REDUCTIONS, For, If, Kernel, Param, Stmt, Store, block
from akg.ir.te import Tensor

Array = np.ndarray[Any, np.dtype[Any]]
Reference = Callable[[dict[str, Array]], Array]  # input arrays by name -> float64 (or int64) result
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17)
MAX_ELEMENTS = 1500


# --- tensor definitions --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dim:
    """An extent: the size in the definition, and its value in this test."""

    size: Expr | int
    value: int


@dataclass
class Node:
    """A tensor of the program with its reference, and the placeholders that it needs."""

    tensor: Tensor
    dims: tuple[Dim, ...]
    reference: Reference
    inputs: frozenset[int]
    terms: int = 1  # products summed into an element, over all stages

    @property
    def dtype(self) -> DType:
        return self.tensor.dtype


@dataclass
class TeProgram:
    """Outputs and inputs for `lower_te` or `build`, values of the symbolic sizes, and what should come out."""

    outputs: list[Tensor]
    inputs: list[Tensor]
    sizes: dict[str, int]
    references: list[Reference]  # one per output
    terms: int
    input_shapes: dict[str, tuple[int, ...]]

    def arrays(self, seed: int = 0) -> dict[str, Array]:
        """Random inputs by name."""
        rng = np.random.default_rng(seed)
        found: dict[str, Array] = {}
        for tensor in self.inputs:
            shape = self.input_shapes[tensor.name]
            if tensor.dtype.is_float:
                found[tensor.name] = rng.uniform(-2, 2, shape).astype(tensor.dtype.numpy)
            else:
                found[tensor.name] = rng.integers(-4, 5, shape).astype(tensor.dtype.numpy)
        return found


@dataclass
class _TeMaker:
    rng: np.random.Generator
    dtype: DType
    symbols: dict[str, int] = field(default_factory=dict[str, int])
    inputs: list[Node] = field(default_factory=list[Node])
    nodes: list[Node] = field(default_factory=list[Node])

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    # -- leaves ----------------------------------------------------------------------------------------

    def dim(self, limit: int) -> Dim:
        value = self.pick([e for e in EXTENTS if e <= max(limit, 1)])
        if self.chance(0.3):
            name = self.pick(("n", "m"))
            if self.symbols.setdefault(name, value) <= max(limit, 1):
                return Dim(te.var(name), self.symbols[name])
        return Dim(value, value)

    def dims(self, rank: int) -> tuple[Dim, ...]:
        found: list[Dim] = []
        room = MAX_ELEMENTS
        for _ in range(rank):
            found.append(self.dim(min(room, 17)))
            room //= found[-1].value
        return tuple(found)

    def placeholder(self, dims: tuple[Dim, ...], dtype: DType | None = None) -> Node:
        name = f"X{len(self.inputs)}"
        kind = dtype or self.dtype
        tensor = te.placeholder(tuple(d.size for d in dims), kind, name=name)
        wide = np.float64 if kind.is_float else np.int64
        node = Node(tensor, dims, lambda env: env[name].astype(wide), frozenset({len(self.inputs)}))
        self.inputs.append(node)
        return node

    def stage(
        self, dims: tuple[Dim, ...], fn: Callable[..., Any], reference: Reference, *of: Node, terms: int = 1
    ) -> Node:
        tensor = te.compute(tuple(d.size for d in dims), fn, name=f"T{len(self.nodes)}")
        inputs = frozenset().union(*(n.inputs for n in of))
        node = Node(tensor, dims, reference, inputs, sum(n.terms for n in of) * terms)
        self.nodes.append(node)
        return node

    def source(self, min_rank: int = 0) -> Node:
        fitting = [n for n in self.nodes[-3:] if len(n.dims) >= min_rank]
        if fitting and self.chance(0.85):
            return self.pick(fitting)
        return self.placeholder(self.dims(max(min_rank, int(self.rng.integers(1, 4)))))

    # -- stages: each returns the new node, or None where its source does not fit -------------------------

    def unary(self) -> Node:
        a = self.source()
        t = a.tensor
        if a.dtype.is_float:
            fn, ref = self.pick((
                (lambda x: te.tanh(x), np.tanh),
                (lambda x: te.maximum(x, 0.0), lambda x: np.maximum(x, 0)),
                (lambda x: te.exp(te.minimum(te.maximum(x, -3.0), 1.0)), lambda x: np.exp(np.clip(x, -3, 1))),
                (lambda x: te.select(x > 0.0, x, x * 0.25), lambda x: np.where(x > 0, x, x * 0.25)),
                (lambda x: te.sqrt(te.abs(x) + 1.0), lambda x: np.sqrt(np.abs(x) + 1)),
                (lambda x: te.sigmoid(x) * 0.5 - x, lambda x: 0.5 / (1 + np.exp(-x)) - x),
            ))  # fmt: skip
        else:
            fn, ref = self.pick((
                (lambda x: x // 3, lambda x: x // 3),
                (lambda x: x % 5 - 2, lambda x: x % 5 - 2),
                (lambda x: te.maximum(x, 1), lambda x: np.maximum(x, 1)),
                (lambda x: te.select(x > 0, x, -x), np.abs),
            ))  # fmt: skip
        return self.stage(a.dims, lambda *i: fn(t[i]), lambda env: ref(a.reference(env)), a)

    def binary(self) -> Node:
        a = self.source()
        fitting = [n for n in [*self.nodes, *self.inputs] if n.dtype is a.dtype and _broadcasts(n.dims, a.dims)]
        if fitting and self.chance(0.6):
            b = self.pick(fitting)
        else:
            kept = a.dims[int(self.rng.integers(len(a.dims) + 1)) :] if self.chance(0.5) else a.dims
            b = self.placeholder(tuple(Dim(1, 1) if self.chance(0.3) else d for d in kept), a.dtype)
        fn, ref = self.pick((
            (lambda x, y: x + y, np.add), (lambda x, y: x - y, np.subtract), (te.maximum, np.maximum),
            (te.minimum, np.minimum),
            (lambda x, y: te.select(x > y, x, y), np.maximum),
            _SCALED_PRODUCT_FLOAT if a.dtype.is_float else _PRODUCT_INT,
        ))  # fmt: skip
        s, t = a.tensor, b.tensor

        def at(*i: Expr) -> Expr:
            tail = i[len(i) - len(b.dims) :]
            return fn(s[i], t[tuple(0 if d.size == 1 and d.value == 1 and isinstance(d.size, int) else v
                                    for v, d in zip(tail, b.dims))])  # fmt: skip

        return self.stage(a.dims, at, lambda env: ref(a.reference(env), b.reference(env)), a, b)

    def transpose(self) -> Node:
        a = self.source(2)
        order = [int(k) for k in self.rng.permutation(len(a.dims))]
        dims = tuple(a.dims[k] for k in order)
        back = [order.index(k) for k in range(len(order))]
        t = a.tensor
        return self.stage(
            dims, lambda *i: t[tuple(i[k] for k in back)], lambda env: a.reference(env).transpose(order), a
        )

    def shift(self) -> Node:
        """Neighbours along one axis, zero outside: padding by a guard."""
        a = self.source(1)
        axis, by = int(self.rng.integers(len(a.dims))), self.pick((-2, -1, 1, 2))
        t, size, zero = a.tensor, a.dims[axis].size, te.const(0, a.dtype)

        def at(*i: Expr) -> Expr:
            moved = i[axis] + by
            inside = te.all(moved >= 0, moved < size)
            return t[i] + te.select(inside, t[(*i[:axis], moved, *i[axis + 1 :])], zero)

        def ref(env: dict[str, Array]) -> Array:
            x = a.reference(env)
            padded = np.pad(x, [(abs(by), abs(by)) if d == axis else (0, 0) for d in range(x.ndim)])
            return x + padded.take(range(abs(by) + by, abs(by) + by + x.shape[axis]), axis=axis)

        return self.stage(a.dims, at, ref, a)

    def stencil(self) -> Node | None:
        """Three taps without padding: the axis becomes shorter."""
        a = self.source(1)
        axes = [d for d, dim in enumerate(a.dims) if isinstance(dim.size, int) and dim.value >= 3]
        if not axes:
            return None
        axis = self.pick(axes)
        short = a.dims[axis].value - 2
        t, weight = a.tensor, (0.25 if a.dtype.is_float else 2)

        def at(*i: Expr) -> Expr:
            left, middle, right = (t[(*i[:axis], i[axis] + k, *i[axis + 1 :])] for k in range(3))
            return left + middle * weight + right

        def ref(env: dict[str, Array]) -> Array:
            x = a.reference(env)
            left, middle, right = (x.take(range(k, k + short), axis=axis) for k in range(3))
            return left + middle * weight + right

        return self.stage((*a.dims[:axis], Dim(short, short), *a.dims[axis + 1 :]), at, ref, a)

    def reduce(self) -> Node:
        a = self.source(1)
        count = min(self.pick((1, 1, 2)), len(a.dims))
        axes = sorted(int(k) for k in self.rng.permutation(len(a.dims))[:count])
        over = {d: te.reduce_axis(a.dims[d].size, name=f"r{d}") for d in axes}
        combine, ref = self.pick(((te.sum, np.sum), (te.max, np.max), (te.min, np.min)))
        keep = self.chance(0.3)
        dims = tuple(Dim(1, 1) if d in over else dim for d, dim in enumerate(a.dims) if keep or d not in over)
        t = a.tensor

        def at(*i: Expr) -> Expr:
            rest = iter(i[d] for d in range(len(i)) if d not in over) if keep else iter(i)
            return combine(
                t[tuple(over[d] if d in over else next(rest) for d in range(len(a.dims)))], axis=list(over.values())
            )

        terms = int(np.prod([a.dims[d].value for d in axes]))
        return self.stage(dims, at, lambda env: ref(a.reference(env), axis=tuple(axes), keepdims=keep), a, terms=terms)

    def contraction(self) -> Node:
        """The last axis against the first of a new matrix."""
        a = self.source(1)
        columns = self.dim(8)
        b = self.placeholder((a.dims[-1], columns), a.dtype)
        k = te.reduce_axis(a.dims[-1].size, name="k")
        s, t = a.tensor, b.tensor
        return self.stage(
            (*a.dims[:-1], columns), lambda *i: te.sum(s[(*i[:-1], k)] * t[k, i[-1]], axis=k),
            lambda env: a.reference(env) @ b.reference(env), a, b, terms=a.dims[-1].value,
        )  # fmt: skip


_SCALED_PRODUCT_FLOAT = (lambda x, y: x * y * 0.25, lambda x, y: x * y * 0.25)
_PRODUCT_INT = (lambda x, y: (x % 7) * (y % 7), lambda x, y: (x % 7) * (y % 7))


def _broadcasts(small: tuple[Dim, ...], large: tuple[Dim, ...]) -> bool:
    """Whether NumPy would stretch `small` to `large`, by equal sizes or the constant 1."""
    if len(small) > len(large):
        return False
    pairs = zip(small, large[len(large) - len(small) :])
    return all((isinstance(s.size, int) and s.value == 1) or s is b or _same_size(s.size, b.size) for s, b in pairs)


def _same_size(a: Expr | int, b: Expr | int) -> bool:
    return a == b if isinstance(a, int) and isinstance(b, int) else a is b


def random_te(rng: np.random.Generator, dtype: DType | str | None = None, max_stages: int = 6) -> TeProgram:
    """A random graph of 1 to `max_stages` stages over float32, float64, int32 or float16, with one or two outputs."""
    kind = dtype_of(dtype or ["float32", "float32", "float64", "int32", "float16"][int(rng.integers(5))])
    maker = _TeMaker(rng, kind)
    stages = [maker.unary, maker.binary, maker.binary, maker.transpose, maker.shift, maker.stencil, maker.reduce,
              maker.reduce, maker.contraction]  # fmt: skip
    for _ in range(int(rng.integers(1, max_stages + 1))):
        maker.pick(stages)()
    if not maker.nodes:
        maker.unary()
    outputs = [maker.nodes[-1]]
    if len(maker.nodes) > 1 and maker.chance(0.25):
        outputs.append(maker.pick(maker.nodes[:-1]))
    used = sorted(frozenset().union(*(o.inputs for o in outputs)))
    inputs = [maker.inputs[k] for k in used]
    return TeProgram(
        [o.tensor for o in outputs],
        [n.tensor for n in inputs],
        {k: v for k, v in maker.symbols.items() if any(_uses(n, k) for n in inputs)},
        [o.reference for o in outputs],
        max(o.terms for o in outputs),
        {n.tensor.name: tuple(d.value for d in n.dims) for n in inputs},
    )


def _uses(node: Node, symbol: str) -> bool:
    return any(isinstance(d.size, Var) and d.size.name == symbol for d in node.dims)


# --- affine loop nests ---------------------------------------------------------------------------------

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
    loops: int = 0
    stores: int = 0

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
            return Const(shift) if self.chance(0.7) else size + min(shift, PAD - 1)
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
        return self.pick(kinds)()

    def condition(self, scope: dict[Var, Var]) -> Expr:
        v = self.pick(list(scope))
        same = [w for w in scope if scope[w] is scope[v] and w is not v]
        other: Expr = self.pick(same) if same and self.chance(0.6) else scope[v] - int(self.rng.integers(0, 3))
        return self.pick((lambda: v < other, lambda: v >= other - 1, lambda: v.__eq__(other), lambda: v + 1 <= other))()

    def store(self, scope: dict[Var, Var]) -> Stmt:
        target = self.pick(self.mutable)
        place = self.subscripts(target, scope)
        name = f"S{self.stores}"
        self.stores += 1
        if self.chance(0.35):
            kind = self.pick(("sum", "max", "min"))
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
            elif scope and self.chance(0.2):
                orelse = self.body(scope, 1) if self.chance(0.3) else None
                parts.append(If(self.condition(scope), self.body(scope, share), orelse))
            else:
                share = 1
                parts.append(self.store(scope))
            budget -= share
        return block(*parts)

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


def random_script(rng: np.random.Generator, dtype: DType | str | None = None) -> ScriptProgram:
    """A random kernel of 1 to 4 affine statements that read and update arrays in place, all accesses in bounds."""
    kind = dtype_of(dtype) if dtype is not None else (float64, float32, int32)[int(rng.integers(3))]
    sizes = {Var(name, index): int(rng.integers(1, 9)) for name in (("n", "m") if rng.random() < 0.4 else ("n",))}
    maker = _ScriptMaker(rng, kind, sizes)
    maker.read_only = [maker.buffer(f"A{k}") for k in range(int(rng.integers(1, 3)))]
    maker.mutable = [maker.buffer(f"B{k}") for k in range(int(rng.integers(1, 3)))]
    body = maker.body({}, int(rng.integers(1, 5)))
    params = (
        *(Param(b, "in") for b in maker.read_only), *(Param(b, "inout") for b in maker.mutable),
        *(Param(v, "size") for v in sizes),
    )  # fmt: skip
    return ScriptProgram(Kernel("random_script", params, body), {v.name: value for v, value in sizes.items()})
