"""A backend from another package: installed, found by its entry points, used."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import akg
from akg import te
from akg.base.target import Target, host
from akg.codegen import backend
from akg.driver.pipeline import MAP
from akg.ir import stmt

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "plugin_backend"

_DIRECT = """
import ctypes
import numpy as np
from akg.base.dtype import float32
from akg.base.target import resolve_target
from akg.codegen.backend import backends
from akg.ir.buffer import Buffer
from akg.ir.expr import Const, Load, Var
from akg.ir.stmt import For, Kernel, Param, Store

assert "reference" in backends.names() and backends.origin("reference") == "akg-reference", backends.names()
target = resolve_target("reference")
chosen = backends.get(target.backend)
i, n, s = Var("i"), Var("n"), Var("s", float32)
x, y = Buffer("x", (n,), float32), Buffer("y", (n,), float32)
body = For(i, Const(0), n, Store(y, (i,), Load(x, (i,)) * s, "S0"))
kernel = Kernel("scale", (Param(x, "in"), Param(s, "scalar"), Param(y, "out"), Param(n, "size")), body)
module = chosen.emit(kernel, target)
assert module.kind == "loop" and "S0" in module.text
loaded = chosen.load(module)
entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(loaded.address("scale_packed"))
a, b = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
slots = np.array([a.ctypes.data, 0, b.ctypes.data, 5], np.int64)
slots[1:2].view(np.float32)[0] = 2.5
assert entry(slots.ctypes.data) == 0
np.testing.assert_array_equal(b, a * np.float32(2.5))
print("ok")
"""

_BUILD = """
import numpy as np
import akg
from akg import te

X = te.placeholder((6, 4), "float32", name="X")
k = te.reduce_axis(4, name="k")
Y = te.compute((6,), lambda i: te.sum(X[i, k] * 2.0, axis=k), name="Y")
x = np.arange(24, dtype=np.float32).reshape(6, 4)
kernel = akg.build([Y], inputs=[X], target="reference")
np.testing.assert_array_equal(kernel(x), x.sum(1) * 2)
assert kernel.report.cache == CACHE, kernel.report.cache
assert "vector" not in kernel.source("loop") and "parallel" not in kernel.source("loop")  # its passes map nothing
print("ok")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package in it, as pip leaves it."""
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(SOURCE, folder / "source")
    site = folder / "site"
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "--target", str(site), str(source),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return site


def run(program: str, site: Path, cache: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "AKG_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_emit_and_load(installed: Path, tmp_path: Path) -> None:
    assert run(_DIRECT, installed, tmp_path) == "ok"


def test_build(installed: Path, tmp_path: Path) -> None:
    for cache in ("miss", "hit"):  # the second process finds the kernel in the cache
        assert run(_BUILD.replace("CACHE", repr(cache)), installed, tmp_path) == "ok"


class _Silent:
    """A backend that emits what nothing loads."""

    name = "silent"
    passes: tuple[str, ...] | None = None

    def emit(self, kernel: stmt.Kernel, target: Target) -> backend.Module:
        return backend.Module("nothing", "silence", kernel.name, target)


def silent_error(passes: tuple[str, ...] | None) -> str:
    """What building for a backend with these passes says."""
    chosen = _Silent()
    chosen.passes = passes
    name = f"silent{len(backend.backends.names())}"
    backend.backends.register(name, chosen)
    x = te.placeholder((4,), name="X")
    y = te.compute((4,), lambda i: x[i] * 2.0, name="Y")
    with pytest.raises(akg.AkgError) as caught:
        akg.build([y], inputs=[x], target=dataclasses.replace(host(), backend=name))
    caught.value.span = None
    return str(caught.value)


def test_a_backend_without_load() -> None:
    message = silent_error(None)
    assert message.startswith("AKG-E408: nothing loads what backend 'silent")
    assert "because: it emits 'silence', and has no method load\nhint: " in message


def test_a_backend_that_asks_for_an_unknown_pass() -> None:
    message = silent_error(("generat",))
    assert message == (
        "AKG-E408: backend 'silent' asks for an unknown pass 'generat'\n"
        f"because: the passes are {', '.join(name for name, _, _ in MAP)}\n"
        "hint: did you mean 'generate'?"
    )
