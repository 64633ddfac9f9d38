"""What passes decided: a line for each decision, and its figures, which are worked out when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Figures = Callable[[], str]


@dataclass
class Decisions:
    """What was chosen, for `explain`.

    Attributes:
        lines: a decision each.
        figures: by what they are about, what the choice costs and what the next best one would; made when called.
    """

    lines: list[str] = field(default_factory=list[str])
    figures: dict[str, Figures] = field(default_factory=dict[str, Figures])

    def note(self, text: str) -> None:
        """Add a line unless it is there."""
        if text not in self.lines:
            self.lines.append(text)

    def weigh(self, subject: str, figures: Figures) -> None:
        """Keep how the figures behind a decision are made, in place of earlier ones about the same."""
        self.figures[subject] = figures

    def copy(self) -> Decisions:
        """The same, to go on from."""
        return Decisions(list(self.lines), dict(self.figures))

    def costs(self) -> list[str]:
        """The figures, a line for each subject."""
        return [f"{subject}: {figures()}" for subject, figures in self.figures.items()]
