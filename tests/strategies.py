"""Random programs for property tests: tensor definitions with a NumPy reference, and (from `nests`) loop nests.

Each takes a `numpy.random.Generator`, so that one integer names a program: ``random_te(np.random.default_rng(7))``.
Values stay bounded and functions continuous, so that backends may differ by rounding only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from akg.base.dtype import DType, bool_, dtype_of, float64, tolerance
from akg.ir import te
from akg.ir.expr import Expr, Var
from akg.ir.te import Tensor
from tests.nests import ScriptProgram, random_script

__all__ = ["ScriptProgram", "TeProgram", "random_script", "random_te"]

Array = np.ndarray[Any, np.dtype[Any]]
Reference = Callable[[dict[str, Array]], Array]  # input arrays by name -> float64 (or int64) result
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17)
LARGE_EXTENTS = (*EXTENTS, 19, 24, 31, 32, 33, 40, 47, 48, 63, 64, 65, 70)
MAX_ELEMENTS, MAX_ELEMENTS_LARGE = 1500, 6000
MAX_TERMS_LARGE = 100_000  # products of a contraction, which the interpreter adds one by one
TE_DTYPES = ("float32", "float32", "float64", "int32", "float16")
MORE_DTYPES = (*TE_DTYPES, "float32", "bfloat16", "int8", "uint8", "int16", "int64")


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
    precision: DType = float64  # the coarsest float type on the way here

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
    precision: DType  # the coarsest float type of a stage: results may differ by its rounding

    def arrays(self, seed: int = 0) -> dict[str, Array]:
        """Random inputs by name."""
        rng = np.random.default_rng(seed)
        found: dict[str, Array] = {}
        for tensor in self.inputs:
            shape = self.input_shapes[tensor.name]
            if tensor.dtype.is_float:
                found[tensor.name] = rng.uniform(-2, 2, shape).astype(tensor.dtype.numpy)
            elif tensor.dtype is bool_:
                found[tensor.name] = rng.integers(0, 2, shape).astype(bool)
            else:
                found[tensor.name] = rng.integers(-4, 5, shape).astype(tensor.dtype.numpy)
        return found


@dataclass
class _TeMaker:
    rng: np.random.Generator
    dtype: DType
    large: bool = False
    symbols: dict[str, int] = field(default_factory=dict[str, int])
    inputs: list[Node] = field(default_factory=list[Node])
    nodes: list[Node] = field(default_factory=list[Node])

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    # -- leaves ----------------------------------------------------------------------------------------

    def dim(self, limit: int) -> Dim:
        value = self.pick([e for e in (LARGE_EXTENTS if self.large else EXTENTS) if e <= max(limit, 1)])
        if self.chance(0.3):
            name = self.pick(("n", "m"))
            if self.symbols.setdefault(name, value) <= max(limit, 1):
                return Dim(te.var(name), self.symbols[name])
        return Dim(value, value)

    def dims(self, rank: int) -> tuple[Dim, ...]:
        found: list[Dim] = []
        room = MAX_ELEMENTS_LARGE if self.large else MAX_ELEMENTS
        for _ in range(rank):
            found.append(self.dim(min(room, 70 if self.large else 17)))
            room //= found[-1].value
        return tuple(found)

    def placeholder(self, dims: tuple[Dim, ...], dtype: DType | None = None) -> Node:
        name = f"X{len(self.inputs)}"
        kind = dtype or self.dtype
        tensor = te.placeholder(tuple(d.size for d in dims), kind, name=name)
        wide = np.float64 if kind.is_float else np.int64
        precision = kind if kind.is_float else float64
        node = Node(tensor, dims, lambda env: env[name].astype(wide), frozenset({len(self.inputs)}), 1, precision)
        self.inputs.append(node)
        return node

    def stage(
        self, dims: tuple[Dim, ...], fn: Callable[..., Any], reference: Reference, *of: Node, terms: int = 1
    ) -> Node:
        tensor = te.compute(tuple(d.size for d in dims), fn, name=f"T{len(self.nodes)}")
        return self.add(tensor, dims, reference, of, terms)

    def add(self, tensor: Tensor, dims: tuple[Dim, ...], reference: Reference, of: Any, terms: int) -> Node:
        inputs = frozenset().union(*(n.inputs for n in of))
        kinds = [n.precision for n in of] + ([tensor.dtype] if tensor.dtype.is_float else [])
        precision = max(kinds, key=lambda kind: tolerance(kind))
        node = Node(tensor, dims, reference, inputs, sum(n.terms for n in of) * terms, precision)
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


    # -- stages of the larger programs ------------------------------------------------------------------

    def matmul(self) -> Node:
        """A product of matrices, batched at times, each operand as it is or transposed."""
        a = self.source(2)
        k_axis = len(a.dims) - self.pick((1, 2))
        m_axis = 2 * len(a.dims) - 3 - k_axis
        batch = a.dims[:-2]
        room = MAX_TERMS_LARGE // max(int(np.prod([d.value for d in a.dims])), 1)
        columns = self.dim(min(max(room, 1), 70))
        swap, batched = self.chance(0.5), bool(batch) and self.chance(0.4)
        inner = (columns, a.dims[k_axis]) if swap else (a.dims[k_axis], columns)
        b = self.placeholder((*batch, *inner) if batched else inner, a.dtype)
        k = te.reduce_axis(a.dims[k_axis].size, name="k")
        s, t = a.tensor, b.tensor

        def at(*i: Expr) -> Expr:
            rest, row, column = i[:-2], i[-2], i[-1]
            left = (*rest, row, k) if k_axis > m_axis else (*rest, k, row)
            right = (column, k) if swap else (k, column)
            return te.sum(s[left] * t[(*rest, *right) if batched else right], axis=k)

        def ref(env: dict[str, Array]) -> Array:
            x, y = a.reference(env), b.reference(env)
            x = x if k_axis > m_axis else x.swapaxes(-1, -2)
            return x @ (y.swapaxes(-1, -2) if swap else y)

        return self.stage((*batch, a.dims[m_axis], columns), at, ref, a, b, terms=a.dims[k_axis].value)

    def convolution(self) -> Node | None:
        """Windows along the last axis or the last two, with stride, dilation and zero padding."""
        a = self.source(1)
        rank = 2 if len(a.dims) > 1 and self.chance(0.6) else 1
        if not all(isinstance(d.size, int) for d in a.dims[-rank:]):
            return None
        windows, strides, dilations, pads, outs = [], [], [], [], []
        for dim in a.dims[-rank:]:
            pad, stride, dilation = self.pick((0, 1, 2)), self.pick((1, 1, 2, 3)), self.pick((1, 1, 2))
            window = self.pick([w for w in (1, 2, 3) if (w - 1) * dilation + 1 <= dim.value + 2 * pad])
            for values, value in zip((windows, strides, dilations, pads), (window, stride, dilation, pad)):
                values.append(value)
            outs.append((dim.value + 2 * pad - (window - 1) * dilation - 1) // stride + 1)
        weights = self.placeholder(tuple(Dim(w, w) for w in windows), a.dtype)
        s, t, zero = a.tensor, weights.tensor, te.const(0, a.dtype)
        axes = [te.reduce_axis(w, name=f"w{d}") for d, w in enumerate(windows)]

        def at(*i: Expr) -> Expr:
            rest, own = i[: len(i) - rank], i[len(i) - rank :]
            place = [v * st + w * dl - p for v, w, st, dl, p in zip(own, axes, strides, dilations, pads)]
            value: Expr = s[(*rest, *place)]
            if any(pads):
                inside = [c for v, d in zip(place, a.dims[-rank:]) for c in (v >= 0, v < d.size)]
                value = te.select(te.all(*inside), value, zero)
            return te.sum(value * t[tuple(axes)], axis=axes)

        def ref(env: dict[str, Array]) -> Array:
            x, w = a.reference(env), weights.reference(env)
            x = np.pad(x, [(0, 0)] * (x.ndim - rank) + [(p, p) for p in pads])
            total: Any = 0
            for taps in np.ndindex(*windows):
                cut = tuple(slice(v * dl, v * dl + (n - 1) * st + 1, st)
                            for v, dl, n, st in zip(taps, dilations, outs, strides))  # fmt: skip
                total = total + x[(..., *cut)] * w[taps]
            return total

        dims = (*a.dims[: len(a.dims) - rank], *(Dim(n, n) for n in outs))
        return self.stage(dims, at, ref, a, weights, terms=int(np.prod(windows)))

    def cumulative(self) -> Node:
        """Sums of everything before along an axis: a triangular reduction."""
        a = self.source(1)
        axis = int(self.rng.integers(len(a.dims)))
        k = te.reduce_axis(a.dims[axis].size, name="k")
        t = a.tensor

        def at(*i: Expr) -> Expr:
            return te.sum(t[(*i[:axis], k, *i[axis + 1 :])], axis=k, where=k <= i[axis])

        return self.stage(
            a.dims, at, lambda env: np.cumsum(a.reference(env), axis=axis), a, terms=a.dims[axis].value
        )

    def arg_reduce(self) -> Node:
        """The extreme element of exact values along an axis, and where it stands: a reduction of pairs."""
        rank = int(self.rng.integers(1, 4))
        exact = [n for n in self.nodes[-3:] if not n.dtype.is_float and n.dims and n.precision is float64]
        a = self.pick(exact) if exact and self.chance(0.7) else self.placeholder(self.dims(rank))
        axis = int(self.rng.integers(len(a.dims)))
        k = te.reduce_axis(a.dims[axis].size, name="k")
        reduce, ref = self.pick(((te.argmax, np.argmax), (te.argmin, np.argmin)))
        kind = self.pick(("int32", "int64"))
        t, dims = a.tensor, (*a.dims[:axis], *a.dims[axis + 1 :])
        best, where = te.compute(
            tuple(d.size for d in dims),
            lambda *i: reduce((t[(*i[:axis], k, *i[axis:])], te.cast(k, kind)), axis=k), name=f"T{len(self.nodes)}",
        )  # fmt: skip
        extreme = np.max if reduce is te.argmax else np.min
        value = self.add(best, dims, lambda env: extreme(a.reference(env), axis=axis), (a,), 1)
        place = self.add(where, dims, lambda env: ref(a.reference(env), axis=axis), (a,), 1)
        return value if self.chance(0.4) else place

    def moments(self) -> Node:
        """Sum and maximum in one reduction of pairs."""
        a = self.source(1)
        axis = int(self.rng.integers(len(a.dims)))
        k = te.reduce_axis(a.dims[axis].size, name="k")
        low = te.min_value(a.dtype)
        both = te.comm_reducer(
            lambda x, y: (x[0] + y[0], te.maximum(x[1], y[1])), lambda u, v: (te.const(0, u), low), name="both"
        )
        t, dims = a.tensor, (*a.dims[:axis], *a.dims[axis + 1 :])

        def at(*i: Expr) -> Any:
            value = t[(*i[:axis], k, *i[axis:])]
            return both((value, value), axis=k)

        total, most = te.compute(tuple(d.size for d in dims), at, name=f"T{len(self.nodes)}")
        terms = a.dims[axis].value
        self.add(total, dims, lambda env: np.sum(a.reference(env), axis=axis), (a,), terms)
        return self.add(most, dims, lambda env: np.max(a.reference(env), axis=axis), (a,), 1)

    def product(self) -> Node:
        """A product of factors near 1, or of signs, along the last axis."""
        a = self.source(1)
        k = te.reduce_axis(a.dims[-1].size, name="k")
        t, is_float = a.tensor, a.dtype.is_float

        def at(*i: Expr) -> Expr:
            x = t[(*i, k)]
            return te.prod(te.clip(x, -1.0, 1.0) * 0.0625 + 1.0 if is_float else x % 2 * 2 - 1, axis=k)

        def ref(env: dict[str, Array]) -> Array:
            x = a.reference(env)
            return np.prod(np.clip(x, -1, 1) * 0.0625 + 1 if is_float else x % 2 * 2 - 1, axis=-1)

        return self.stage(a.dims[:-1], at, ref, a, terms=a.dims[-1].value)

    def move(self) -> Node | None:
        """An axis reversed, thinned out, stretched, or the last two made one."""
        a = self.source(1)
        axis = int(self.rng.integers(len(a.dims)))
        t, dim = a.tensor, a.dims[axis]
        kind = self.pick(("flip", "thin", "stretch", "flatten"))
        if kind == "flip":
            fn, size, ref = (lambda v: dim.size - 1 - v), dim, lambda x: np.flip(x, axis)
        elif not isinstance(dim.size, int):
            return None
        elif kind == "thin":
            half = (dim.value + 1) // 2
            fn, size, ref = (lambda v: v * 2), Dim(half, half), lambda x: x.take(range(0, dim.value, 2), axis)
        elif kind == "stretch" and np.prod([d.value for d in a.dims]) < MAX_ELEMENTS_LARGE:
            twice = dim.value * 2
            fn, size, ref = (lambda v: v // 2), Dim(twice, twice), lambda x: np.repeat(x, 2, axis)
        elif len(a.dims) > 1 and all(isinstance(d.size, int) for d in a.dims[-2:]):
            columns, total = a.dims[-1].value, a.dims[-1].value * a.dims[-2].value
            return self.stage(
                (*a.dims[:-2], Dim(total, total)), lambda *i: t[(*i[:-1], i[-1] // columns, i[-1] % columns)],
                lambda env: (lambda x: x.reshape(*x.shape[:-2], -1))(a.reference(env)), a,
            )  # fmt: skip
        else:
            return None
        return self.stage(
            (*a.dims[:axis], size, *a.dims[axis + 1 :]),
            lambda *i: t[(*i[:axis], fn(i[axis]), *i[axis + 1 :])], lambda env: ref(a.reference(env)), a,
        )  # fmt: skip

    def masked(self) -> Node:
        """Elements where a bool array says so, and others elsewhere."""
        a = self.source()
        mask = self.placeholder(a.dims, bool_)
        t, m, other = a.tensor, mask.tensor, te.const(1, a.dtype)
        return self.stage(
            a.dims, lambda *i: te.select(m[i], t[i], other),
            lambda env: np.where(mask.reference(env) != 0, a.reference(env), 1), a, mask,
        )  # fmt: skip

    def convert(self) -> Node:
        """Another type; integers from integers only, so that rounding cannot turn into a whole number."""
        a = self.source()
        kinds = ("float32", "float64", "float16", "bfloat16")
        kind = self.pick(kinds if a.dtype.is_float else (*kinds[:2], "int8", "uint8", "int16", "int32", "int64"))
        t = a.tensor
        if kind in ("int8", "uint8", "int16"):
            wrap = np.dtype(kind)
            ref = lambda env: a.reference(env).astype(wrap).astype(np.int64)  # noqa: E731
        else:
            ref = lambda env: a.reference(env) * (1.0 if kind.startswith("float") else 1)  # noqa: E731
        return self.stage(a.dims, lambda *i: te.cast(t[i], kind), ref, a)

    def normalise(self) -> Node:
        """A softmax along an axis: reductions, and what uses them."""
        a = self.source(1)
        if not a.dtype.is_float:
            return self.reduce()
        axis = int(self.rng.integers(len(a.dims)))
        t, rest = a.tensor, (*a.dims[:axis], *a.dims[axis + 1 :])
        k, l = (te.reduce_axis(a.dims[axis].size, name=name) for name in "kl")

        def full(i: tuple[Expr, ...], v: Expr) -> tuple[Expr, ...]:
            return (*i[:axis], v, *i[axis:])

        def without(i: tuple[Expr, ...]) -> tuple[Expr, ...]:
            return (*i[:axis], *i[axis + 1 :])

        shape = tuple(d.size for d in rest)
        top = te.compute(shape, lambda *i: te.max(t[full(i, k)], axis=k), name=f"T{len(self.nodes)}_top")
        total = te.compute(
            shape, lambda *i: te.sum(te.exp(t[full(i, l)] - top[i]), axis=l), name=f"T{len(self.nodes)}_total"
        )

        def ref(env: dict[str, Array]) -> Array:
            x = a.reference(env)
            e = np.exp(x - x.max(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        return self.stage(
            a.dims, lambda *i: te.exp(t[i] - top[without(i)]) / total[without(i)], ref, a, terms=a.dims[axis].value
        )


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


def random_te(
    rng: np.random.Generator, dtype: DType | str | None = None, max_stages: int = 6, large: bool = False
) -> TeProgram:
    """A random graph of 1 to `max_stages` stages, with one or two outputs.

    Over float32, float64, int32 or float16; if `large`, over the other types as well, with extents up to 70 and more
    kinds of stages. References of integers do not wrap.
    """
    names = MORE_DTYPES if large else TE_DTYPES
    kind = dtype_of(dtype or names[int(rng.integers(len(names)))])
    maker = _TeMaker(rng, kind, large)
    stages = [maker.unary, maker.binary, maker.binary, maker.transpose, maker.shift, maker.stencil, maker.reduce,
              maker.reduce, maker.contraction]  # fmt: skip
    if large:
        stages += [maker.matmul, maker.matmul, maker.convolution, maker.cumulative, maker.arg_reduce, maker.moments,
                   maker.product, maker.move, maker.masked, maker.convert, maker.normalise]  # fmt: skip
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
        max((o.precision for o in outputs), key=lambda kind: tolerance(kind)),
    )


def _uses(node: Node, symbol: str) -> bool:
    return any(isinstance(d.size, Var) and d.size.name == symbol for d in node.dims)
