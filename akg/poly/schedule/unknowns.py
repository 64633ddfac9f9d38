"""The unknowns of one scheduling dimension: the columns of its integer problem.

    u_1 .. u_p, w        a bound u.N + w on the distance of every dependence
    extra variables      of cost functions and of the strategy
    per statement        coefficients of iterators, innermost first; of parameters; the constant

The order is that of preference: the solver minimises earlier columns first once the objectives are equal, so outer
iterators get their coefficients first, and (i, j, k) comes before (k, j, i).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from akg.poly.domain import Model
from akg.poly.plan import SchedulerOptions
from akg.poly.schedule.ilp.rows import Matrix


class Unknowns:
    """Columns by name, and each statement's row as a function of them.

    Args:
        model: the statements and parameters.
        names: the statements.
        leaders: statement -> the statement whose coefficients it shares.
        extra: names of further variables.
        options: which coefficients there are.

    Attributes:
        forms: statement -> [iterators + parameters + 1, count] matrix: the coefficients of its row.
    """

    def __init__(
        self, model: Model, names: Sequence[str], leaders: Mapping[str, str], extra: Sequence[str],
        options: SchedulerOptions,
    ) -> None:  # fmt: skip
        self.model, self.names, self.options = model, tuple(names), options
        self.params = len(model.params)
        self.columns: dict[str, int] = {}
        self._kinds: dict[str, list[int]] = {"iterators": [], "parameters": [], "constants": [], "negative": []}
        for k in range(self.params):
            self._add(f"u{k}")
        self._add("w")
        for name in extra:
            self._add(name)
        self.leaders = {n: leaders.get(n, n) for n in names}
        for name in dict.fromkeys(self.leaders.values()):
            self._add_statement(name)
        self.count = len(self.columns)
        forms = {name: self._form(name) for name in dict.fromkeys(self.leaders.values())}
        self.forms: dict[str, Matrix] = {n: forms[self.leaders[n]] for n in names}

    def _add(self, name: str, *kinds: str) -> None:
        for kind in kinds:
            self._kinds[kind].append(len(self.columns))
        self.columns[name] = len(self.columns)

    def depth(self, name: str) -> int:
        """The number of iterators of a statement."""
        return len(self.model.scop.statements[name].loops)

    def _add_statement(self, name: str) -> None:
        for k in reversed(range(self.depth(name))):
            if self.options.negative_coefficients:
                self._add(f"{name}_it_{k}-", "iterators", "negative")
            self._add(f"{name}_it_{k}", "iterators")
        if self.options.parameter_shifting:
            for k in range(self.params):
                self._add(f"{name}_par_{k}-", "parameters")
                self._add(f"{name}_par_{k}", "parameters")
        self._add(f"{name}_cst", "constants")

    def _form(self, name: str) -> Matrix:
        depth = self.depth(name)
        form = np.zeros((depth + self.params + 1, self.count), np.int64)
        parts = [(f"{name}_it_{k}", k) for k in range(depth)]
        parts += [(f"{name}_par_{k}", depth + k) for k in range(self.params)]
        for column, row in [*parts, (f"{name}_cst", -1)]:
            if column in self.columns:
                form[row, self.columns[column]] = 1
            if f"{column}-" in self.columns:
                form[row, self.columns[f"{column}-"]] = -1
        return form

    # --- vectors and rows ------------------------------------------------------------------------------

    def vector(self, terms: Mapping[str, int]) -> Matrix:
        """A linear form in named columns."""
        result = np.zeros(self.count, np.int64)
        for name, value in terms.items():
            result[self.columns[name]] += value
        return result

    def total(self, kind: str) -> Matrix:
        """The sum of the columns of a kind: "iterators", "parameters", "constants" or "negative"."""
        result = np.zeros(self.count, np.int64)
        result[self._kinds[kind]] = 1
        return result

    def at_most(self, kind: str, limit: int) -> Matrix:
        """The rows ``column <= limit`` of a kind."""
        columns = self._kinds[kind]
        rows = np.zeros((len(columns), self.count + 1), np.int64)
        rows[np.arange(len(columns)), columns] = -1
        rows[:, -1] = limit
        return rows

    def bound(self) -> Matrix:
        """``u.N + w`` over (constant, parameters) as functions of the columns."""
        result = np.zeros((1 + self.params, self.count), np.int64)
        result[0, self.columns["w"]] = 1
        for k in range(self.params):
            result[1 + k, self.columns[f"u{k}"]] = 1
        return result

    def rows_of(self, point: Sequence[int]) -> dict[str, Matrix]:
        """The row of every statement at a solution, over (iterators, parameters, constant)."""
        x = np.array(point, dtype=np.int64)
        return {name: form @ x for name, form in self.forms.items()}

