"""The thirty kernels by their names in PolyBench/C 4.2.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from akg.ir.buffer import Buffer
from akg.ir.script import Script
from akg.ir.stmt import Kernel
from bench.polybench import blas, datamining, inputs, kernels, medley, references, solvers, stencils
from bench.polybench.datasets import Sizes, sizes


@dataclass(frozen=True)
class Benchmark:
    """A kernel of the suite.

    Attributes:
        name: in PolyBench.
        script: the loop nest.
        reference: NumPy, with the same arguments, in place.
        inputs: from sizes to the arguments of the script.
    """

    name: str
    script: Script
    reference: Callable[..., None]
    inputs: Callable[..., tuple[Any, ...]]

    def sizes(self, dataset: str) -> Sizes:
        """The sizes of a dataset."""
        return sizes(self.name, dataset)

    def arguments(self, dataset: str) -> tuple[Any, ...]:
        """Fresh arguments of the script."""
        return self.inputs(**self.sizes(dataset))

    def call(self, given: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, int]]:
        """The arguments of the built kernel for those of the script: by position, and sizes by name."""
        by_name = self._by_name(given)
        wanted = {p.name for p in self.script.lower().params if p.role == "size"}
        positional = tuple([value for name, value in by_name.items() if name not in wanted])
        return positional, {name: value for name, value in by_name.items() if name in wanted}

    def all_parameters(self, kernel: Kernel, given: tuple[Any, ...]) -> list[Any]:
        """The values of all parameters of compiled code, sizes read off the arrays."""
        by_name = self._by_name(given)
        for param in kernel.params:
            if isinstance(param.value, Buffer):
                for size, extent in zip(param.value.shape, by_name[param.name].shape, strict=True):
                    by_name.setdefault(str(size), extent)
        return [by_name[p.name] for p in kernel.params]

    def checked(self, results: tuple[Any, ...]) -> tuple[Any, ...]:
        """The part of the results that two compilers must agree on.

        gramschmidt divides by rounding errors once its columns outnumber its rows: what follows is arbitrary.
        """
        if self.name != "gramschmidt":
            return results
        a, r, q = results
        rank = min(a.shape)
        return a[:, :rank], r[:rank], q[:, :rank]

    def _by_name(self, given: tuple[Any, ...]) -> dict[str, Any]:
        code = self.script.function.__code__  # type: ignore[attr-defined]
        return dict(zip(code.co_varnames[: code.co_argcount], given, strict=True))


def relative_error(actual: tuple[Any, ...], expected: tuple[Any, ...]) -> float:
    """The largest difference of two sets of arguments, relative to the largest element of each array."""
    worst = 0.0
    for a, b in zip(actual, expected, strict=True):
        if isinstance(a, np.ndarray) and a.size:
            scale = max(float(np.max(np.abs(b))), 1e-300)
            worst = max(worst, float(np.max(np.abs(np.subtract(a, b, dtype=np.float64)))) / scale)
    return worst


def _benchmark(name: str, script: Script, make: Callable[..., tuple[Any, ...]] | None = None) -> Benchmark:
    own = make or getattr(inputs, script.name)
    return Benchmark(name, script, getattr(references, script.name), own)


CATALOGUE: dict[str, Benchmark] = {
    b.name: b
    for b in (
        _benchmark("correlation", datamining.correlation),
        _benchmark("covariance", datamining.covariance),
        _benchmark("2mm", kernels.mm2),
        _benchmark("3mm", kernels.mm3),
        _benchmark("atax", kernels.atax),
        _benchmark("bicg", kernels.bicg),
        _benchmark("doitgen", kernels.doitgen),
        _benchmark("mvt", kernels.mvt),
        _benchmark("gemm", blas.gemm),
        _benchmark("gemver", blas.gemver),
        _benchmark("gesummv", blas.gesummv),
        _benchmark("symm", blas.symm),
        _benchmark("syr2k", blas.syr2k),
        _benchmark("syrk", blas.syrk),
        _benchmark("trmm", blas.trmm),
        _benchmark("cholesky", solvers.cholesky, inputs.matrix),
        _benchmark("durbin", solvers.durbin),
        _benchmark("gramschmidt", solvers.gramschmidt),
        _benchmark("lu", solvers.lu, inputs.matrix),
        _benchmark("ludcmp", solvers.ludcmp),
        _benchmark("trisolv", solvers.trisolv),
        _benchmark("deriche", medley.deriche),
        _benchmark("floyd-warshall", medley.floyd_warshall),
        _benchmark("nussinov", medley.nussinov),
        _benchmark("adi", stencils.adi),
        _benchmark("fdtd-2d", stencils.fdtd_2d),
        _benchmark("heat-3d", stencils.heat_3d),
        _benchmark("jacobi-1d", stencils.jacobi_1d),
        _benchmark("jacobi-2d", stencils.jacobi_2d),
        _benchmark("seidel-2d", stencils.seidel_2d),
    )
}
