"""Every mistake in a script gives one error, with its place, its reason and a hint."""
# ruff: noqa: F821  (shapes and dtypes are strings inside annotations)


import pytest

from akg.base.errors import AkgError
from akg.ir.script import In, Out, Script, Tensor, script
from tests.ir.script_mistakes import names, order  # noqa: F401  (they fill CASES)
from tests.ir.script_mistakes.base import CASES


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    function, expected = CASES[name]
    with pytest.raises(AkgError) as caught:
        Script(function).lower()
    lines = str(caught.value).splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("  --> "))
    assert lines[place].startswith(f"  --> {function.__code__.co_filename}:")
    margin = lines[place + 2].index("|") + 2
    source = lines[place + 2][margin:].split("  # noqa")[0]
    got = [*lines[:place], source, lines[place + 3][margin:], *lines[place + 4 :]]
    assert "\n".join(got) == expected.strip("\n")


def test_line_numbers_are_those_of_the_file():
    function, _ = CASES["while_loop"]
    with pytest.raises(AkgError) as caught:
        Script(function).lower()
    assert caught.value.span.line == function.__code__.co_firstlineno + 9  # the decorator takes six lines


def test_errors_show_no_frame_of_the_package():
    with pytest.raises(AkgError) as caught:
        Script(CASES["while_loop"][0]).lower()
    trace = caught.value.__cause__
    assert trace is None and caught.value.__suppress_context__


def test_source_that_is_not_available():
    scope = {"Tensor": Tensor, "script": script}
    with pytest.raises(AkgError) as caught:
        exec("@script\ndef f(A: Tensor['n', 'float32']):\n    pass", scope)
    assert "AKG-E220: the source of 'f' is not available" in str(caught.value)
    assert "hint: define the function in a file or a notebook cell" in str(caught.value)


def test_not_a_function():
    with pytest.raises(AkgError, match="int cannot be a script"):
        script(3)
    with pytest.raises(AkgError, match="a script is one function made by `def`"):
        script(lambda A: A).lower()


def test_dimensions():
    with pytest.raises(AkgError, match=r"akg.Tensor\[...\] has a dimension 'n\*m'") as caught:
        Tensor["n*m", "float32"]
    assert caught.value.code == "AKG-E223" and "affine string" in caught.value.because
    with pytest.raises(AkgError, match=r"akg.In\[...\] has no dtype") as caught:
        In["n", 3]
    assert caught.value.hint == "write akg.In['n', 3, \"float32\"]"
    with pytest.raises(AkgError, match="unknown dtype 'flaot32'"):
        Out["n", "flaot32"]


def test_another_script_is_not_called():
    inner = Script(CASES["no_effect"][0])

    def outer(A: Tensor["n", "float64"]):
        inner(A)

    with pytest.raises(AkgError, match="`inner` is another script"):
        Script(outer).lower()
