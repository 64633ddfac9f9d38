"""The page on gradients runs, block by block."""

import pytest

from tests.docs.pages import blocks, run_page


def test_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(blocks("differentiate.md")) >= 7
    run_page("differentiate.md")
    assert "kernel taps_grad" in capsys.readouterr().out
