"""Kernel: what `akg.build` returns. A function on arrays that also tells how it came to be."""

from __future__ import annotations

import ctypes
import html
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from akg.base.errors import AkgError, suggest, user_facing
from akg.runtime import arguments, buffer, entry, failure, jit, measure, openmp, workspace
from akg.runtime.buffer import View
from akg.runtime.explanation import Explanation
from akg.runtime.failure import Failure
from akg.runtime.jit import Loaded
from akg.runtime.measure import Timing
from akg.runtime.report import Report
from akg.runtime.signature import Signature

_PACKED = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
_THREAD_SYMBOLS = (b"\0GOMP_parallel\0", b"\0akg_threads\0", b"\0omp_get_num_threads\0")  # whole names of a table
_STYLE = "font-family:monospace;white-space:pre;margin:0.3em 0 0.8em 1em;overflow-x:auto"


class Linked(Protocol):
    """Code in this process; its addresses stay valid while it lives. Machine code is `jit.Loaded`."""

    def address(self, symbol: str) -> int:
        """The address of an exported symbol."""
        ...


@dataclass(frozen=True, slots=True)
class Native:
    """A kernel for callers that have checked its arguments: by addresses.

    Attributes:
        function: takes the address of 8-byte slots: addresses of the arguments and the outputs, in the order of the
            signature, then the sizes as int64. Scalars by value lie in the low bytes. Returns 0, or a status.
        fail: raises, for a status that is not 0.
        is_threaded: whether `openmp.refresh_threads` must be called before it in the calling thread.
    """

    function: Callable[[int], int]
    fail: Callable[[int], Any]
    is_threaded: bool


def is_threaded(code: bytes) -> bool:
    """Whether object code refers to the OpenMP runtime."""
    return any(symbol in code for symbol in _THREAD_SYMBOLS)


def link(signature: Signature, code: bytes, constants: Sequence[Any] = ()) -> Loaded:
    """Link the object code of a kernel and its packed entry (`signature.packed_ir`) into this process.

    The arrays of its `constants` must live as long as the code.
    """
    symbols = openmp.symbols() if is_threaded(code) else {}
    if workspace.is_needed(code):
        symbols |= workspace.symbols()
    if not constants:
        return jit.load_object(code, (signature.packed_symbol,), symbols)
    loaded = jit.load_object(code, (signature.packed_symbol, signature.table_symbol), symbols)
    table = (ctypes.c_void_p * len(constants)).from_address(loaded.address(signature.table_symbol))
    table[:] = [int(array.ctypes.data) for array in constants]
    return loaded


