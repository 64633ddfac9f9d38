"""Shared objects that take threads and memory from call-backs: called from Python threads and from a C program."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from akg import ops, te
from akg.base.errors import InternalError
from akg.base.target import host, resolve_target
from akg.codegen.llvm.launcher import Operand
from akg.driver import linker
from akg.driver.launched import Launch, link_launched
from akg.ir.lower import lower_te
from akg.ir.stmt import Kernel
from akg.poly.strategy import resolve_strategy
from tests.helpers import assert_close
from tests.launching import Host, has_linker

ROWS, COLUMNS = 301, 257  # enough work for threads


pytestmark = pytest.mark.skipif(not has_linker(), reason="no linker: neither ziglang nor a C compiler")


def exponentials() -> Kernel:
    x = te.placeholder((ROWS, COLUMNS), "float32", name="x")
    return lower_te([ops.exp(x)], [x], "first")


def normalised() -> Kernel:
    """Rows divided by the sums of their reversed prefix sums: a workspace in each thread."""
    x = te.placeholder((ROWS, COLUMNS), "float32", name="x")
    return lower_te([ops.divide(x, ops.add(ops.cumulative_sum(x, axis=1), 1.0))], [x], "second")


def expected(x: Any) -> Any:
    e = np.exp(x.astype(np.float64))
    return e / (np.cumsum(e, axis=1) + 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    argument, scratch = Operand("argument", 0), Operand("scratch", 0)
    launches = [
        Launch(exponentials(), (argument, scratch)),
        Launch(normalised(), (scratch, Operand("argument", 1))),
    ]
    made = link_launched("op_kernel", launches, ROWS * COLUMNS * 4, resolve_strategy(None, "auto"),
                         resolve_target("cpu"), "op.so")  # fmt: skip
    path = tmp_path_factory.mktemp("launched") / "op.so"
    path.write_bytes(made.shared)
    return path


@pytest.mark.parametrize("threads", [1, 2, 5, 1000])
def test_threads_of_the_program(library: Path, threads: int) -> None:
    x = np.random.default_rng(3).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    y = np.full_like(x, np.nan)
    program = Host(threads)
    assert program.call(library, "op_kernel", x, y) == 0
    assert program.tasks and set(program.tasks) == {min(threads, 256)}
    assert not program.held
    assert_close(y, expected(x), terms=COLUMNS)


def test_no_memory(library: Path) -> None:
    x = np.zeros((ROWS, COLUMNS), np.float32)
    program = Host(2, bytes_left=1000)
    assert program.call(library, "op_kernel", x, np.zeros_like(x)) == 1
    assert not program.held


def test_no_libraries(library: Path) -> None:
    """The object starts no threads and takes no memory of its own."""
    code = library.read_bytes()
    assert [name for name in (b"libgomp", b"libc.so", b"libomp") if name in code] == []


def test_one_symbol_twice() -> None:
    twice = [Launch(exponentials(), (Operand("argument", 0), Operand("argument", 1)))] * 2
    with pytest.raises(InternalError, match="share a symbol: first, first"):
        link_launched("op_kernel", twice, 0, resolve_strategy(None, "auto"), resolve_target("cpu"), "op.so")


PROGRAM = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define ROWS 301
#define COLUMNS 257
extern int op_kernel(void **arguments);
static float x[ROWS * COLUMNS], y[ROWS * COLUMNS];
static int launches, blocks;
typedef int (*task_t)(int, int, void *);
static int launch(task_t task, void *data, int tasks) {
  int k, status = 0;
  ++launches;
  if (tasks > 3) tasks = 3;
  for (k = tasks - 1; k >= 0; --k) status |= task(k, tasks, data);
  return status;
}
static void *get(uint64_t bytes) { ++blocks; return malloc(bytes); }
static int put(void *block) { --blocks; free(block); return 0; }
int main(void) {
  void *table[4] = {(void *)launch, (void *)get, (void *)put, 0}, *arguments[3] = {table, x, y};
  int k, status;
  for (k = 0; k < ROWS * COLUMNS; ++k) x[k] = (float)(k % 1000) / 1000;
  status = op_kernel(arguments);
  fprintf(stderr, "%d %d %d", status, launches > 0, blocks);
  return fwrite(y, 1, sizeof y, stdout) != sizeof y;
}
"""


def test_called_from_c(library: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    command = [*linker.find(host()), "-std=c99", "-o", "main", "main.c", str(library), f"-Wl,-rpath,{library.parent}"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True)
    assert done.stderr == b"0 1 0"
    x = ((np.arange(ROWS * COLUMNS) % 1000).astype(np.float32) / np.float32(1000)).reshape(ROWS, COLUMNS)
    assert_close(np.frombuffer(done.stdout, np.float32).reshape(ROWS, COLUMNS), expected(x), terms=COLUMNS)
