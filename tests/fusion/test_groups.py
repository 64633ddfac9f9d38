"""What becomes one kernel, asserted on the loops: which arrays they keep in memory, and that results are right."""

import numpy as np
import pytest

from akg import ops
from akg.fusion import Builder, compile_graph
from akg.ir import stmt, te
from akg.ir.lower import lower_te
from akg.ir.text import parse_kernel
from tests.helpers import assert_close

rng = np.random.default_rng(11)


def in_memory(kernel) -> dict[str, int]:
    """The temporaries of a kernel that are arrays on the heap, with their numbers of elements."""
    loops = parse_kernel(kernel.source("loop"))
    found = [s.buffer for s in stmt.walk(loops.body) if isinstance(s, stmt.Alloc) and s.buffer.scope == "global"]
    return {b.name: int(np.prod(b.const_shape or (0,))) for b in found}


def compiled(build, *shapes, dtypes=None, **options):
    """The graph of a function on a builder and values, compiled; and arrays for its inputs."""
    b = Builder("g")
    kinds = dtypes or ["float32"] * len(shapes)
    values = [b.input(f"x{k}", s, d) for k, (s, d) in enumerate(zip(shapes, kinds))]
    results = build(b, *values)
    arrays = [
        rng.integers(0, 8, s).astype(d) if d.startswith("int") else rng.normal(size=s).astype(d)
        for s, d in zip(shapes, kinds)
    ]  # fmt: skip
    return compile_graph(b.finish(list(results) if isinstance(results, tuple) else [results]), **options), arrays


