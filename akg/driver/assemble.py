"""From a compilation to a callable kernel: emit, compile, link, and keep the texts within reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from akg.base.config import effective_threads
from akg.base.target import Target
from akg.base.trace import Recorder, phase
from akg.codegen.backend import Module, backends
from akg.codegen.c import emit_c
from akg.codegen.llvm import backend as _llvm  # noqa: F401  # pyright: ignore[reportUnusedImport]  # registers itself
from akg.driver import cost, pipeline
from akg.driver.pipeline import Compilation
from akg.ir import stmt
from akg.ir.text import to_text
from akg.poly.explain import explain
from akg.poly.strategy import Strategy
from akg.poly.tree import tree_text
from akg.runtime import jit
from akg.runtime.kernel import Kernel, is_threaded, link
from akg.runtime.report import Report
from akg.runtime.signature import Signature, packed_ir


@dataclass(frozen=True, slots=True)
class Code:
    """What a build keeps: machine code and the facts of its report."""

    object_code: bytes
    backend: str
    legality: str
    notes: list[str] = field(default_factory=list[str])
    flops: int | None = None
    bytes: int | None = None


def compile_kernel(state: Compilation) -> Code:
    """Map, emit and compile a scheduled compilation."""
    pipeline.run(state, pipeline.MAP)
    with phase("emit"):
        module = emit(state)
    with phase("compile"):
        object_code = jit.compile_llvm(_linkable(module, state.kernel), state.target, module.meta.get("passes", ()))
    legality = state.legality.text if state.legality is not None else ""
    return Code(
        object_code, state.target.backend, legality, list(state.decisions.lines),
        cost.flops(state.scop), cost.bytes_moved(state.kernel),
    )  # fmt: skip


def emit(state: Compilation) -> Module:
    """The backend's module of a mapped compilation."""
    assert state.result is not None
    return backends.get(state.target.backend).emit(state.result, state.target)


def _linkable(module: Module, kernel: stmt.Kernel) -> str:
    return module.text + "\n" + packed_ir(Signature.of(kernel))


def assemble(
    code: Code,
    kernel: stmt.Kernel,
    strategy: Strategy,
    target: Target,
    recorder: Recorder,
    cache: str,
    state: Callable[[], Compilation],
) -> Kernel:
    """Link code into a kernel whose texts are made when asked for."""
    signature = Signature.of(kernel)
    with recorder, phase("link"):
        loaded = link(signature, code.object_code)
    threaded = is_threaded(code.object_code)
    report = Report(
        passes=[(e.name, e.ms, e.note) for e in recorder.events if e.depth == 0],
        legality=code.legality,
        flops=code.flops,
        bytes=code.bytes,
        threads=effective_threads() if threaded else 1,
        cache=cache,
        strategy=strategy.name,
        target=target.name,
        compiler=jit.compiler_version(),
        notes=list(code.notes),
    )
    texts = _Texts(state)
    return Kernel(
        signature, loaded, report=report, sources=texts.table(), explain=texts.explain, threaded=threaded
    )


class _Texts:
    """The texts of a kernel, from a compilation that is made once, when the first text is asked for."""

    def __init__(self, make: Callable[[], Compilation]) -> None:
        self._make = make
        self._state: Compilation | None = None

    @property
    def state(self) -> Compilation:
        if self._state is None:
            self._state = self._make()
        return self._state

    def table(self) -> dict[str, Callable[[], str]]:
        return {
            "definition": lambda: to_text(self.state.kernel),
            "schedule": lambda: tree_text(self.state.tree),
            "loop": lambda: to_text(self._result),
            "llvm": lambda: emit(self.state).text,
            "asm": self._asm,
            "c": lambda: emit_c(self._result),
        }

    @property
    def _result(self) -> stmt.Kernel:
        assert self.state.result is not None
        return self.state.result

    def _asm(self) -> str:
        module = emit(self.state)
        return jit.compile_asm(_linkable(module, self.state.kernel), self.state.target, module.meta.get("passes", ()))

    def explain(self) -> str:
        state = self.state
        lines = [explain(state.scop, state.tree, state.dependences)]
        if state.decisions.lines:
            lines.append("decisions:\n" + "\n".join(f"  {line}" for line in state.decisions.lines))
        return "\n".join(lines)
