"""`akg.build` and `akg.lower`: from a computation to a kernel, by stages that print and explain themselves.

    low = akg.lower([D], inputs=[A, B])     # Lowered: loop IR
    sch = low.schedule("isl")               # Scheduled: schedule tree
    kernel = sch.compile("cpu")             # Kernel

`build` does the same, and answers from memory or from the disk where it can.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import TypeAlias
from weakref import WeakValueDictionary

from akg.base.collection import uncollected
from akg.base.config import config
from akg.base.errors import AkgError, user_facing
from akg.base.target import Target, resolve_target
from akg.base.trace import Recorder, is_dumped, phase
from akg.driver import bind, pipeline, store
from akg.driver.assemble import Code, assemble, compile_kernel, compile_loops, run_map
from akg.driver.crash import reported
from akg.driver.explain import BUDGET_S, Facts, explanation
from akg.driver.pipeline import Compilation
from akg.ir import stmt, te
from akg.ir.expr import Var
from akg.ir.lower import lower_te
from akg.ir.script import Script
from akg.ir.text import to_text
from akg.poly.legality import Legality, prove
from akg.poly.strategy import Strategy, StrategyLike, resolve_strategy
from akg.poly.tree import Domain, tree_text
from akg.runtime.buffer import View
from akg.runtime.explanation import Explanation
from akg.runtime.kernel import Kernel

Computation: TypeAlias = "te.Tensor | Sequence[te.Tensor] | Script | stmt.Kernel | Lowered"
memory: WeakValueDictionary[str, Kernel] = WeakValueDictionary()


class Lowered:
    """A computation as loop IR, in the order of its definition."""

    def __init__(self, make: Callable[[bool], stmt.Kernel]) -> None:
        """Keep what makes the kernel, as it was written or (True) with fewer dimensions, see `akg.ir.collapse`."""
        self._make = lru_cache(maxsize=2)(make)

    @property
    def kernel(self) -> stmt.Kernel:
        """The kernel as it was written."""
        return self._make(False)

    def kernel_for(self, strategy: Strategy) -> stmt.Kernel:
        """The kernel that a strategy schedules: of fewer dimensions, unless the strategy may speak of them."""
        return self._make(strategy.leaves_all_open)

    @property
    def text(self) -> str:
        """The loop IR."""
        return to_text(self.kernel)

    @user_facing
    def schedule(self, strategy: StrategyLike = None, target: str | Target | None = None) -> Scheduled:
        """Find an order by a strategy (a name, a path to JSON, a dict; None: the option `strategy`).

        Raises:
            AkgError: AKG-E301, AKG-E302 for a bad strategy, AKG-E260, AKG-E261 for a bad access.
        """
        recorder = Recorder()
        with recorder:
            chosen, machine = resolve_strategy(strategy, config.strategy), resolve_target(target)
            kernel = self.kernel_for(chosen)
            with pipeline.LOCK, reported(kernel, chosen, machine):
                state = _compiled(kernel, chosen, machine)
        return Scheduled(state, recorder)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


class Scheduled:
    """A schedule: which instance runs when. Still free of the machine."""

    def __init__(self, state: Compilation, recorder: Recorder) -> None:
        self.state, self.recorder = state, recorder

    @property
    def tree(self) -> Domain:
        """The schedule tree."""
        return self.state.schedule or self.state.scop.tree

    @property
    def text(self) -> str:
        """The schedule tree, indented."""
        return tree_text(self.tree)

    @property
    def legality(self) -> Legality:
        """Whether the order is legal: yes, no with a witness pair, or unknown."""
        with pipeline.LOCK:
            return prove(self.state.scop, self.tree)

    def explain(self, budget_s: float = BUDGET_S) -> Explanation:
        """For each loop: parallel or not, which dependence forbids it, and the smallest change that would allow it.

        Args:
            budget_s: seconds that the search for changes of the strategy may take; 0 for no search.
        """
        kernel = self.state.kernel
        facts = Facts(
            badges={"strategy": self.state.strategy.name, "schedule for": self.state.target.name},
            passes=[(e.name, e.ms) for e in self.recorder.events if e.depth == 0],
            sources={"definition": lambda: to_text(kernel)},
        )
        return explanation(lambda: self.state, budget_s, facts)

    @user_facing
    def compile(self, target: str | Target | None = None) -> Kernel:
        """Machine code for a target; None: the target that it was scheduled with.

        Raises:
            AkgError: AKG-E401 for an unknown target.
        """
        state = replace(self.state, decisions=self.state.decisions.copy())
        if target is not None:
            state.target = resolve_target(target)
        recorder = Recorder()
        recorder.events.extend(self.recorder.events)
        with recorder, pipeline.LOCK, reported(state.kernel, state.strategy, state.target):
            code = compile_kernel(state)
            own = binder(state.kernel, state.strategy, state.target)
            return assemble(code, state.kernel, state.strategy, state.target, recorder, "off", lambda: state, own)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.explain()._repr_html_()


@user_facing
def lower(
    computation: Computation, inputs: Sequence[te.Tensor | Var] | None = None, name: str | None = None
) -> Lowered:
    """The loop IR of a computation.

    Args:
        computation: output tensors of a definition, a script, or loop IR.
        inputs: for a definition, its placeholders and scalars in calling order; None: in order of first use.
        name: of the kernel.

    Raises:
        AkgError: AKG-E2xx for a mistake in the definition, AKG-E201 for something that is no computation.
    """
    lowered = _lowered(computation, inputs, name)
    assert lowered.kernel  # mistakes in the definition show here
    return lowered


@user_facing
def build(
    computation: Computation,
    inputs: Sequence[te.Tensor | Var] | None = None,
    target: str | Target | None = None,
    strategy: StrategyLike = None,
    name: str | None = None,
) -> Kernel:
    """Compile a computation.

    Args:
        computation: output tensors of a definition, a script, loop IR, or what `lower` returned.
        inputs: for a definition, its placeholders and scalars in calling order; None: in order of first use.
        target: a name or description; None: the option `target`.
        strategy: a name, a path to a JSON file, a dict; None: the option `strategy`.
        name: of the kernel, an identifier; one that C or its library has is changed in object code only.

    Returns:
        A `Kernel`: call it with arrays.

    Raises:
        AkgError: for any mistake in what was given; see the codes in `docs/errors.md`.
    """
    recorder = Recorder()
    with recorder, pipeline.LOCK, uncollected():
        chosen = resolve_strategy(strategy, config.strategy)
        with phase("lower"):
            kernel = _lowered(computation, inputs, name).kernel_for(chosen)
        machine = resolve_target(target)
        with reported(kernel, chosen, machine):
            return _built(kernel, chosen, machine, recorder)


def _built(kernel: stmt.Kernel, strategy: Strategy, target: Target, recorder: Recorder) -> Kernel:
    """The kernel from memory, from the disk or anew."""
    with phase("key"):
        key = store.key(kernel, strategy, target)
    found = None if is_dumped(kernel.name) else memory.get(key)
    if found is not None:
        return found
    code, state = _code(key, kernel, strategy, target)
    cache = "off" if config.cache == "off" else "miss" if state else "hit"
    built = assemble(
        code, kernel, strategy, target, recorder, cache, lambda: state or mapped(kernel, strategy, target),
        binder(kernel, strategy, target),
    )  # fmt: skip
    memory[key] = built
    return built


def _code(
    key: str, kernel: stmt.Kernel, strategy: Strategy, target: Target
) -> tuple[Code, Compilation | None]:
    """The code from the disk, or anew with the compilation that made it."""
    code = None if is_dumped(kernel.name) else store.load(key)
    if code is not None:
        return code, None
    state = _compiled(kernel, strategy, target)
    code = compile_kernel(state)
    store.save(key, code)
    return code, state


def binder(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Callable[[Mapping[str, View]], Kernel]:
    """What makes a kernel with constant inputs of a kernel's definition."""
    return lambda views: _bound(kernel, strategy, target, views)


