"""What MindSpore calls, and what it loads: documents that MindSpore 2.10 wrote, called as it calls them."""

import hashlib
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import akg
from akg.base.errors import AkgError
from tests.helpers import assert_close
from tests.launching import Host, has_linker

pytestmark = pytest.mark.skipif(not has_linker(), reason="no linker: neither ziglang nor a C compiler")

DOCUMENTS = sorted((Path(__file__).parent / "documents").glob("*.info"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where MindSpore says that it looks for kernels."""
    monkeypatch.setenv("MS_COMPILER_CACHE_PATH", str(tmp_path))
    return tmp_path / "akg_kernel_meta"


def inputs_of(desc: Any) -> list[Any]:
    rng = np.random.default_rng(zlib.crc32(desc["op"].encode()))
    tensors = [tensor for group in desc["input_desc"] for tensor in group]
    return [np.abs(rng.standard_normal(t["shape"])).astype(t["data_type"]) for t in tensors]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[p.stem[:60] for p in DOCUMENTS])
def test_documents(path: Path, folder: Path) -> None:
    """As `akg.composite.build` computes it, inputs that are assigned included."""
    text = path.read_text()
    desc = json.loads(text)
    assert akg.ms.compilewithjson(text, json.dumps({"compile_cache": "elsewhere"}))
    facts = json.loads((folder / f"{desc['op']}.json").read_text())
    library = folder / f"{desc['op']}.so"
    assert facts["kernelName"] == f"{desc['op']}_kernel"
    assert facts["threadNumber"] == "null"
    assert facts["sha256"] == hashlib.sha256(library.read_bytes()).hexdigest()
    assert facts["objSha256"] == hashlib.sha256(library.with_suffix(".o").read_bytes()).hexdigest()
    expected_inputs, arrays = inputs_of(desc), inputs_of(desc)
    expected = akg.composite.build(desc)(*expected_inputs)
    outputs = [np.full(t["shape"], 7, t["data_type"]) for t in desc["output_desc"]]
    assert Host(3).call(library, facts["kernelName"], *arrays, *outputs) == 0
    for got, want in zip(outputs, expected if isinstance(expected, tuple) else [expected], strict=True):
        assert_close(got, want, terms=desc["input_desc"][0][0]["shape"][-1])
    for got, want in zip(arrays, expected_inputs, strict=True):
        assert_close(got, want)


def test_adam_updates_its_state(folder: Path) -> None:
    """Parameter and moments change, and outputs that are declared as one element get no more than that."""
    path = next(p for p in DOCUMENTS if p.stem.startswith("Fused_Adam"))
    desc = json.loads(path.read_text())
    akg.ms.compilewithjsonname(path)
    arrays = inputs_of(desc)
    before = [a.copy() for a in arrays]
    outputs = [np.full(5, 7, np.float32) for _ in desc["output_desc"]]
    Host(2).call(folder / f"{desc['op']}.so", f"{desc['op']}_kernel", *arrays, *outputs)
    changed = [k for k, (a, b) in enumerate(zip(arrays, before, strict=True)) if (a != b).all()]
    assert len(changed) == 3
    assert all((out[1:] == 7).all() for out in outputs)


def test_one_operator(folder: Path) -> None:
    """A document of one operator, without a graph around it."""
    tensor = {"data_type": "float32", "format": "DefaultFormat", "shape": [4, 3], "tensor_name": "x", "name": "x"}
    out = {**tensor, "tensor_name": "y", "name": "y"}
    desc: dict[str, Any] = {"op": "Exp_1", "name": "Exp", "process": "cpu", "attr": None, "input_desc": [[tensor]]}
    desc["output_desc"] = [out]
    assert akg.ms.compilewithjson(json.dumps(desc))
    x, y = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), np.zeros((4, 3), np.float32)
    assert Host(1).call(folder / "Exp_1.so", "Exp_1_kernel", x, y) == 0
    assert_close(y, np.exp(x))


@pytest.mark.parametrize(
    ("text", "attrs", "code"), [("{", None, "AKG-E710"), ("{}", None, "AKG-E711"), ("{}", "[", "AKG-E730"),
                                ("{}", "3", "AKG-E730")],
)  # fmt: skip
def test_errors(text: str, attrs: Any, code: str, folder: Path) -> None:
    with pytest.raises(AkgError) as caught:
        akg.ms.compilewithjson(text, attrs)
    assert caught.value.code == code
    assert not folder.exists()
    again = pickle.loads(pickle.dumps(caught.value))  # worker processes send their errors home
    assert str(again) == str(caught.value)


@pytest.mark.slow
def test_in_mindspore(tmp_path: Path) -> None:
    """A network in MindSpore itself, where it is installed."""
    pytest.importorskip("mindspore", reason="MindSpore is not installed")
    import subprocess
    import sys

    program = Path(__file__).parent / "network.py"
    done = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "akg_kernel_meta").glob("*.so"))
