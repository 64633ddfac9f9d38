"""MindSpore's graph kernels on akg: MindSpore calls ``akg.ms.compilewithjson`` of whatever package is named akg.

With this package importable, ``mindspore.set_context(enable_graph_kernel=True)`` runs fused subgraphs of the CPU on our
kernels. MindSpore loads what is left in the kernel-meta directory: ``<op>.so`` and ``<op>.json``.
"""

from akg.frontends.ms.compile import compilewithjson as compilewithjson
from akg.frontends.ms.compile import compilewithjsonname as compilewithjsonname
