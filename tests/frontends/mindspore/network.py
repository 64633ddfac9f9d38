# type: ignore  # MindSpore is not there where types are checked
"""A network and a few steps of its training in MindSpore, with fused kernels by akg, compared with NumPy."""

import itertools
import math
import sys

import mindspore
import numpy as np
from mindspore import Tensor, nn, ops

mindspore.set_context(mode=mindspore.GRAPH_MODE, device_target="CPU", enable_graph_kernel=True)
mindspore.set_context(graph_kernel_flags="--opt_level=2")


class Forward(nn.Cell):
    def __init__(self):
        super().__init__()
        self.d, self.norm, self.e = nn.Dense(64, 128), nn.LayerNorm((128,)), nn.Dense(128, 10)

    def construct(self, x):
        h = self.d(x)
        h = ops.gelu(h) * 2.0 + ops.exp(-ops.abs(h))
        return ops.softmax(self.e(self.norm(h)), -1)


class Trained(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Dense(64, 32), nn.Dense(32, 10)

    def construct(self, x):
        return self.b(ops.tanh(self.a(x)))


x = np.random.default_rng(0).standard_normal((32, 64)).astype(np.float32)
net = Forward()
got = net(Tensor(x)).asnumpy()
p = {k: v.asnumpy().astype(np.float64) for k, v in net.parameters_and_names()}
h = x @ p["d.weight"].T + p["d.bias"]
gelu = 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
h = gelu * 2 + np.exp(-abs(h))
h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-7) * p["norm.gamma"] + p["norm.beta"]
y = np.exp(h @ p["e.weight"].T + p["e.bias"])
y /= y.sum(-1, keepdims=True)
np.testing.assert_allclose(got, y, rtol=2e-3, atol=2e-4)

labels = Tensor(np.random.default_rng(1).integers(0, 10, 32).astype(np.int32))
trained = Trained()
loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
step = nn.TrainOneStepCell(nn.WithLossCell(trained, loss), nn.Adam(trained.trainable_params(), 1e-2))
losses = [float(step(Tensor(x), labels).asnumpy()) for _ in range(5)]
sys.exit(0 if all(b < a for a, b in itertools.pairwise(losses)) else 1)
