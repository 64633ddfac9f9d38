"""The report tells whether threads share a loop, and why."""

import pytest

import akg
from akg import te


@pytest.mark.parametrize(
    ("size", "note"), [(64, "by one thread: about"), (4096, "shared by threads: about"), ("n", "where its size makes")]
)
def test_whether_threads_share_a_loop_is_told(size: int | str, note: str) -> None:
    n = te.var(size) if isinstance(size, str) else size
    x = te.placeholder((n, 64), "float32", name="x")
    y = te.compute((n, 64), lambda i, j: x[i, j] * 2.0 + x[i, 63 - j], name="y")
    text = str(akg.build([y], inputs=[x]).explain())
    assert note in text, text
