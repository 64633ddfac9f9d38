"""Kernels as files: called from C, from a shared object, and loaded again; other machines; what goes wrong."""

import ctypes
import hashlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg import te
from akg.base.target import resolve_target
from akg.cli import main
from akg.driver import linker
from akg.driver.elf import read_object
from akg.driver.header import prototype
from akg.runtime import openmp
from tests.helpers import assert_close

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no gcc on the path")
ROWS, COLUMNS = 300, 256  # enough work for threads


def axpy() -> akg.Kernel:
    """A parallel kernel with an array, a scalar and a size."""
    n = te.var("n")
    x, a = te.placeholder((n, COLUMNS), "float32", name="x"), te.var("alpha", "float32")
    y = te.compute((n, COLUMNS), lambda i, j: x[i, j] * a + te.exp(x[i, j]), name="y")
    return akg.build([y], inputs=[x, a], name="axpy")


def tiny() -> akg.Kernel:
    """A kernel without parallel loops, on types that C does not have."""
    h, b = te.placeholder((8,), "float16", name="h"), te.placeholder((8,), "bool", name="flag")
    y = te.compute((8,), lambda i: te.select(b[i], h[i] + h[i], te.cast(0, "float16")), name="double")
    return akg.build([y], inputs=[h, b], name="tiny")


def expected(x: Any, alpha: float) -> Any:
    wide = x.astype(np.float64)
    return wide * alpha + np.exp(wide)


PROGRAM = """
#include <stdio.h>
#include "axpy.h"
#include "tiny.h"
static float x[ROWS * COLUMNS], y[ROWS * COLUMNS];
int main(void) {
  const uint16_t h[8] = {0x3c00, 0x4000, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0xbc00};
  const uint8_t flag[8] = {1, 1, 0, 1, 1, 1, 1, 1};
  uint16_t twice[8];
  for (int k = 0; k < ROWS * COLUMNS; ++k) x[k] = (float)(k % 1000) / 1000;
  SET
  if (axpy(x, 2.5f, y, ROWS) || axpy(x, 2.5f, y, 0) || tiny(h, flag, twice)) return 1;
  for (int k = 0; k < 8; ++k) fprintf(stderr, "%x ", twice[k]);
  return fwrite(y, sizeof y, 1, stdout) != 1;
}
"""


@needs_gcc
@pytest.mark.parametrize("threads", ["openmp", "serial"])
def test_a_program_in_c(tmp_path: Path, threads: str) -> None:
    axpy().save(tmp_path, threads=threads)
    tiny().save(tmp_path, threads=threads)
    parallel = threads == "openmp"
    put = "if (akg_num_threads != 1) return 2;\n  akg_num_threads = 2;" if parallel else ""
    (tmp_path / "main.c").write_text(PROGRAM.replace("SET", put))
    options = json.loads((tmp_path / "axpy.json").read_text())["link"]
    assert options == (["-lgomp"] if parallel else [])
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wstrict-prototypes", "-pedantic", "-Werror", "-o", "main",
               f"-DROWS={ROWS}", f"-DCOLUMNS={COLUMNS}", "main.c", "axpy.o", "tiny.o", *options]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, check=True, timeout=60)
    x = (np.arange(ROWS * COLUMNS) % 1000 / 1000).astype(np.float32).reshape(ROWS, COLUMNS)
    assert_close(np.frombuffer(done.stdout, np.float32).reshape(x.shape), expected(x, 2.5), "float32", 4)
    assert done.stderr.split() == b"4000 4400 0 4000 4000 4000 4000 c000".split()


@needs_gcc
def test_the_header_in_cpp(tmp_path: Path) -> None:
    header = axpy().save(tmp_path)[1]
    assert header.name == "axpy.h"
    command = ["gcc", "-xc++", "-Wall", "-Werror", "-fsyntax-only", "-include", str(header), "/dev/null"]
    subprocess.run(command, check=True)


