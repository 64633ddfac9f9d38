"""Loop nests for the scheduler: those of PolyBench that `tests.programs` does not have."""

from akg.ir.script import Script
from bench.polybench.catalogue import CATALOGUE

_NAMES = (
    "jacobi-1d", "jacobi-2d", "heat-3d", "fdtd-2d", "2mm", "mvt", "atax", "gemver", "trisolv", "durbin", "doitgen",
    "covariance", "adi", "ludcmp", "deriche", "correlation", "symm", "nussinov",
)  # fmt: skip
NESTS: dict[str, Script] = {CATALOGUE[name].script.name: CATALOGUE[name].script for name in _NAMES}
