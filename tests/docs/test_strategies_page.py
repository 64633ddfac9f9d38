"""The page on strategies runs, block by block."""

import pytest

from tests.docs.pages import blocks, run_page


def test_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(blocks("strategies.md")) >= 5
    run_page("strategies.md")
    assert "t * 2 + i" in capsys.readouterr().out
