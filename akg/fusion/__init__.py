"""Operator graphs to fused kernels.

    b = Builder("mlp")
    x = b.input("x", ("n", 512), "float32")
    y = b.apply("gelu", b.apply("matmul", x, b.constant(weights)))
    mlp = compile_graph(b.finish([y]), target="cpu")
    result = mlp(array)                      # or mlp(array, out=result)

The contract for frontends is in `docs/fusion.md`.
"""

from akg.fusion.builder import Builder as Builder
from akg.fusion.builder import check_declared as check_declared
from akg.fusion.compile import CompiledGraph as CompiledGraph
from akg.fusion.compile import compile_graph as compile_graph
from akg.fusion.group import Group as Group
