"""Every command, as a user types it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import akg
from akg import doctor
from akg.cli import main
from akg.cli.text import Progress, duration, phases, table

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = '''
import akg
from akg import te

@akg.script
def scan(A: akg.Tensor["n", "float64"]):
    n = A.shape[0]
    for i in range(1, n):
        A[i] += A[i - 1]

x = te.placeholder((40, 30), "float32", name="x")
k = te.reduce_axis(30, name="k")
y = te.compute((40,), lambda i: te.sum(x[i, k], axis=k), name="y")
low = akg.lower([y], inputs=[x], name="row_sum")
number = 3

def kernels():
    return {"doubled": te.compute((40,), lambda i: y[i] * 2.0, name="z")}
'''


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return str(path)


def run(*argv: str) -> int:
    """The exit status, also where the parser exits by itself."""
    try:
        return main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


def shell(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "akg", *argv]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})


# --- the parser --------------------------------------------------------------------------------------------


def test_unknown_command_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dmo") == 2
    assert capsys.readouterr().err == "akg: unknown command 'dmo': did you mean 'demo'?\nsee: akg --help\n"


def test_unknown_choice_suggests(capsys: pytest.CaptureFixture[str], program: str) -> None:
    assert run("compile", program, "--emit", "lvm") == 2
    assert "unknown choice 'lvm': did you mean 'llvm'?" in capsys.readouterr().err
    assert run("cache", "lss") == 2
    assert "did you mean 'ls'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "compile", "run", "explain", "cache", "doctor", "config"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"example: akg {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"akg {akg.__version__}\n"


# --- compile, explain, run ---------------------------------------------------------------------------------


def test_compile_reports_everything_the_file_offers(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", program) == 0
    text = capsys.readouterr().out
    assert re.search(r"^kernel +build +cache +threads +legality$", text, re.MULTILINE)
    for name in ("scan", "low", "doubled"):
        assert re.search(rf"^{name} .* yes \(\d+ dependences kept\)$", text, re.MULTILINE), text
    assert "row_sum(x: float32[40, 30]) -> y: float32[40]" in text


@pytest.mark.parametrize(
    ("kind", "shows"),
    [("definition", "kernel scan"), ("loop", "kernel scan"), ("schedule", "domain:"), ("llvm", "define i32 @scan"),
     ("asm", "scan:"), ("c", "scan(")],
)  # fmt: skip
def test_emit(kind: str, shows: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", f"{program}:scan", "--emit", kind) == 0
    assert shows in capsys.readouterr().out


def test_output_file(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "scan.c"
    assert run("compile", f"{program}:scan", "--emit", "c", "-o", str(target)) == 0
    assert "int32_t scan(" in target.read_text()
    assert capsys.readouterr().out == ""
    assert run("compile", program, "-o", str(tmp_path / "none" / "x")) == 2
    assert "AKG-E624: cannot write" in capsys.readouterr().err


def test_a_tensor_by_name_and_a_strategy(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", f"{program}:y", "--strategy", "isl") == 0
    text = capsys.readouterr().out
    assert "== y ==" in text
    assert "strategy  isl" in text


def test_explain_names_the_dependence(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", f"{program}:scan") == 0
    assert "sequential, carries" in capsys.readouterr().out


def test_run_times_and_compares(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", f"{program}:scan", "--size", "n=100") == 0
    text = capsys.readouterr().out
    assert "sizes  n = 100" in text
    assert "median" in text
    error = re.search(r"error  (\S+) of the largest element, beside the interpreter\n", text)
    assert error and float(error.group(1)) < 1e-14
    assert run("run", f"{program}:low") == 0
    assert "beside the interpreter" in capsys.readouterr().out


def test_large_sizes_are_compared_at_small_ones(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", f"{program}:scan", "--size", "n=2000000") == 0
    assert "beside the interpreter at n = 48" in capsys.readouterr().out


# --- mistakes: one message, no traceback, exit status 2 ----------------------------------------------------

MISTAKES = [
    (("compile", "{dir}/none.py"), "akg compile: AKG-E620: no file {dir}/none.py\n"
     "hint: give a Python file, or FILE.py:name\n"),
    (("compile", "{dir}"), "akg compile: AKG-E620: no file {dir}\nhint: give a Python file, or FILE.py:name\n"),
    (("run", "{file}:scam"), "akg run: AKG-E621: {file} has no 'scam'\nhint: did you mean 'scan'?\n"),
    (("run", "{file}:number"), "akg run: AKG-E621: number of {file} is a int\n"
     "because: a computation is an @akg.script function, a te tensor, or a result of akg.lower or akg.build\n"),
    (("run", "{file}:scan", "--size", "m=3"), "akg run: AKG-E520: scan has no size 'm'\n"
     "because: its signature is scan(A: float64[n]) -> None\nhint: known sizes: n\n"),
    (("run", "{file}:scan", "--size", "n"), "akg run: AKG-E520: --size n is not a size\nhint: write --size n=100\n"),
    (("compile", "{file}", "--target", "gpu"), "AKG-E401: unknown target 'gpu'"),
    (("compile", "{file}", "--strategy", "origina"), "hint: did you mean 'original'?\n"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "message"), MISTAKES)
def test_mistakes(argv: tuple[str, ...], message: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = {"file": program, "dir": str(Path(program).parent)}
    assert run(*[a.format(**places) for a in argv]) == 2
    text = capsys.readouterr().err
    expected = message.format(**places)
    assert text == expected if expected.startswith("akg ") else expected in text
    assert "Traceback" not in text
    assert "cli" not in text.replace(str(Path(program).parent), "")  # no place in our own code


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import akg\n1 / 0\n", "AKG-E620: {file} fails at line 2\nbecause: ZeroDivisionError: division by zero"),
        ("def f(:\n", "AKG-E620: {file} fails at line 1\nbecause: SyntaxError"),
        ("x = 3\n", "AKG-E622: {file} has nothing to compile"),
        ("def kernels():\n    return 3\n", "AKG-E622: kernels() of {file} returns a int"),
    ],
)
def test_files_that_do_not_do(source: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    assert run("compile", str(path)) == 2
    assert f"akg compile: {message.format(file=path)}" in capsys.readouterr().err


def test_a_mistake_in_the_file_shows_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.py"
    path.write_text('import akg\n\n@akg.script\ndef f(A: akg.Tensor["n", "float64"]):\n    while True:\n        pass\n')
    assert run("compile", str(path)) == 2
    text = capsys.readouterr().err
    assert text.startswith("akg compile: AKG-E221: ")
    assert f"  --> {path}:5\n" in text
    assert "    while True:" in text


def test_a_built_kernel_takes_no_strategy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "built.py"
    path.write_text(PROGRAM + "\nready = akg.build(low)\n")
    assert run("compile", f"{path}:ready") == 0
    capsys.readouterr()
    assert run("compile", f"{path}:ready", "--strategy", "isl") == 2
    assert "AKG-E623: ready is built already" in capsys.readouterr().err


# --- cache, config, doctor, demo ---------------------------------------------------------------------------


def test_cache_commands(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with akg.config.override(cache_dir=tmp_path / "cache"):
        assert run("cache", "path") == 0
        assert capsys.readouterr().out == f"{tmp_path / 'cache'}\n"
        assert run("cache", "ls") == 0
        assert "0 kernels" in capsys.readouterr().out
        assert run("compile", f"{program}:low", "--strategy", "original") == 0
        assert run("cache", "ls") == 0
        assert "1 kernels" in capsys.readouterr().out
        assert run("cache", "verify") == 0
        assert "1 kernels, 0 damaged" in capsys.readouterr().out
        next((tmp_path / "cache").rglob("code.o")).write_bytes(b"nonsense")
        assert run("cache", "verify") == 1
        assert "code.o has changed" in capsys.readouterr().out
        assert run("cache", "clear") == 0
        assert "1 kernels removed" in capsys.readouterr().out


def test_config_lists_values_and_origins(capsys: pytest.CaptureFixture[str]) -> None:
    with akg.config.override(num_threads=3):
        assert run("config") == 0
    text = capsys.readouterr().out
    assert re.search(r"^num_threads +3 +context +AKG_NUM_THREADS ", text, re.MULTILINE)
    assert re.search(r"^strategy +auto +default +AKG_STRATEGY ", text, re.MULTILINE)


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    text = capsys.readouterr().out
    for what in ("python", "numpy", "islpy", "llvmlite", "cpu", "openmp", "cache", "gcc", "self-test"):
        assert re.search(rf"^(ok|note) +{what} ", text, re.MULTILINE), text
    assert text.endswith("akg is ready\n")


def test_doctor_says_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("islpy", "scipy"):
            raise doctor.metadata.PackageNotFoundError(name)
        return "1"

    def broken() -> None:
        raise OSError("no such library\nand more")

    monkeypatch.setattr(doctor.metadata, "version", version)
    monkeypatch.setattr(doctor, "_self_test", broken)
    assert run("doctor") == 1
    text = capsys.readouterr().out
    assert "MISSING islpy       not installed\n                    -> pip install islpy" in text
    assert "note    scipy" in text
    assert "MISSING broken      OSError: no such library\n" in text
    assert "missing: islpy, broken" in text


def test_doctor_on_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with akg.config.override(cache_dir=tmp_path / "file" / "cache"):
        found = {f.what: f for f in doctor.examine()}
    assert found["cache"].state == "note"
    assert "AKG_CACHE_DIR" in found["cache"].remedy


def test_doctor_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = doctor.openmp.OpenMP("", "serial", {}, None)
    monkeypatch.setattr(doctor.openmp, "find", lambda: serial)
    finding = doctor._openmp()
    assert (finding.state, finding.what) == ("note", "openmp")
    assert "pip install akg[openmp]" in finding.remedy


@pytest.mark.slow
def test_demo_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = shell("demo", "--quick", AKG_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress line where nobody looks
    for number, title in enumerate(("attention scores", "convolution", "LU script"), 1):
        assert re.search(rf"^{number}  {title}: ", done.stdout, re.MULTILINE)
    assert done.stdout.count("x NumPy's speed") == 3
    assert done.stdout.count("legality  yes") == 3
    assert "WRONG" not in done.stdout


def test_a_bad_variable_is_one_message() -> None:
    done = shell("config", AKG_NUM_THREADS="x")
    assert done.returncode == 2
    assert "AKG-E110" in done.stderr and "Traceback" not in done.stderr


# --- text --------------------------------------------------------------------------------------------------


def test_table_aligns() -> None:
    text = table([["a", "1.5", "x"], ["long", "10", ""]], ("name", "ms", "note"))
    assert text == "name   ms  note\na     1.5  x\nlong   10"
    assert table([]) == ""


def test_durations_and_phases() -> None:
    assert [duration(us) for us in (0.25, 12.0, 4500.0, 2.5e6)] == ["0.25 us", "12 us", "4.5 ms", "2.5 s"]
    assert phases([("a", 2.0, ""), ("b", 0.25, ""), ("c", 0.25, "")], 1.0) == "2.5 ms: a 2.0, rest 0.5"


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2) as progress:
        progress.show("one")
        progress.step()
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(2) as progress:
        progress.step()
        progress.show("two")
    assert "[##########..........] two" in capsys.readouterr().err


# --- graphs ------------------------------------------------------------------------------------------------


def onnx_model(folder: Path) -> str:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = h.make_tensor("w", kind, (8, 4), [k / 32 for k in range(32)])
    nodes = [h.make_node("MatMul", ["x", "w"], ["s"]), h.make_node("Relu", ["s"], ["y"])]
    graph = h.make_graph(nodes, "layer", [h.make_tensor_value_info("x", kind, ("n", 8))],
                         [h.make_tensor_value_info("y", kind, None)], [weights])  # fmt: skip
    path = folder / "layer.onnx"
    path.write_bytes(h.make_model(graph).SerializeToString())
    return str(path)


DOCUMENT = """{"composite": true, "op": "Fused_1", "process": "cpu", "platform": "AKG", "input_desc": [[{"data_type":
"float32", "shape": [32, 16], "tensor_name": "x", "format": "DefaultFormat"}]], "output_desc": [{"data_type": "float32",
"shape": [32, 16], "tensor_name": "y", "format": "DefaultFormat"}], "op_desc": [{"name": "Exp", "attr": null,
"input_desc": [[{"data_type": "float32", "shape": [32, 16], "tensor_name": "x", "name": "input_0", "format":
"DefaultFormat"}]], "output_desc": [{"data_type": "float32", "shape": [32, 16], "tensor_name": "y", "name": "output_0",
"format": "DefaultFormat"}]}]}"""


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "graph.json"
    path.write_text(DOCUMENT)
    return str(path)


def test_run_of_graphs(tmp_path: Path, document: str, capsys: pytest.CaptureFixture[str]) -> None:
    for place, sizes in ((onnx_model(tmp_path), ["--size", "n=12"]), (document, [])):
        assert run("run", place, *sizes, "--explain") == 0
        text = capsys.readouterr().out
        assert "1 kernels" in text and "time" in text
        error = re.search(r"error  (\S+) of the largest", text)
        assert error is not None and float(error[1]) < 1e-5


def test_compile_of_graphs(tmp_path: Path, document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", document, "--explain", "--save", str(tmp_path / "out"), "--dump", str(tmp_path / "dump")) == 0
    text = capsys.readouterr().out
    assert "Fused_1: 1 operators, 1 kernels" in text and "kernel 0" in text
    assert list((tmp_path / "out").glob("*.o"))
    assert list((tmp_path / "dump").iterdir())
    assert run("compile", onnx_model(tmp_path), "--emit", "c") == 0
    assert "for (" in capsys.readouterr().out


def test_explain_of_graphs(document: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", document) == 0
    assert "exp" in capsys.readouterr().out
    assert run("explain", document, "--html", str(tmp_path / "page.html")) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!")


def test_bad_graphs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text("{")
    for name, code in (("missing.json", "AKG-E620"), ("bad.json", "AKG-E710"), ("missing.onnx", "AKG-E722")):
        assert run("run", str(tmp_path / name)) == 2
        assert code in capsys.readouterr().err