def _bound(kernel: stmt.Kernel, strategy: Strategy, target: Target, views: Mapping[str, View]) -> Kernel:
    """The kernel with some inputs constant, packed as its loops want them where these want it."""
    recorder = Recorder()
    with recorder, pipeline.LOCK, reported(kernel, strategy, target):
        marks: dict[str, stmt.Constant] = dict.fromkeys(views, "free")
        marked = bind.with_constants(kernel, marks)
        code, state = store.load(store.key(marked, strategy, target)), None
        if code is None:
            state = mapped(marked, strategy, target)
            packed = {panels.source.name for panels in state.prepack.made}
            if any(name not in packed for name in marks):  # a layout that was counted on, and is not made
                marks.update({name: "fixed" for name in marks if name not in packed})
                marked, state = bind.with_constants(kernel, marks), None
            key = store.key(marked, strategy, target)
            if state is None:
                code, state = _code(key, marked, strategy, target)
            else:
                code = compile_kernel(state)
                store.save(key, code)
        with phase("pack"):
            arrays = bind.materialise(code.meta["constants"], views, lambda pack: compile_loops(pack, target))
        cache = "off" if config.cache == "off" else "miss" if state else "hit"
        again = state
        return assemble(
            code, marked, strategy, target, recorder, cache, lambda: again or mapped(marked, strategy, target),
            constants=arrays,
        )  # fmt: skip