def test_objects_need_no_openmp_where_they_start_no_threads(tmp_path: Path) -> None:
    for kernel, threads in ((tiny(), "openmp"), (axpy(), "serial")):
        facts = read_object(kernel.save(tmp_path, threads=threads)[0].read_bytes())
        assert facts.undefined == ()
        assert facts.defined == (kernel.name, f"{kernel.name}_packed")
    facts = read_object(axpy().save(tmp_path)[0].read_bytes())
    assert {linker.library_of(name) for name in facts.undefined} == {"-lgomp"}
    assert "akg_num_threads" in facts.defined


def linked() -> bool:
    try:
        linker.find(resolve_target("cpu"))
    except akg.AkgError:
        return False
    return True


@pytest.mark.skipif(not linked(), reason="no linker: neither ziglang nor a C compiler")
@pytest.mark.parametrize("threads", ["openmp", "serial"])
def test_a_shared_object(tmp_path: Path, threads: str) -> None:
    kernel = axpy()
    files = kernel.save(tmp_path, kind="shared", threads=threads)
    assert [f.name for f in files] == ["axpy.o", "axpy.so", "axpy.h", "axpy.json"]
    if threads == "openmp" and openmp.find().is_serial:
        pytest.skip("no OpenMP runtime for the shared object to use")
    library = ctypes.CDLL(str(files[1]))
    if threads == "openmp":
        ctypes.c_int32.in_dll(library, "akg_num_threads").value = 2
    x = np.random.default_rng(0).uniform(-1, 1, (ROWS, COLUMNS)).astype(np.float32)
    y = np.full_like(x, np.nan)
    address = [ctypes.c_void_p(a.ctypes.data) for a in (x, y)]
    assert library.axpy(address[0], ctypes.c_float(2.5), address[1], ctypes.c_int64(ROWS)) == 0
    np.testing.assert_array_equal(y, kernel(x, 2.5))


