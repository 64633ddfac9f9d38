"""Several kernels, of which LLVM compiles one in a thread of its own while the next is scheduled.

Scheduling is Python, which one thread at a time runs; LLVM runs beside it, a third of the time of a build.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from akg.base.collection import uncollected
from akg.base.config import config
from akg.base.target import Target, resolve_target
from akg.base.trace import Recorder, is_dumped, phase
from akg.driver import pipeline, store
from akg.driver.assemble import Code, Emitted, assemble, code_of, emitted, machine_code
from akg.driver.build import binder, mapped, memory
from akg.driver.crash import reported
from akg.driver.pipeline import Compilation
from akg.ir import stmt
from akg.poly.strategy import StrategyLike, resolve_strategy
from akg.runtime.kernel import Kernel

SWITCH_S = 1e-4  # a kernel is a dozen calls of LLVM: after each the thread waits for its turn


@dataclass(slots=True, eq=False)
class Begun:
    """A kernel that is scheduled, and whose machine code is being made.

    Attributes:
        finish: waits for the code and links it.
        built: the kernel, once it is.
    """

    finish: Callable[[], Kernel]
    built: Kernel | None = None

    def kernel(self) -> Kernel:
        """The kernel, as soon as it is there.

        Raises:
            InternalError: LLVM rejects the code.
        """
        if self.built is None:
            self.built = self.finish()
        return self.built


class Several:
    """Builds kernels for one target by one strategy; a context, at whose end the thread for LLVM ends.

    Attributes:
        target: the machine.
    """

    def __init__(self, target: str | Target | None = None, strategy: StrategyLike = None) -> None:
        """Choose what all kernels are built for and by.

        Args:
            target: as for `akg.build`.
            strategy: as for `akg.build`.

        Raises:
            AkgError: as for `akg.build`.
        """
        self.target, self._strategy = resolve_target(target), resolve_strategy(strategy, config.strategy)
        self._begun: dict[str, Begun] = {}
        self._interval, self._pause = 0.0, uncollected()
        self._compiler = ThreadPoolExecutor(1, "akg-llvm")

    def __enter__(self) -> Several:
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._pause.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._compiler.shutdown(cancel_futures=True)
        sys.setswitchinterval(self._interval)
        self._pause.__exit__(kind, error, tb)

    def begin(self, kernel: stmt.Kernel, accept: Callable[[stmt.Kernel], bool]) -> Begun | None:
        """Schedule loop IR, and compile it if what becomes of it is accepted.

        Args:
            kernel: the loop IR.
            accept: sees the scheduled and mapped loops, before any code is emitted. A kernel that is in memory or on
                the disk was accepted once, and is not shown again.

        Returns:
            The kernel in the making; None where it was not accepted.

        Raises:
            AkgError: as for `akg.build`.
        """
        recorder = Recorder()
        with recorder, pipeline.LOCK, reported(kernel, self._strategy, self.target):
            with phase("key"):
                key = store.key(kernel, self._strategy, self.target)
            fresh = is_dumped(kernel.name)
            found = None if fresh else self._begun.get(key) or self._known(key)
            if found is None:
                found = self._started(key, kernel, accept, recorder, None if fresh else store.load(key))
                if found is not None:
                    self._begun[key] = found
            return found

    def _known(self, key: str) -> Begun | None:
        kernel = memory.get(key)
        return None if kernel is None else Begun(lambda: kernel, kernel)

    def _started(
        self, key: str, kernel: stmt.Kernel, accept: Callable[[stmt.Kernel], bool], recorder: Recorder,
        code: Code | None,
    ) -> Begun | None:  # fmt: skip
        if code is not None:
            return Begun(lambda: self._finished(key, kernel, recorder, lambda: code, None))
        state = mapped(kernel, self._strategy, self.target)
        if state.result is not None and not accept(state.result):
            return None
        module = emitted(state)
        future = self._compiler.submit(machine_code, module)
        return Begun(lambda: self._finished(key, kernel, recorder, lambda: self._saved(key, state, module, future),
                                            state))  # fmt: skip

    def _saved(self, key: str, state: Compilation, module: Emitted, future: Future[bytes]) -> Code:
        with phase("compile"):
            code = code_of(state, module, future.result())
        store.save(key, code)
        return code

    def _finished(
        self, key: str, kernel: stmt.Kernel, recorder: Recorder, code: Callable[[], Code], state: Compilation | None
    ) -> Kernel:
        strategy, target = self._strategy, self.target
        with recorder, pipeline.LOCK, reported(kernel, strategy, target):
            cache = "off" if config.cache == "off" else "miss" if state else "hit"
            built = assemble(
                code(), kernel, strategy, target, recorder, cache, lambda: state or mapped(kernel, strategy, target),
                binder(kernel, strategy, target),
            )  # fmt: skip
            memory[key] = built
        return built
