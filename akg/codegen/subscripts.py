"""Subscripts that only the data decide: which to check at run time, and what a failed check means.

Everything else was proved to stay inside its array before code generation. A function whose check fails returns a
status; the table of a kernel tells what each status says.
"""

from __future__ import annotations

from collections.abc import Collection

from akg.base.dtype import index
from akg.ir.buffer import Buffer
from akg.ir.expr import Cast, Const, Expr, Load, Var
from akg.ir.rewrite import loads_of, variables_of, walk_expr
from akg.ir.text import to_text

OUT_OF_MEMORY = 1
FIRST_STATUS = 2  # of the checks; the table starts with it


def depends_on_data(expr: Expr, variables: Collection[Var] = ()) -> bool:
    """Whether an index expression reads an array or a scalar argument, or uses one of `variables`."""
    return bool(loads_of(expr)) or any(v.dtype is not index or v in variables for v in variables_of(expr))


def needs_check(expr: Expr, extent: Expr, variables: Collection[Var] = ()) -> bool:
    """Whether an index expression is to be checked against the extent of its dimension."""
    if isinstance(expr, (Const, Var)) and expr.dtype is index and expr not in variables:
        return False  # the usual subscript, first
    if not depends_on_data(expr, variables):
        return False
    source = expr.a if isinstance(expr, Cast) else expr
    return source.dtype.kind != "uint" or not isinstance(extent, Const) or int(extent) < 1 << source.dtype.bits


class Checks:
    """The run-time checks of one kernel, numbered as they are met.

    Attributes:
        table: what each status from `FIRST_STATUS` on says: "statement", "message" and "because".
    """

    def __init__(self) -> None:
        self.table: list[dict[str, str]] = []
        self._numbers: dict[tuple[str, Buffer, int, bool], int] = {}

    def status(self, statement: str, buffer: Buffer, indices: tuple[Expr, ...], position: int, is_write: bool) -> int:
        """What a kernel returns where the subscript at `position` of an access is out of range."""
        statement = statement.partition(".")[0]  # parts of one statement have its name and a suffix
        key = (statement, buffer, position, is_write)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = FIRST_STATUS + len(self.table)
            where = f"{statement} {'writes' if is_write else 'reads'} {buffer.name}"
            self.table.append({
                "statement": statement,
                "message": f"a subscript is out of range: {where} outside its shape",
                "because": _reason(buffer, indices[position], position),
            })  # fmt: skip
        return found


def _reason(buffer: Buffer, position: Expr, dimension: int) -> str:
    sources = sorted({n.buffer.name for n in walk_expr(position) if isinstance(n, Load)})
    sources = sources or sorted({n.name for n in walk_expr(position) if isinstance(n, Var) and n.dtype is not index})
    plain = position.a if isinstance(position, Cast) else position
    if not sources:
        what = "a loop with bounds from data gives a subscript that"
    elif isinstance(plain, Load):
        what = f"a value read from {sources[0]}"
    else:
        what = f"a subscript computed from {' and '.join(sources)}"
    extent = buffer.shape[dimension]
    last = str(int(extent) - 1) if isinstance(extent, Const) else to_text(extent) + "-1"
    return f"{what} lies outside 0..{last}, dimension {dimension} of {buffer.name}"
