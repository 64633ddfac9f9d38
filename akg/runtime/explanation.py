"""What `explain` returns: a text that prints, and a page for browsers and notebooks."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from akg.base.errors import AkgError, user_facing


class Explanation:
    """Why a kernel looks as it does. It prints as text; in a notebook it shows the page of `to_html`.

    Text and page are made when they are first asked for.
    """

    def __init__(
        self,
        text: Callable[[], str],
        page: Callable[[], str] | None = None,
        loops: Callable[[], Sequence[Any]] | None = None,
    ) -> None:
        """Wrap what makes the text, the page (None: the text in a page) and the loops with their verdicts."""
        self._text, self._page, self._loops = text, page, loops

    @cached_property
    def text(self) -> str:
        """The explanation in words."""
        return self._text()

    @cached_property
    def loops(self) -> Sequence[Any]:
        """The loops with `title`, `verdict`, `why` and `witnesses`, in the order of the schedule."""
        return () if self._loops is None else self._loops()

    @cached_property
    def page(self) -> str:
        """The HTML page; it needs no network and no other file."""
        if self._page is not None:
            return self._page()
        return f"<!doctype html><meta charset='utf-8'><title>akg</title><pre>{html.escape(self.text)}</pre>"

    @user_facing
    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The page as text, written to a file if `path` is given.

        Raises:
            AkgError: AKG-E624 if the file cannot be written.
        """
        if path is not None:
            try:
                Path(path).write_text(self.page, encoding="utf-8")
            except OSError as error:
                raise AkgError("AKG-E624", f"cannot write {path}", because=error.strerror or str(error)) from None
        return self.page

    def beside(self, before: str, after: Callable[[str], str]) -> Explanation:
        """The same with text before it, and after it what `after` makes of its text; the page stays."""
        return Explanation(
            lambda: "\n\n".join(part for part in (before, self.text, after(self.text)) if part), self._page, self._loops
        )

    def _repr_html_(self) -> str:
        # a frame of its own keeps the page's styles and scripts apart from the notebook's
        source = html.escape(self.page, quote=True)
        return f'<iframe srcdoc="{source}" style="width:100%;height:46rem;border:0" title="akg explain"></iframe>'

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def __contains__(self, part: str) -> bool:
        return part in self.text