def object_code(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> bytes:
    """The object file of a kernel, from the disk or anew; it defines ``symbol_of(kernel.name)``.

    Raises:
        AkgError: AKG-E411 where the target's backend emits no machine code.
    """
    with pipeline.LOCK, reported(kernel, strategy, target):
        code, _ = _code(store.key(kernel, strategy, target), kernel, strategy, target)
    if code.kind != "llvm":
        raise AkgError(
            "AKG-E411",
            f"kernel {kernel.name} has no object file",
            because=f"backend {target.backend!r} emits {code.kind!r}, which akg does not compile ahead of time",
            hint="choose a CPU as the target",
        )
    return code.object_code


def _compiled(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Compilation:
    state = pipeline.start(kernel, strategy, target)
    return pipeline.run(state, pipeline.SCHEDULE)


def mapped(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Compilation:
    """The passes again, for the texts of a kernel that came from the cache."""
    return run_map(_compiled(kernel, strategy, target))


def _lowered(computation: Computation, inputs: Sequence[te.Tensor | Var] | None, name: str | None) -> Lowered:
    is_text = isinstance(name, str)  # users pass anything
    if name is not None and not (is_text and name.isidentifier()):
        raise AkgError(
            "AKG-E107", f"{name!r} is not a name", because="names are identifiers", hint="as in name='softmax'"
        )
    if isinstance(computation, te.Tensor):
        computation = [computation]
    if isinstance(computation, (list, tuple)) and all(isinstance(t, te.Tensor) for t in computation):
        outputs = computation
        return Lowered(lambda merges: lower_te(outputs, inputs, name, fewer_dimensions=merges))
    if not isinstance(computation, (Lowered, stmt.Kernel, Script)):
        raise AkgError(
            "AKG-E201",
            f"cannot build {_described(computation)}",
            because="a computation is a te tensor, a list of te tensors, an @akg.script function or loop IR",
            hint=_advice(computation),
        )
    if inputs is not None:
        raise AkgError(
            "AKG-E248",
            f"inputs= with a {type(computation).__name__}",
            because="it says its arguments itself; inputs= is for te tensors",
            hint="leave inputs= away",
        )
    if isinstance(computation, Lowered):
        return computation
    kernel = computation if isinstance(computation, stmt.Kernel) else computation.lower()
    kernel = replace(kernel, name=name) if name and isinstance(computation, Script) else kernel
    return Lowered(lambda _: kernel)


def _described(value: object) -> str:
    if isinstance(value, (list, tuple)):
        kinds = sorted({type(item).__name__ for item in value if not isinstance(item, te.Tensor)})
        return f"a {type(value).__name__} with {', '.join(kinds)} in it"
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _advice(value: object) -> str:
    if isinstance(value, Kernel):
        return "it is built already: call it"
    if isinstance(value, Scheduled):
        return "call its compile()"
    if isinstance(value, FunctionType):
        return "decorate the function with @akg.script"
    return "pass the output tensors, as in akg.build([C], inputs=[A, B])"