def reference(build, arrays):
    """The same operators, each by itself."""
    b = Builder("apart")
    values = [b.input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    known = dict(zip(values, arrays))
    results = build(b, *values)
    results = results if isinstance(results, tuple) else (results,)
    for node in b.finish(results).nodes:
        alone = Builder("one")
        inputs = {v: alone.input(v.name, v.shape, v.dtype) for v in node.inputs}
        out = alone.node(node.op, tuple([inputs.get(a, a) if not isinstance(a, tuple) else a for a in node.args]),
                         node.attributes)  # fmt: skip
        known[node.outputs[0]] = compile_graph(alone.finish([out]))(*[known[v] for v in node.inputs])
    return [known[r] for r in results]


def softmax(b, x):
    top = b.apply("max", x, axis=-1, keepdims=True)
    power = b.apply("exp", b.apply("subtract", x, top))
    return b.apply("divide", power, b.apply("sum", power, axis=-1, keepdims=True))


def layer_norm(b, x, w, c):
    centred = b.apply("subtract", x, b.apply("mean", x, axis=-1, keepdims=True))
    spread = b.apply("mean", b.apply("multiply", centred, centred), axis=-1, keepdims=True)
    scaled = b.apply("multiply", centred, b.apply("rsqrt", b.apply("add", spread, 1e-5)))
    return b.apply("add", b.apply("multiply", scaled, w), c)


def mlp(b, x, w, c, v):
    return b.apply("matmul", b.apply("gelu", b.apply("add", b.apply("matmul", x, w), c)), v)


def conv_block(b, x, w, m, v, g, c):
    return b.apply("relu", b.apply("batch_norm", b.apply("conv2d", x, w), m, v, g, c))


def loss(b, x, t):
    return b.apply("cross_entropy", x, t)


CASES = {
    "softmax": (softmax, [(64, 200)], None, 0),
    "softmax operator": (lambda b, x: b.apply("softmax", x), [(64, 200)], None, 0),
    "layer_norm": (layer_norm, [(64, 200), (200,), (200,)], None, 0),
    "layer_norm operator": (lambda b, *x: b.apply("layer_norm", *x), [(64, 200), (200,), (200,)], None, 0),
    "linear and gelu": (lambda b, x, w, c: b.apply("gelu", b.apply("add", b.apply("matmul", x, w), c)),
                        [(64, 96), (96, 128), (128,)], None, 0),
    "gelu block": (mlp, [(64, 96), (96, 128), (128,), (128, 64)], None, 0),
    "convolution block": (conv_block, [(1, 8, 30, 30), (16, 8, 3, 3), *[(16,)] * 4], None, 16),
    "cross_entropy": (loss, [(64, 200), (64,)], ["float32", "int64"], 64),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_kernel_without_intermediates_in_memory(name):
    build, shapes, dtypes, most = CASES[name]
    graph, arrays = compiled(build, *shapes, dtypes=dtypes)
    if name == "convolution block":
        arrays[3] = np.abs(arrays[3])
    assert len(graph.kernels) == 1, graph.explain()
    # of a convolution a number for each channel may stay, of a loss one for each row
    assert all(n <= most for n in in_memory(graph.kernels[0]).values()), graph.kernels[0].source("loop")
    for got, want in zip([graph(*arrays)], reference(build, arrays)):
        assert_close(got, want, terms=400)


def test_siblings_read_their_operand_once():
    def build(b, x):
        return b.apply("sum", x, axis=1), b.apply("sum", b.apply("multiply", x, x), axis=1)

    graph, arrays = compiled(build, (128, 256))
    assert len(graph.kernels) == 1
    loops = graph.kernels[0].source("loop")
    assert loops.count("parallel for") == 1
    assert_close(graph(*arrays)[1], (arrays[0] ** 2).sum(1), terms=256)


def test_a_fusion_that_does_not_keep_its_intermediate_is_undone():
    def build(b, x):
        return b.apply("permute_dims", b.apply("softmax", x), (1, 0)), b.apply("softmax", b.apply("softmax", x), axis=0)

    graph, arrays = compiled(build, (256, 384))
    assert len(graph.kernels) > 1
    assert "would reach memory all the same" in graph.explain()
    for got, want in zip(graph(*arrays), reference(build, arrays)):
        assert_close(got, want, terms=400)


def test_large_products_stay_apart():
    def build(b, x, w, v):
        return b.apply("matmul", b.apply("matmul", x, w), v)

    graph, _arrays = compiled(build, (16, 640), (640, 640), (640, 640))
    assert len(graph.kernels) == 2
    assert "half a level-2 cache" in graph.explain()


def test_no_cycle_between_kernels():
    """exp -> cumsum -> add, and exp -> add: the sum may join exp only if it does not close a circle."""

    def build(b, x):
        y = b.apply("exp", x)
        return b.apply("add", y, b.apply("cumsum", y, 0))

    graph, arrays = compiled(build, (16, 16))
    assert len(graph.kernels) == 2
    assert "cycle" in graph.explain()
    y = np.exp(arrays[0])
    assert_close(graph(*arrays), y + np.cumsum(y, 0), terms=16)


def test_random_graphs_are_what_their_operators_are():
    draw = np.random.default_rng(2)
    for _ in range(12):
        plan = [(int(draw.integers(0, 6)), *map(int, draw.integers(0, 100, 2))) for _ in range(9)]

        def build(b, x, y, plan=plan):
            values = [x, y]
            for kind, i, j in plan:
                a, c = values[i % len(values)], values[j % len(values)]
                op = ("add", "tanh", "softmax", "matmul", "permute_dims", "cumsum")[kind]
                if op in ("add", "matmul"):
                    values.append(b.apply(op, a, c))
                else:
                    more = {"permute_dims": ((1, 0),), "cumsum": (0,)}.get(op, ())
                    values.append(b.apply(op, a, *more))
            return tuple(dict.fromkeys(values[4:]))

        graph, arrays = compiled(build, (24, 24), (24, 24))
        arrays = [a / 8 for a in arrays]
        for got, want in zip(graph(*arrays), reference(build, arrays)):
            assert_close(got, want, terms=4000, what=graph.explain())


def test_short_stages_come_first():
    x, s = te.placeholder((64, 32), "float32", name="x"), te.placeholder((32,), "float32", name="s")
    y = ops.multiply(ops.softmax(x), ops.rsqrt(ops.add(s, 1.0)))
    names = [s.name for s in stmt.walk(lower_te([y], fewer_dimensions=True).body) if isinstance(s, stmt.Store)]
    assert names[0] in ("rsqrt", "add")


def test_nests_join_across_steps_that_come_between():
    """m and v are needed twice each, and what reads both comes last: one loop all the same, with the updates in it."""

    def build(b, m, v, w):
        first = b.apply("divide", m, 0.9)
        second = b.apply("divide", v, 0.99)
        step = b.apply("divide", first, b.apply("sqrt", b.apply("abs", second)))
        return b.apply("subtract", w, step), b.apply("add", first, b.apply("exp", second)), first, second

    graph, arrays = compiled(build, *[(64, 512)] * 3, one_kernel=True)
    assert graph.kernels[0].source("loop").count("parallel for") == 1
    for got, want in zip(graph(*arrays), reference(build, arrays)):
        assert_close(got, want)


def test_views_come_with_the_contractions_that_read_them():
    """An array arranged anew for products alone is never written: each product reads the array as it lies."""
    b = Builder()
    x, w, v = b.input("x", (96, 64), "float32"), b.input("w", (64, 96), "float32"), b.input("v", (96, 32), "float32")
    y = b.apply("exp", x)
    turned = b.apply("permute_dims", b.apply("reshape", b.apply("reshape", y, (8, 12, 64)), (96, 64)), (1, 0))
    graph = b.finish([b.apply("matmul", y, w), b.apply("matmul", turned, v)])
    result = compile_graph(graph)
    assert [g.outputs for g in result.groups] == [(y,), *[(v,) for v in graph.outputs]]
    a, c, d = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((96, 64), (64, 96), (96, 32)))
    for got, want in zip(result(a, c, d), (np.exp(a) @ c, np.exp(a).T @ d), strict=True):
        assert_close(got, want, terms=96)


def test_products_whose_steps_would_not_be_constant_have_their_operand_written():
    """Where a reduction would run over axes that do not lie behind one another."""
    b = Builder()
    x, w = b.input("x", (8, 16, 12), "float32"), b.input("w", (96, 32), "float32")
    turned = b.apply("reshape", b.apply("permute_dims", x, (1, 0, 2)), (16, 96))
    result = compile_graph(b.finish([b.apply("matmul", turned, w)]))
    assert len(result.groups) == 2
    a, c = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((8, 16, 12), (96, 32)))
    assert_close(result(a, c), a.transpose(1, 0, 2).reshape(16, 96) @ c, terms=96)