class Kernel:
    """A compiled kernel.

    ``kernel(*inputs)`` returns the outputs as a new array, or a tuple of arrays; ``kernel(*inputs, out=d)`` writes
    into `d` and returns it. Arguments that the kernel updates in place (a script's) are modified; such a kernel
    returns None if it has no other output. Arrays are NumPy arrays or anything with DLPack, ``__array_interface__``
    or the buffer protocol: dense, row-major, in host memory, of exactly the dtype of the signature.

    Attributes:
        name: of the compiled function.
        signature: what it takes and returns.
        report: how it was built.
        native: the way in by addresses, which checks nothing; None for code of another machine.
        packed: names of the inputs that `bind` packed.
    """

    # The slot `__call__` holds a builtin function, so that a call enters native code at once.
    __slots__ = ("__call__", "__weakref__", "_bind", "_code", "_constants", "_explain", "_function", "_save",
                 "_sources", "native", "packed", "report", "signature")  # fmt: skip
    __call__: Callable[..., Any]

    def __init__(
        self,
        signature: Signature,
        code: Linked | None,
        *,
        report: Report | None = None,
        sources: Mapping[str, Callable[[], str]] | None = None,
        explain: Callable[[], Explanation] | None = None,
        threaded: bool = False,
        refusal: str = "",
        save: Callable[[str | os.PathLike[str], str, str], list[Path]] | None = None,
        failures: Sequence[Failure] = (),
        bind: Callable[[Mapping[str, View]], Kernel] | None = None,
        constants: Sequence[Any] = (),
        packed: Sequence[str] = (),
    ) -> None:
        """Wrap linked code.

        Args:
            signature: of the kernel.
            code: exports ``signature.packed_symbol``; None for a machine other than this one.
            report: what is known of the build.
            sources: texts by kind ("loop", "llvm", "asm", "c", "schedule"), made when asked for.
            explain: what `explain` gives between signature and report.
            threaded: whether it starts parallel regions (`is_threaded`).
            refusal: where `code` is None, why calls are refused.
            save: writes the files of `save`.
            failures: what the statuses that it returns say, from `akg.runtime.failure.FIRST_STATUS` on.
            bind: makes the kernel of `bind` from checked arguments.
            constants: arrays that the code refers to.
            packed: names of the inputs among them that lie in panels.
        """
        self.signature, self._code, self.packed = signature, code, tuple(packed)
        self.report = report if report is not None else Report()
        self._sources: dict[str, Callable[[], str] | str] = dict(sources or {})
        self._explain, self._save, self._bind, self._constants = explain, save, bind, tuple(constants)
        self.native: Native | None = None
        if code is None:
            self._function, self.__call__ = None, _refusing_call(signature, refusal)
            return
        address = code.address(signature.packed_symbol)
        self._function = _PACKED(address)
        fail = failure.raising(signature.name, failures)
        self.native = Native(self._function, fail, threaded)
        code = _Living(code, self._constants) if constants else code
        careful = _careful_call(signature, self._function, code, threaded, fail)
        plain = entry.make(signature, address, careful, fail, threaded=threaded, keep=code)
        native = None
        if plain is not None:
            adapting = _adapting_call(signature, plain, careful)
            native = entry.make(signature, address, adapting, fail, threaded=threaded, keep=code)
        self.__call__ = native or careful

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.signature.name

    @user_facing
    def benchmark(
        self, *args: Any, out: Any = None, repeat: int | None = None, min_time_s: float = 0.2, **sizes: int
    ) -> Timing:
        """Time calls with these arguments: warm-up, then samples, into outputs that are allocated once.

        Arguments that the kernel updates in place are restored before each sample.

        Args:
            args: as for a call.
            out: outputs to write into; None allocates them.
            repeat: number of samples; None takes 7 or more, for `min_time_s` seconds.
            min_time_s: seconds to spend at least, where `repeat` is None.
            sizes: sizes by name, as for a call.
        """
        if any(p.role == "inout" for p in self.signature.arguments):
            work = [_copy(a) if p.role == "inout" else a for p, a in zip(self.signature.arguments, args, strict=False)]
            work += args[len(work) :]

            def restore() -> None:
                for param, source, target in zip(self.signature.arguments, args, work, strict=False):
                    if param.role == "inout":
                        target[...] = np.asarray(source)

            restore()
            return measure.sample(self._bound(work, out, sizes), repeat=repeat, min_time_s=min_time_s, before=restore)
        return measure.sample(self._bound(args, out, sizes), repeat=repeat, min_time_s=min_time_s)

    def _bound(self, args: Any, out: Any, sizes: Mapping[str, int]) -> Callable[[], object]:
        call = self.__call__
        result = call(*args, **({} if out is None else {"out": out}), **sizes)
        if not self.signature.outputs:
            return lambda: call(*args, **sizes)
        return lambda: call(*args, out=result, **sizes)

    @user_facing
    def source(self, kind: str = "loop") -> str:
        """The kernel at a stage of its compilation: "loop", "schedule", "llvm", "asm", ...

        Raises:
            AkgError: AKG-E515 for a kind that this kernel does not have, with a did-you-mean.
        """
        text = self._sources.get(kind)
        if text is None:
            raise AkgError(
                "AKG-E515",
                f"kernel {self.name} has no source {kind!r}",
                because=f"it has {', '.join(sorted(self._sources)) or 'none'}",
                hint=suggest(kind, self._sources, "kinds"),
            )
        if not isinstance(text, str):
            text = self._sources[kind] = text()
        return text

    @user_facing
    def bind(self, positions: Mapping[int, Any] | None = None, /, **arrays: Any) -> Kernel:
        """The kernel with some of its inputs given for good, as weights are: calls do not pass them any more.

        Operands of products and convolutions are packed once, into the order in which the loops read them; other
        inputs are kept as they are. Either way they are copied: what happens to the array later has no effect.

        Args:
            positions: arrays by position among the arguments.
            arrays: arrays by name, as in ``kernel.bind(B=weights)``.

        Raises:
            AkgError: AKG-E522 for something that is no input array of the kernel or has a symbolic shape, AKG-E523
                for a kernel that cannot be compiled anew, AKG-E502 to AKG-E511 for an array that does not fit.
        """
        if self._bind is None:
            raise AkgError(
                "AKG-E523",
                f"nothing can be bound to kernel {self.name}",
                because="some of its inputs are bound already" if self._constants
                else "it was loaded, or made from code alone, or is for another machine",
                hint="bind everything at once, on the kernel that akg.build returned",
            )  # fmt: skip
        return self._bind(arguments.constant_views(self.signature, positions or {}, arrays))

    @user_facing
    def save(self, folder: str | os.PathLike[str], *, kind: str = "object", threads: str = "openmp") -> list[Path]:
        """Write the kernel for programs in C and for `akg.load`: ``<name>.o``, ``<name>.h`` and ``<name>.json``.

        The header says how to call it; the metadata has its signature, target, legality and checksums.

        Args:
            folder: is made if it is not there; files of the same name are replaced.
            kind: "object", or "shared" for ``<name>.so`` as well.
            threads: "openmp", or "serial" for code that runs on the calling thread and needs no OpenMP runtime.

        Returns:
            The files, metadata last.

        Raises:
            AkgError: AKG-E411 for a kernel that was loaded or has bound inputs, or whose backend emits no LLVM IR;
                AKG-E412, AKG-E413
                without a linker that makes a shared object; AKG-E517 for an unknown kind; AKG-E624 if a file cannot
                be written.
        """
        if self._save is None:
            raise AkgError(
                "AKG-E411",
                f"kernel {self.name} cannot be saved",
                because="some of its inputs are bound, and these live in this process" if self._constants
                else "it was loaded, or made from code alone",
                hint="save the kernel that it was bound from" if self._constants
                else "copy the files that it was loaded from, or build it and save that",
            )
        return self._save(folder, kind, threads)

    def explain(self) -> Explanation:
        """Why the kernel looks as it does: its loops, what forbids more of them to be parallel, what each pass did."""
        inner = Explanation(lambda: "") if self._explain is None else self._explain()

        def facts(text: str) -> str:
            said = {line.strip() for line in text.splitlines()}
            return str(replace(self.report, notes=[note for note in self.report.notes if note not in said]))

        return inner.beside(str(self.signature), facts)

    def __repr__(self) -> str:
        return f"<akg.Kernel {self.signature}>"

    def _repr_html_(self) -> str:
        parts = [f"<b>akg kernel</b> <code>{html.escape(str(self.signature))}</code>"]
        for title, kind in (("Schedule", "schedule"), ("Loop IR", "loop")):
            if kind in self._sources:
                text = html.escape(self.source(kind))
                parts.append(f"<details><summary>{title}</summary><div style='{_STYLE}'>{text}</div></details>")
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name)}</td>"
            f"<td style='text-align:left;white-space:pre-wrap'>{html.escape(text)}</td></tr>"
            for name, text in self.report.rows()
        )
        parts.append(f"<details open><summary>Report</summary><table>{rows}</table></details>")
        return "<div>" + "\n".join(parts) + "</div>"


