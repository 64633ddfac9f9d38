"""Random definitions: what is lowered, with its inlining and splitting, computes what the definition says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from akg.ir import te
from akg.ir.expr import Binary, Call, Cast, Const, Load, Reduce, Select, Unary, Var
from akg.ir.interp import interpret
from akg.ir.lower import lower_te
from akg.ir.verify import verify

N = 4
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "max": np.maximum, "min": np.minimum,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "and": np.logical_and,
    "mod": np.mod, "floordiv": np.floor_divide,
}  # fmt: skip


class Reference:
    """Evaluates a definition element by element, exactly as it is written."""

    def __init__(self, arrays):
        self.arrays = dict(arrays)

    def tensor(self, tensor):
        if tensor not in self.arrays:
            values = np.zeros([int(s) for s in tensor.shape], tensor.dtype.numpy)
            for at in np.ndindex(*values.shape):
                scope = {axis.var: i for axis, i in zip(tensor.op.axes, at)}
                values[at] = self.value(tensor.op.bodies[tensor.position], scope)
            self.arrays[tensor] = values
        return self.arrays[tensor]

    def value(self, e, scope):
        match e:
            case Const():
                return e.value
            case Var():
                return scope[e]
            case Load():
                at = tuple(int(self.value(i, scope)) for i in e.indices)
                assert all(i >= 0 for i in at)
                return self.tensor(e.buffer)[at]
            case Binary():
                return BINARY[e.op](self.value(e.a, scope), self.value(e.b, scope))
            case Unary():
                return {"neg": np.negative, "abs": np.abs}[e.op](self.value(e.a, scope))
            case Select():
                return self.value(e.a if self.value(e.cond, scope) else e.b, scope)
            case Cast():
                return np.dtype(e.dtype.numpy).type(self.value(e.a, scope))
            case Call():
                return getattr(np, e.fn)(self.value(e.args[0], scope))
            case Reduce():
                total = e.combiner.identity[0].value
                (axis,) = e.axes
                for i in range(int(axis.begin), int(axis.end)):
                    inner = {**scope, axis.var: i}
                    if e.condition is None or self.value(e.condition, inner):
                        pair = {e.combiner.lhs[0]: total, e.combiner.rhs[0]: self.value(e.args[0], inner)}
                        total = self.value(e.combiner.result[0], pair)
                return total


@st.composite
def definitions(draw):
    """A few stages of shape (N, N) over two arguments; returns the arguments and some of the stages."""
    tensors = [te.placeholder((N, N), "float64", name="A"), te.placeholder((N, N), "float64", name="B")]

    def read(i, j, extra=None):
        tensor = draw(st.sampled_from(tensors[-4:]))
        places = [i, j, N - 1 - i, (i + j) % N, j // 2, (i + 1) % N] + ([extra] if extra is not None else [])
        first, second = draw(st.sampled_from(places)), draw(st.sampled_from(places))
        if draw(st.integers(0, 5)) == 0:
            return te.select(te.all(i >= 1, j < N - 1), tensor[i - 1, j + 1], 0.5)
        return tensor[first, second]

    def elementwise(i, j):
        value = read(i, j)
        for _ in range(draw(st.integers(0, 2))):
            op = draw(st.sampled_from(["add", "mul", "max", "exp", "neg", "const"]))
            if op == "exp":
                value = te.exp(te.minimum(value, 1.0))
            elif op == "neg":
                value = -value
            elif op == "const":
                value = value * 0.5
            else:
                other = read(i, j)
                value = {"add": value + other, "mul": value * other, "max": te.maximum(value, other)}[op]
        return value

    def reduction(i, j):
        k = te.reduce_axis(N, name="k")
        reduce = draw(st.sampled_from([te.sum, te.max, te.min]))
        where = draw(st.sampled_from([None, k <= i, tensors[0][j, k] > 0]))
        term = read(i, j, k) * read(i, j, k) if draw(st.booleans()) else read(i, j, k)
        result = reduce(term, axis=k, where=where)
        if draw(st.booleans()):
            return result
        safe = te.select(te.abs(result) < 1e300, result, 0.0)
        return te.select(i < N - 1, safe * 0.25 + read(i, j), 1.0)

    for position in range(draw(st.integers(1, 5))):
        body = draw(st.sampled_from([elementwise, elementwise, reduction]))
        tensors.append(te.compute((N, N), body, name=f"S{position}"))
    others = [t for t in tensors[2:-1] if draw(st.integers(0, 3)) == 0]
    return tensors[:2], [*others, tensors[-1]]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(definitions())
def test_lowered_is_as_defined(definition):
    arguments, outputs = definition
    rng = np.random.default_rng(0)
    arrays = {t: rng.uniform(-1, 1, (N, N)) for t in arguments}
    kernel = lower_te(outputs)
    verify(kernel)
    named = {t.name: a for t, a in arrays.items()}
    args = [named[p.name] if p.role == "in" else np.zeros((N, N)) for p in kernel.params]
    interpret(kernel, *args, check_uninitialised=True)
    reference = Reference(arrays)
    with np.errstate(all="ignore"):
        for tensor, actual in zip(outputs, (a for a, p in zip(args, kernel.params) if p.role == "out")):
            np.testing.assert_array_equal(actual, reference.tensor(tensor))
