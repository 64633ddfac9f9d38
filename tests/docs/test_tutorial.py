"""The tutorial runs, block by block."""

import pytest

from tests.docs.pages import blocks, run_page


@pytest.mark.parametrize("page", ["tutorial.md", "extending.md", "explain.md"])
def test_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(blocks(page)) >= 3
    run_page(page)


def test_tutorial_shows_what_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    scope = run_page("tutorial.md")
    text = capsys.readouterr().out
    assert "AKG-E505" in text
    assert "AKG-E301: unknown strategy 'isk'" in text
    assert "legal: yes" in text
    assert "parallel" in scope["softmax"].explain()
