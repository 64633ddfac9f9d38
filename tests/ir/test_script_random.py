"""Random scripts: what Python computes is what the lowered kernel computes."""

import linecache
import random

import numpy as np
import pytest

from akg.ir.interp import interpret
from akg.ir.script import Script, Tensor
from akg.ir.verify import verify

N = 5  # extent of every dimension
SCRIPTS = 80


class Writer:
    """Writes a random function: nests, branches on indices and data, scalars of every lifetime."""

    def __init__(self, seed: int, extent: int = N) -> None:
        self.rng = random.Random(seed)
        self.extent = extent
        self.lines: list[str] = []
        self.loops: list[str] = []
        self.fresh = 0

    def index(self) -> str:
        c = self.rng.randint(0, 4)
        if not self.loops:
            return str(c)
        a, b = self.rng.choice(self.loops), self.rng.choice(self.loops)
        n = self.extent
        return self.rng.choice(
            [a, f"({a} + {c}) % {n}", f"({a} + 2*{b}) % {n}", f"({b} - {a}) // 3 % {n}", "-1", str(c)])  # fmt: skip

    def term(self, names: list[str]) -> str:
        pick = self.rng.randint(0, 5)
        if pick == 0 and self.loops:
            return f"({self.rng.choice(self.loops)} + 1)"
        if pick <= 2 and names:
            return self.rng.choice(names)
        return self.rng.choice(
            [f"A[{self.index()}, {self.index()}]", f"B[{self.index()}]", "0.25", "-0.5"])  # fmt: skip

    def value(self, names: list[str]) -> str:
        a, b = self.term(names), self.term(names)
        form = self.rng.choice(["{} * 0.5", "{} + {}", "{} - {}", "max({}, {})", "({} if {} > 0.1 else 0.75)"])
        return form.format(a, b)

    def condition(self, names: list[str]) -> str:
        affine = f"{self.rng.choice(self.loops)} {self.rng.choice(['<', '>=', '!='])} {self.rng.randint(0, 4)}" \
            if self.loops else "1 < 2"  # fmt: skip
        data = f"{self.term(names)} {self.rng.choice(['<', '>'])} {self.term(names)}"
        return self.rng.choice([affine, data, f"{affine} and {data}", f"not {affine} or {data}"])

    def loop(self, depth: int) -> str:
        name = f"i{len(self.loops)}"
        n = self.extent
        low, high, step = self.rng.randint(0, 2), self.rng.randint(n - 2, n), self.rng.choice([1, 1, 2, 3])
        bounds = self.rng.choice([f"{high}", f"{low}, {high}", f"{low}, {high}, {step}", f"{high - 1}, {low}, -{step}"])
        if self.loops and self.rng.random() < 0.4:
            outer = self.rng.choice(self.loops)
            near = f"{outer} // 2, min({n}, {outer} + 2)"
            bounds = self.rng.choice([outer, f"{outer}, {n}", near, f"{outer}, -1, -1"])
        return f"for {name} in range({bounds}):"

    def block(self, depth: int, names: list[str]) -> None:
        """A few statements; `names` are assigned on every way here."""
        names = list(names)
        for _ in range(self.rng.randint(1, 3)):
            self.statement(depth, names)

    def emit(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def statement(self, depth: int, names: list[str]) -> None:
        kind = self.rng.randint(0, 9)
        if kind <= 2 and len(self.loops) < 3:
            self.emit(depth, self.loop(depth))
            self.loops.append(f"i{len(self.loops)}")
            self.block(depth + 1, names)
            self.loops.pop()
        elif kind <= 4 and depth < 5:
            self.emit(depth, f"if {self.condition(names)}:")
            self.block(depth + 1, names)
            if self.rng.random() < 0.5:
                self.emit(depth, "else:")
                self.block(depth + 1, names)
        elif kind <= 6:
            name = self.rng.choice(["s", "t", "u", "v"])
            form = self.rng.choice(["{} = {}", "{} += {}"]) if name in names else "{} = {}"
            self.emit(depth, form.format(name, self.value(names)))
            if name not in names:
                names.append(name)
        else:
            target = self.rng.choice([f"A[{self.index()}, {self.index()}]", f"B[{self.index()}]"])
            self.emit(depth, f"{target} {self.rng.choice(['=', '+=', '-='])} {self.value(names)}")

    def function(self) -> str:
        self.emit(1, "s = 0.0")
        self.emit(1, "k = len(B) - 1")
        for _ in range(4):
            self.statement(1, ["s"])
        self.emit(1, "B[k] += s")
        return "def program(A, B):\n" + "\n".join(self.lines) + "\n"


def define(source: str, name: str):
    """The function of a source text that linecache knows, as a notebook's cell is."""
    filename = f"<cell {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    scope: dict[str, object] = {"Tensor": Tensor}
    exec(compile(source, filename, "exec"), scope)
    return scope["program"]


@pytest.mark.parametrize("seed", range(0, SCRIPTS, 20))
def test_random_scripts(seed):
    for one in range(seed, seed + 20):
        source = Writer(one).function().replace(
            "(A, B)", f'(A: Tensor[{N}, {N}, "float64"], B: Tensor[{N}, "float64"])'
        )
        program = Script(define(source, str(one)))
        rng = np.random.default_rng(one)
        a, b = rng.standard_normal((N, N)), rng.standard_normal(N)
        c, d = a.copy(), b.copy()
        kernel = program.lower()
        verify(kernel)
        interpret(kernel, a, b, check_uninitialised=True)
        with np.errstate(all="ignore"):
            program(c, d)
        np.testing.assert_array_equal(a, c, err_msg=source)
        np.testing.assert_array_equal(b, d, err_msg=source)
