"""Layers that torch runs as one operator without gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402

from akg.frontends.torch import backend, run  # noqa: E402
from akg.fusion import compile_graph  # noqa: E402


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layer_without_gradients(activation, norm_first, monkeypatch):
    """Its attention is one operator, and nothing of it stays in eager mode."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, 48, activation=activation, norm_first=norm_first, batch_first=True).eval()
    x = torch.randn(2, 9, 32)
    names = []

    def counted(graph, *args, **options):
        names.append([node.op for node in graph.nodes])
        return compile_graph(graph, *args, **options)

    monkeypatch.setattr(run, "compile_graph", counted)
    with torch.no_grad():
        got, want = torch.compile(layer, backend=backend)(x), layer(x)
    assert len(names) == 1
    assert names[0].count("scaled_dot_product_attention") == 1
    assert (got - want).abs().max() < 1e-5 * want.abs().max()


def test_results_of_a_mebibyte_use_memory_again():
    """A result that is gone leaves its pages to the next one; one that is held does not."""
    torch._dynamo.reset()
    double = torch.compile(lambda x: x * 2.0, backend=backend)
    x = torch.randn(512, 1024)
    first = double(x)
    place = first.data_ptr()
    second = double(x)
    assert second.data_ptr() != place
    assert torch.equal(first, second)
    del first
    third = double(x + 1.0)
    assert third.data_ptr() == place
    assert torch.equal(second, x * 2.0)
    assert torch.equal(third, (x + 1.0) * 2.0)
