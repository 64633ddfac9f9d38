"""`akg.composite.build`: a document to a callable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from akg.base.errors import user_facing
from akg.base.target import Target
from akg.base.trace import phase
from akg.frontends.composite.document import Document, TensorDesc, read_document
from akg.frontends.composite.translate import Translation
from akg.fusion import CompiledGraph, compile_graph
from akg.poly.strategy import StrategyLike


class CompositeKernel:
    """A compiled document. Called with arrays for `input_desc`, it returns those of `output_desc`.

    One output is returned as an array, several as a tuple. ``out=`` gives the arrays to write into.

    Attributes:
        document: what was compiled.
        compiled: the graph's kernels.
    """

    def __init__(self, document: Document, compiled: CompiledGraph) -> None:
        self.document, self.compiled = document, compiled
        self._complex_inputs = tuple([k for k, t in enumerate(document.inputs) if _is_complex(t)])
        self._complex_outputs = tuple([k for k, t in enumerate(document.outputs) if _is_complex(t)])
        if not self._complex_inputs and not self._complex_outputs:
            self._call = compiled
        else:
            self._call = self._with_complex

    @property
    def name(self) -> str:
        """The document's name of the kernel."""
        return self.document.name

    def __call__(self, *args: Any, out: Any = None) -> Any:
        """Run the kernel.

        Raises:
            AkgError: AKG-E5xx for arrays that do not fit.
        """
        return self._call(*args, out=out)

    def explain(self) -> str:
        """What was fused, and for each edge that was not, why."""
        return self.compiled.explain()

    def _with_complex(self, *args: Any, out: Any = None) -> Any:
        given = [_parts(a) if k in self._complex_inputs else a for k, a in enumerate(args)]
        single = len(self.document.outputs) == 1
        if out is not None:
            wanted = (out,) if single else tuple(out)
            wanted = tuple([_parts(a) if k in self._complex_outputs else a for k, a in enumerate(wanted)])
            self.compiled.run(given, wanted)
            return out
        results: list[Any] = self.compiled.run(given)
        for k in self._complex_outputs:
            results[k] = results[k].view(np.complex64)[..., 0]
        return results[0] if single else tuple(results)

    def __repr__(self) -> str:
        return f"<akg.CompositeKernel {self.name}: {len(self.compiled.kernels)} kernels>"


def _is_complex(desc: TensorDesc) -> bool:
    return desc.dtype == "complex64"


def _parts(array: Any) -> Any:
    """A complex array as real and imaginary parts in a last dimension, of the same memory."""
    return np.asarray(array)[..., None].view(np.float32)


@user_facing
def build(
    desc: Mapping[str, Any] | str | bytes, target: str | Target | None = None, strategy: StrategyLike = None
) -> CompositeKernel:
    """Compile a composite document.

    Args:
        desc: JSON text, or a dict of the same content; versions 0, 1 and 2.
        target: as for `akg.build`.
        strategy: as for `akg.build`.

    Raises:
        AkgError: AKG-E710, AKG-E711 for a malformed document, AKG-E712 for an unknown operator, AKG-E713 for an
            attribute or input that is missing or wrong, AKG-E714 for what akg does not compile, AKG-E70x for tensors
            that do not fit together.
    """
    with phase("read-document"):
        document = read_document(desc)
        graph = Translation(document).graph()
    compiled = compile_graph(graph, target=target, strategy=strategy, own_outputs=True, one_kernel=True)
    return CompositeKernel(document, compiled)
