"""The operator graph: what frontends build and the fuser compiles.

A graph is nodes in topological order over values: tensors with a shape, over integers and symbols, and a dtype.
What an operator computes is not said here: a node names a definition of `akg.ops`, or carries one on te tensors.
"""

from akg.ir.graph.algebra import simplify_algebra
from akg.ir.graph.graph import Arg, Graph, Node, Value, values_in
from akg.ir.graph.order import in_order
from akg.ir.graph.simplify import merge_equal, remove_dead
from akg.ir.graph.text import graph_text
from akg.ir.graph.verify import verify_graph

__all__ = [
    "Arg", "Graph", "Node", "Value", "graph_text", "in_order", "merge_equal", "remove_dead",
    "simplify_algebra", "values_in", "verify_graph",
]  # fmt: skip
