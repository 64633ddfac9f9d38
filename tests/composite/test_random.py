"""Documents made at random: several operators share a kernel in ways that no network has."""

import random

import numpy as np
import pytest

import akg
from tests.composite.documents import document, op, tensor, values
from tests.helpers import assert_close

SIZES = (1, 1, 2, 3, 4, 7, 8, 17, 33, 64)


class Drawn:
    """A document under construction, with the elements of each tensor in NumPy."""

    def __init__(self, seed):
        self.rng, self.known, self.ops, self.inputs = random.Random(seed), {}, [], []
        self.dtype = self.rng.choice(["float32", "float32", "float16"])
        base = [self.rng.choice(SIZES) for _ in range(self.rng.choice([1, 2, 3, 4]))]
        for k in range(3):
            shape = [n if self.rng.random() < 0.7 else 1 for n in base]
            name = f"in{k}"
            self.inputs.append(tensor(name, shape, self.dtype))
            self.known[name] = values(shape, self.dtype, seed + k)
        for _ in range(self.rng.choice([3, 8, 14])):
            self.step()

    def emit(self, name, inputs, value, dtype=None, **attributes):
        """An operator, whose result is rounded as its type says."""
        if value.size > 40000:
            return
        out = f"t{len(self.known)}"
        self.known[out] = np.asarray(value).astype(dtype or self.dtype)
        given = [x if isinstance(x, dict) else self.declared(x) for x in inputs]
        made = self.declared(out)
        self.ops.append(op(name, given, made, variadic=name == "Concat", **attributes))

    def declared(self, name):
        array = self.known[name]
        return tensor(name, array.shape, str(array.dtype))

    def step(self):
        floats = [n for n, v in self.known.items() if str(v.dtype) == self.dtype]
        a = self.rng.choice(floats[-5:])
        x = self.known[a].astype("float32")
        axis = self.rng.randrange(x.ndim)
        kind = self.rng.choice(["unary", "binary", "binary", "reduce", "turn", "flat", "wide", "choose", "join", "cut"])
        if kind == "unary":
            name, function = self.rng.choice([("Tanh", np.tanh), ("Neg", np.negative), ("Abs", np.abs)])
            self.emit(name, [a], function(x))
        elif kind == "binary":
            fit = [n for n in floats if all(p == q or 1 in (p, q) for p, q in zip(
                reversed(self.known[n].shape), reversed(x.shape), strict=False))]  # fmt: skip
            b = self.rng.choice(fit)
            name, function = self.rng.choice([("Add", np.add), ("Mul", np.multiply), ("Maximum", np.maximum)])
            self.emit(name, [a, b], function(x, self.known[b].astype("float32")))
        elif kind == "reduce":
            name, function = self.rng.choice([("ReduceMax", np.max), ("ReduceMin", np.min), ("ReduceSum", np.mean)])
            keep = x.ndim == 1 or self.rng.random() < 0.5
            if function is not np.mean:
                self.emit(name, [a], function(x, axis=axis, keepdims=keep), axis=[axis], keep_dims=keep)
            elif self.dtype == "float32" and x.size <= 40000:  # a mean, so that elements stay small
                count = tensor("count", (1,), self.dtype, float(x.shape[axis]))
                self.emit("RealDiv", [a, count], x / np.float32(x.shape[axis]))
                part = f"t{len(self.known) - 1}"
                total = np.sum(self.known[part], axis=axis, keepdims=keep)
                self.emit(name, [part], total, axis=[axis - x.ndim], keep_dims=keep)
        elif kind == "turn":
            order = self.rng.sample(range(x.ndim), x.ndim)
            self.emit("Transpose", [a], x.transpose(order), perm=order)
        elif kind == "flat":
            shape = self.rng.choice([[x.size], [*x.shape, 1], [-1, x.shape[-1]]])
            self.emit("Reshape", [a], x.reshape(shape), shape=list(x.reshape(shape).shape))
        elif kind == "wide":
            shape = [n if n > 1 else self.rng.choice(SIZES) for n in x.shape]
            self.emit("BroadcastTo", [a], np.broadcast_to(x, shape), shape=shape)
        elif kind == "choose":
            half = tensor("half", (1,), self.dtype, 0.5)
            self.emit("Greater", [a, half], x > 0.5, "bool")
            if x.size <= 40000:
                self.emit("Select", [f"t{len(self.known) - 1}", half, a], np.where(x > 0.5, np.float32(0.5), x))
        elif kind == "join":
            self.emit("Concat", [a, a], np.concatenate([x, x], axis), axis=axis)
        else:
            end = self.rng.randrange(1, x.shape[axis] + 1)
            tail = [x.shape[axis] - end if d == axis else 0 for d in range(x.ndim)]
            self.emit("UnPadAkg", [a], x[tuple(slice(0, n - t) for n, t in zip(x.shape, tail, strict=True))], tail=tail)

    def finished(self):
        """The document, its inputs and the expected results: what nothing reads, and now and then something else."""
        read = {t["tensor_name"] for o in self.ops for group in o["input_desc"] for t in group}
        made = [o["output_desc"][0]["tensor_name"] for o in self.ops]
        names = [n for n in made if n not in read or self.rng.random() < 0.1]
        inputs = [t for t in self.inputs if t["tensor_name"] in read]
        desc = document(inputs, self.ops, [self.declared(n) for n in names])
        return desc, [self.known[t["tensor_name"]] for t in inputs], [self.known[n] for n in names]


@pytest.mark.parametrize("seed", range(24))
def test_random_documents(seed):
    drawn = Drawn(1000 * seed)
    if not drawn.ops:
        pytest.skip("nothing was drawn")
    desc, inputs, expected = drawn.finished()
    kernel = akg.composite.build(desc)
    got = kernel(*[a.copy() for a in inputs])
    for have, want in zip([got] if len(expected) == 1 else got, expected, strict=True):
        assert have.dtype == want.dtype
        assert_close(have, want, terms=256, what=str(desc))
