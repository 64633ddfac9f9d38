"""Fused subgraphs as frameworks hand them over: the composite JSON of graph-kernel fusion.

    kernel = akg.composite.build(desc, target="cpu")      # JSON text, or a dict
    results = kernel(*inputs)                             # in the order of input_desc and output_desc

Inputs that the graph assigns are updated in place.
"""

from akg.frontends.composite import drawing as drawing  # the rules register themselves
from akg.frontends.composite import hybrid as hybrid
from akg.frontends.composite import moving as moving
from akg.frontends.composite import rules as rules
from akg.frontends.composite.build import CompositeKernel as CompositeKernel
from akg.frontends.composite.build import build as build
from akg.frontends.composite.document import read_document as read_document
