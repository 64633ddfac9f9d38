"""From a compilation to a callable kernel: emit, compile, link, and keep the texts within reach."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from akg.base.config import effective_threads
from akg.base.errors import AkgError, InternalError, Span
from akg.base.symbols import symbol_of
from akg.base.target import Target, obstacle
from akg.base.trace import Recorder, phase
from akg.codegen.backend import Linked, Loader, Module, backends
from akg.codegen.c import emit_c
from akg.codegen.llvm import backend as _llvm  # noqa: F401  # pyright: ignore[reportUnusedImport]  # registers itself
from akg.driver import bind, cost, pipeline
from akg.driver import save as saving
from akg.driver.explain import BUDGET_S, Facts, explanation
from akg.driver.pipeline import Compilation
from akg.ir import stmt
from akg.ir.text import to_text
from akg.poly.strategy import Strategy
from akg.poly.tree import tree_text
from akg.runtime import jit
from akg.runtime.buffer import View
from akg.runtime.explanation import Explanation
from akg.runtime.failure import Failure
from akg.runtime.kernel import Kernel, is_threaded, link
from akg.runtime.report import Report
from akg.runtime.signature import Signature, packed_ir


@dataclass(frozen=True, slots=True)
class Code:
    """What a build keeps: machine code, or the text of a backend that loads its own, and the facts of its report."""

    object_code: bytes
    backend: str
    legality: str
    kind: str = "llvm"
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    notes: list[str] = field(default_factory=list[str])
    flops: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Emitted:
    """What a backend made of a compilation, with the text that LLVM compiles."""

    module: Module
    text: str
    target: Target


def compile_kernel(state: Compilation) -> Code:
    """Map, emit and compile a scheduled compilation; it may be mapped already."""
    module = emitted(state)
    with phase("compile"):
        code = machine_code(module)
    return code_of(state, module, code)


def emitted(state: Compilation) -> Emitted:
    """The code of a compilation, as the text of its backend."""
    if state.result is None:
        run_map(state)
    with phase("emit"):
        module = emit(state)
        text = _linkable(module, state) if module.kind == "llvm" else module.text
    return Emitted(module, text, state.target)


def machine_code(code: Emitted) -> bytes:
    """The object file, or the text of a backend that loads its own. Any thread may do this."""
    if code.module.kind != "llvm":
        return code.text.encode()
    return jit.compile_llvm(code.text, code.target, code.module.meta.get("passes", ()))


def code_of(state: Compilation, made: Emitted, code: bytes) -> Code:
    """What is kept of a compilation and its machine code."""
    module = made.module
    legality = state.legality.text if state.legality is not None else ""
    meta = {"failures": module.meta["failures"]} if module.kind == "llvm" else dict(module.meta)
    meta.update({"constants": constants} if (constants := bind.constants_of(state)) else {})
    notes = [*state.decisions.lines, *bind.notes_of(state), *module.meta.get("notes", ())]
    return Code(
        code, state.target.backend, legality, module.kind, meta, notes,
        cost.flops(state.scop), cost.bytes_moved(state.kernel),
    )  # fmt: skip


def run_map(state: Compilation) -> Compilation:
    """Fit a schedule to the machine, by the passes of the target's backend."""
    return pipeline.run(state, pipeline.passes_of(backends.get(state.target.backend)))


def emit(state: Compilation) -> Module:
    """The backend's module of a mapped compilation."""
    if state.result is None:
        raise InternalError(f"the passes of backend {state.target.backend!r} end without loop IR")
    named = replace(state.result, name=symbol_of(state.result.name))
    return backends.get(state.target.backend).emit(named, state.target)


def compile_loops(kernel: stmt.Kernel, target: Target) -> Kernel:
    """A kernel of loops that are mapped already, such as those that pack an operand; for this machine."""
    signature = Signature.of(kernel)
    module = backends.get(target.backend).emit(replace(kernel, name=signature.symbol), target)
    code = jit.compile_llvm(f"{module.text}\n{packed_ir(signature)}", target, module.meta.get("passes", ()))
    return Kernel(signature, link(signature, code), threaded=is_threaded(code))


def _linkable(module: Module, state: Compilation) -> str:
    assert state.result is not None
    return module.text + "\n" + packed_ir(Signature.of(state.kernel), state.result.params)