def test_no_linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker.shutil, "which", lambda name: None)
    monkeypatch.setattr(linker.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(akg.AkgError, match="no linker") as caught:
        tiny().save(tmp_path, kind="shared")
    assert caught.value.code == "AKG-E412"
    assert "akg[aot]" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_linker_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    false = shutil.which("false")
    assert false
    monkeypatch.setattr(linker, "find", lambda target: [false])
    with pytest.raises(akg.AkgError) as caught:
        tiny().save(tmp_path, kind="shared")
    assert caught.value.code == "AKG-E413"


# --- metadata, and kernels loaded again ---------------------------------------------------------------------


@pytest.mark.parametrize("threads", ["openmp", "serial"])
def test_load(tmp_path: Path, threads: str) -> None:
    kernel = axpy()
    loaded = akg.load(kernel.save(tmp_path, threads=threads)[-1])
    assert str(loaded.signature) == str(kernel.signature)
    assert loaded.report.legality == kernel.report.legality
    x = np.random.default_rng(1).uniform(-1, 1, (ROWS, COLUMNS)).astype(np.float32)
    for count in (1, 2):
        with akg.config.override(num_threads=count):
            np.testing.assert_array_equal(loaded(x, 0.5), kernel(x, 0.5))
    with pytest.raises(akg.AkgError, match="float32"):
        loaded(x.astype(np.float64), 0.5)
    with pytest.raises(akg.AkgError) as caught:
        loaded.save(tmp_path)
    assert caught.value.code == "AKG-E411"


def test_shapes_of_expressions_come_back(tmp_path: Path) -> None:
    n, m = te.var("n"), te.var("m")
    x = te.placeholder((n, m), "float64", name="x")
    y = te.compute((2 * n, (m + 1) // 2), lambda i, j: x[i // 2, j], name="y")
    kernel = akg.build([y], inputs=[x], name="tiled")
    loaded = akg.load(kernel.save(tmp_path)[-1])
    x_value = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(loaded(x_value), kernel(x_value))
    assert loaded(x_value).shape == (6, 2)


def test_a_script_that_updates_in_place(tmp_path: Path) -> None:
    @akg.script
    def scan(A: akg.Tensor["n", "float64"]):  # noqa: F821
        n = A.shape[0]
        for i in range(1, n):
            A[i] += A[i - 1]

    kernel = akg.build(scan)
    assert "double *A" in prototype(kernel.signature)
    assert "const" not in prototype(kernel.signature)
    loaded, a = akg.load(kernel.save(tmp_path)[-1]), np.ones(9)
    assert loaded(a) is None
    np.testing.assert_array_equal(a, np.arange(1.0, 10.0))


def test_from_the_cache(tmp_path: Path) -> None:
    with akg.config.override(cache_dir=tmp_path / "cache", cache="rw"):
        kernel = tiny()
        del kernel
        again = tiny()
        assert again.report.cache == "hit"
        again.save(tmp_path)
    h, flag = np.arange(8).astype(np.float16), np.ones(8, bool)
    np.testing.assert_array_equal(akg.load(tmp_path / "tiny.json")(h, flag), h + h)


def test_metadata(tmp_path: Path) -> None:
    files = {f.suffix: f for f in axpy().save(tmp_path)}
    facts = json.loads(files[".json"].read_text())
    for entry in facts["files"].values():
        assert hashlib.sha256((tmp_path / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
    assert [p["c_type"] for p in facts["parameters"]] == ["const float *", "float", "float *", "int64_t"]
    assert facts["akg"] == akg.__version__
    assert facts["legality"].startswith("legal: yes")
    assert facts["target"]["arch"] == read_object(files[".o"].read_bytes()).machine


def test_a_reserved_name_has_another_symbol(tmp_path: Path) -> None:
    x = te.placeholder((4,), "float32", name="int")
    kernel = akg.build([te.compute((4,), lambda i: x[i] + 1.0, name="double")], inputs=[x], name="exp")
    code, header, _ = kernel.save(tmp_path)
    assert code.name == "exp.o"
    assert "kernel_exp_" in read_object(code.read_bytes()).defined
    assert "int32_t kernel_exp_(" in header.read_text()
    assert "*int_," in header.read_text()


def test_damaged_files(tmp_path: Path) -> None:
    code, _, metadata = tiny().save(tmp_path)
    code.write_bytes(code.read_bytes()[:-1] + b"!")
    with pytest.raises(akg.AkgError, match="SHA-256") as caught:
        akg.load(metadata)
    assert caught.value.code == "AKG-E626"
    code.unlink()
    with pytest.raises(akg.AkgError, match=r"tiny\.o"):
        akg.load(metadata)
    whole = metadata.read_text()
    broken = ("", "[]", "{}", '{"layout": 2}', '{"layout": 2, "files": 3}', whole.replace("kernel tiny", "x"))
    for text in broken:
        metadata.write_text(text)
        with pytest.raises(akg.AkgError) as caught:
            akg.load(metadata)
        assert caught.value.code == "AKG-E626", text


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(akg.AkgError) as caught:
        tiny().save(tmp_path / "file" / "below")
    assert caught.value.code == "AKG-E624"
    (tmp_path / "tiny.o").mkdir()
    with pytest.raises(akg.AkgError):
        tiny().save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "tiny.o"]


@pytest.mark.parametrize(("keywords", "word"), [({"kind": "objct"}, "object"), ({"threads": "seral"}, "serial")])
def test_unknown_kinds(tmp_path: Path, keywords: dict[str, Any], word: str) -> None:
    with pytest.raises(akg.AkgError, match=word) as caught:
        tiny().save(tmp_path, **keywords)
    assert caught.value.code == "AKG-E517"


# --- other machines -----------------------------------------------------------------------------------------


def matmul() -> tuple[list[Any], list[Any]]:
    a, b = te.placeholder((64, 48), "float32", name="a"), te.placeholder((48, 80), "float32", name="b")
    k = te.reduce_axis(48, name="k")
    c = te.compute((64, 80), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="c")
    return [te.compute((64, 80), lambda i, j: te.tanh(c[i, j]), name="d")], [a, b]


OTHERS = [
    ("aarch64", "aarch64", "fmla"),
    ("aarch64-neon", "aarch64", "fmla"),
    ("aarch64-sve256", "aarch64", "fmla\tz"),
    ("aarch64-sve512", "aarch64", "fmla\tz"),
    ("riscv64", "riscv64", "fmadd.s"),
    ("riscv64-v", "riscv64", "vfmacc"),
    ("x86-64-v2", "x86_64", "mulps"),
    ("x86-64-v3", "x86_64", "vfmadd"),
]


@pytest.mark.parametrize(("name", "machine", "instruction"), OTHERS)
def test_other_machines(tmp_path: Path, name: str, machine: str, instruction: str) -> None:
    outputs, inputs = matmul()
    kernel = akg.build(outputs, inputs=inputs, target=name, name="matmul")
    code, _, metadata = kernel.save(tmp_path)
    facts = read_object(code.read_bytes())
    assert facts.machine == machine
    assert "matmul" in facts.defined
    assert instruction in kernel.source("asm")
    if machine == "riscv64":
        assert facts.flags & 6 == 4  # floats of 64 bits are passed in registers of their own
    loaded = akg.load(metadata)
    if machine != resolve_target("cpu").arch:
        with pytest.raises(akg.AkgError, match=machine) as caught:
            loaded(np.zeros((64, 48), np.float32), np.zeros((48, 80), np.float32))
        assert caught.value.code == "AKG-E410"


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no ziglang, which links for other machines")
@pytest.mark.parametrize(("name", "number"), [("aarch64", 183), ("riscv64", 243), ("riscv64-v", 243)])
def test_shared_objects_of_other_machines(tmp_path: Path, name: str, number: int) -> None:
    outputs, inputs = matmul()
    shared = akg.build(outputs, inputs=inputs, target=name, name="matmul").save(tmp_path, kind="shared")[1]
    data = shared.read_bytes()
    assert (data[:4], data[16], data[18]) == (b"\x7fELF", 3, number)  # a shared object
    assert b"libgomp.so.1" in data or not read_object((tmp_path / "matmul.o").read_bytes()).undefined


def test_vectors_of_riscv() -> None:
    plain, vector = resolve_target("riscv64"), resolve_target("riscv64-v")
    assert (plain.lanes(64), plain.vector_registers, plain.cpu, plain.has_fma) == (1, 32, "generic-rv64", True)
    assert (vector.lanes(32), "v" in vector.features) == (4, True)


# --- the command --------------------------------------------------------------------------------------------

FILE = """
import akg
from akg import te
x = te.placeholder((16,), "float32", name="x")
y = te.compute((16,), lambda i: x[i] * 2.0, name="y")
z = te.compute((16,), lambda i: x[i] * 3.0, name="y")
def kernels():
    return {"first": akg.lower([y], inputs=[x], name="first"), "second": akg.lower([z], inputs=[x], name="NAME")}
"""


def test_compile_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file.py").write_text(FILE.replace("NAME", "second"))
    target = tmp_path / "out"
    assert main(["compile", str(tmp_path / "file.py"), "--save", str(target), "--target", "aarch64"]) == 0
    wanted = sorted(f"{name}.{end}" for name in ("first", "second") for end in ("h", "o", "json"))
    assert sorted(p.name for p in target.iterdir()) == wanted
    assert read_object((target / "first.o").read_bytes()).machine == "aarch64"
    assert str(target / "first.h") in capsys.readouterr().err


def test_two_kernels_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file.py").write_text(FILE.replace("NAME", "first"))
    assert main(["compile", str(tmp_path / "file.py"), "--save", str(tmp_path / "out")]) == 2
    assert "AKG-E625" in capsys.readouterr().err
