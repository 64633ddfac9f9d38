"""The package's face: light, lazy, complete."""

import subprocess
import sys

import pytest

import akg
from akg.base import dtype

HEAVY = ("islpy", "llvmlite", "sympy", "networkx", "scipy", "importlib.metadata", "ml_dtypes")


def test_import_loads_nothing_heavy() -> None:
    source = (
        f"import sys, numpy; known = set(sys.modules); import akg; print((set(sys.modules) - known) & set({HEAVY}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_dtypes_by_name() -> None:
    for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool_"):
        assert getattr(akg, name) is getattr(dtype, name)


def test_every_public_name_exists() -> None:
    for name in akg._PUBLIC:
        assert getattr(akg, name) is not None
        assert name in dir(akg)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'akg' has no attribute 'bulid'"):
        akg.bulid  # noqa: B018