def assemble(
    code: Code,
    kernel: stmt.Kernel,
    strategy: Strategy,
    target: Target,
    recorder: Recorder,
    cache: str,
    state: Callable[[], Compilation],
    binder: Callable[[Mapping[str, View]], Kernel] | None = None,
    constants: Sequence[Any] = (),
) -> Kernel:
    """Link code into a kernel whose texts are made when asked for.

    Args:
        code: what was built.
        kernel: its definition.
        strategy: that it was scheduled with.
        target: that it is for.
        recorder: of the passes.
        cache: "hit", "miss" or "off".
        state: makes the compilation again, for texts.
        binder: binds inputs to it.
        constants: the arrays of inputs that are bound, in the order of the code's table.
    """
    signature = Signature.of(kernel)
    with phase("link"):
        loaded = _linked(signature, code, target, constants)
    threaded = code.kind == "llvm" and is_threaded(code.object_code)
    report = Report(
        passes=[(e.name, e.ms, e.note) for e in recorder.events if e.depth == 0],
        legality=code.legality,
        flops=code.flops,
        bytes=code.bytes,
        threads=effective_threads() if threaded else 1,
        cache=cache,
        strategy=strategy.name,
        target=target.name,
        compiler=jit.compiler_version() if code.kind == "llvm" else f"backend {code.backend}",
        notes=list(code.notes),
    )
    texts = _Texts(state, code.kind)
    can_bind = binder is not None and loaded is not None and code.kind == "llvm"
    return Kernel(
        signature, loaded, report=report, sources=texts.table(), threaded=threaded,
        explain=lambda: texts.explain(str(signature), report),
        refusal=obstacle(target) if loaded is None else "",
        save=None if constants else lambda *where: texts.save(kernel, report, *where),
        failures=Failure.of(code.meta.get("failures", ()), _spans(kernel)),
        bind=binder if can_bind else None, constants=constants,
        packed=[c["source"] for c in code.meta.get("constants", ()) if c["pack"]],
    )  # fmt: skip


def _spans(kernel: stmt.Kernel) -> dict[str, Span | None]:
    """The places of statements in the user's text, by name."""
    return {s.name: s.span for s in stmt.walk(kernel.body) if isinstance(s, stmt.Store)}


def _linked(signature: Signature, code: Code, target: Target, constants: Sequence[Any]) -> Linked | None:
    """The code in this process; None if this machine does not run it."""
    if code.kind == "llvm":
        return None if obstacle(target) else link(signature, code.object_code, constants)
    backend = backends.get(code.backend)
    if not isinstance(backend, Loader):
        raise AkgError(
            "AKG-E408",
            f"nothing loads what backend {code.backend!r} emits",
            because=f"it emits {code.kind!r}, and has no method load",
            hint="look at its code with akg.lower(...).schedule() and the backend's emit, or ask its author",
        )
    return backend.load(Module(code.object_code.decode(), code.kind, signature.symbol, target, dict(code.meta)))


class _Texts:
    """The texts of a kernel, from a compilation that is made once, when the first text is asked for."""

    def __init__(self, make: Callable[[], Compilation], kind: str) -> None:
        self._make, self._kind = make, kind
        self._state: Compilation | None = None

    @property
    def state(self) -> Compilation:
        with pipeline.LOCK:
            if self._state is None:
                self._state = self._make()
            return self._state

    def table(self) -> dict[str, Callable[[], str]]:
        table: dict[str, Callable[[], str]] = {
            "definition": lambda: to_text(self.state.kernel),
            "schedule": lambda: tree_text(self.state.tree),
            "loop": lambda: to_text(self._result),
            "c": lambda: emit_c(self._result),
            self._kind: lambda: emit(self.state).text,
        }
        if self._kind == "llvm":
            table["asm"] = self._asm
        return table

    @property
    def _result(self) -> stmt.Kernel:
        assert self.state.result is not None
        return self.state.result

    def _asm(self) -> str:
        module = emit(self.state)
        return jit.compile_asm(_linkable(module, self.state), self.state.target, module.meta.get("passes", ()))

    def save(
        self, kernel: stmt.Kernel, report: Report, folder: str | os.PathLike[str], kind: str, threads: str
    ) -> list[Path]:
        with pipeline.LOCK:
            return saving.save(saving.Source(emit(self.state), kernel, report), folder, kind, threads)

    def explain(self, signature: str, report: Report) -> Explanation:
        badges = {
            "strategy": report.strategy, "target": report.target, "threads": str(report.threads), "cache": report.cache,
            "build": f"{report.build_ms:.1f} ms", "compiler": report.compiler,
        }  # fmt: skip
        facts = Facts(signature, badges, [(name, ms) for name, ms, _ in report.passes], self.table())
        return explanation(lambda: self.state, BUDGET_S, facts)