@dataclass(frozen=True, slots=True)
class _Living:
    """Code, and the arrays that it refers to."""

    code: Linked
    constants: tuple[Any, ...]

    def address(self, symbol: str) -> int:
        """The address of an exported symbol."""
        return self.code.address(symbol)


def _copy(value: Any) -> Any:
    return np.array(value, copy=True)


def _refusing_call(signature: Signature, reason: str) -> Callable[..., Any]:
    """The call of a kernel whose machine code is another machine's."""

    def call(*args: Any, **keywords: Any) -> Any:
        raise AkgError(
            "AKG-E410",
            f"kernel {signature.name} cannot run here",
            because=reason,
            hint="look at its source('asm'), or build it for target='cpu' to call it",
        )

    return user_facing(call)


def _careful_call(
    signature: Signature, function: Any, code: Linked, threaded: bool, fail: Callable[[int], Any]
) -> Callable[..., Any]:
    """The call in Python: every check with its own message, every kind of array."""

    def call(*args: Any, out: Any = None, **sizes: Any) -> Any:
        prepared = arguments.prepare(signature, args, out, sizes)
        if threaded:
            openmp.refresh_threads()
        status = function(prepared.slots)
        if status:
            fail(status)
        if out is not None:
            return out
        if not signature.outputs:
            return None
        return prepared.outputs[0] if len(signature.outputs) == 1 else prepared.outputs

    call.__name__ = call.__qualname__ = signature.name
    call.__doc__ = str(signature)
    call.__dict__["code"] = code  # addresses must not outlive the code
    return user_facing(call)


def _adapting_call(signature: Signature, plain: Callable[..., Any], careful: Callable[..., Any]) -> Callable[..., Any]:
    """Between native and careful: tensors that turn into ndarrays quickly go back to native code."""
    is_array = [p.shape is not None for p in signature.arguments]
    first = is_array.index(True) if True in is_array else 0

    def call(*args: Any, out: Any = None, **sizes: Any) -> Any:
        if sizes or len(args) != len(is_array):
            return careful(*args, out=out, **sizes)
        quick = [buffer.quick_numpy(value) if array else value for value, array in zip(args, is_array, strict=True)]
        outs = None if out is None else buffer.quick_numpy(out)
        mixed = any(value is None for value in quick) or (out is not None and outs is None)
        if mixed or not any(map(operator.is_not, quick, args)):
            return careful(*args, out=out)
        if outs is not None:
            plain(*quick, out=outs)
            return out
        result = plain(*quick)
        example = args[first]
        if isinstance(result, tuple):
            return tuple(buffer.to_library_of(example, array) for array in result)
        return result if result is None else buffer.to_library_of(example, result)

    return user_facing(call)