def test_sums_over_several_axes_keep_the_rows_of_large_operands():
    """Only panels of a sum over one axis are turned on the way: lanes along a row that is taken apart would gather."""

    def taps(image: te.Tensor, above: te.Tensor) -> te.Tensor:
        axes = [te.reduce_axis(size, name=name) for size, name in zip(above.shape[:3], "nyx", strict=True)]
        n, y, x = axes
        return te.compute(
            (2, 2, 4, 32), lambda i, j, c, f: te.sum(image[n, y + i, x + j, c] * above[n, y, x, f], axis=axes)
        )

    b = Builder()
    image, above = b.input("image", (2, 13, 13, 4), "float32"), b.input("above", (2, 32, 12, 12), "float32")
    turned = b.apply("permute_dims", above, (0, 2, 3, 1))
    result = compile_graph(b.finish([b.node("taps", [image, turned], {}, kind="contraction", definition=taps)]))
    assert next(g.outputs for g in result.groups) == (turned,)
    rng = np.random.default_rng(0)
    a, g = (rng.standard_normal(s).astype(np.float32) for s in ((2, 13, 13, 4), (2, 32, 12, 12)))
    want = np.stack([np.stack([np.einsum("nyxc,nfyx->cf", a[:, i : i + 12, j : j + 12], g) for j in (0, 1)])
                     for i in (0, 1)])  # fmt: skip
    assert_close(result(a, g), want, terms=288)
