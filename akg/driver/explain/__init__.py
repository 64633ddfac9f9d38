"""Explanations: every loop's verdict, what forbids more, the smallest change that would allow it; text and page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from akg.driver import pipeline
from akg.driver.explain.advice import BUDGET_S, Advice, Change, advise
from akg.driver.explain.costs import costs_of
from akg.driver.explain.page import Facts, page
from akg.driver.pipeline import Compilation
from akg.poly.explain import Body, Loop, loops_of, loops_text
from akg.runtime.explanation import Explanation

__all__ = ["BUDGET_S", "Advice", "Change", "Facts", "explanation"]


class _Contents:
    """What text and page share, made once."""

    def __init__(self, make: Callable[[], Compilation], budget_s: float, facts: Facts) -> None:
        self._make, self._budget_s, self._facts = make, budget_s, facts

    @cached_property
    def state(self) -> Compilation:
        return self._make()

    @cached_property
    def entries(self) -> Sequence[Loop | Body]:
        with pipeline.LOCK:
            return loops_of(self.state.scop, self.state.tree, self.state.dependences)

    @property
    def loops(self) -> list[Loop]:
        return [e for e in self.entries if isinstance(e, Loop)]

    @cached_property
    def advice(self) -> Advice:
        with pipeline.LOCK:
            return advise(self.state, self.loops, self._budget_s)

    def text(self) -> str:
        advice = {loop.number: self.advice.of(loop) for loop in self.loops}
        lines = [loops_text(self.state.scop.kernel.name, self.entries, advice)]
        notes = self.state.decisions.lines
        if notes:
            lines.append("decisions:\n" + "\n".join(f"  {line}" for line in notes))
        if self.costs:
            lines.append("costs:\n" + "\n".join(f"  {line}" for line in self.costs))
        return "\n".join(lines)

    @cached_property
    def costs(self) -> list[str]:
        with pipeline.LOCK:
            return costs_of(self.state)

    def page(self) -> str:
        with pipeline.LOCK:
            return page(self.state, self.loops, self.advice, self._facts, self.costs)


def explanation(make: Callable[[], Compilation], budget_s: float = BUDGET_S, facts: Facts | None = None) -> Explanation:
    """The explanation of a compilation that is scheduled, and mapped if loops of the machine are to be explained.

    Args:
        make: gives the compilation, when it is first needed.
        budget_s: seconds of computing for the search of changes; 0 for none.
        facts: what else the page tells.
    """
    contents = _Contents(make, budget_s, facts or Facts())
    return Explanation(contents.text, contents.page, lambda: contents.loops)
