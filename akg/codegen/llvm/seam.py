"""Lines that two rows share: the end of one and the beginning of the next are written at once, around the caches.

    row i ends:         | a b c . |   left on the stack, with its address
    row i + 1 begins:   | . . . d |   in the same line: both are one vector, stored whole

A line written in part is read from memory first, and rows whose length is no whole number of lines would pay for one
such line each. What a row leaves is written in part only where the next row of this thread begins elsewhere, and at the
end.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from akg.base.dtype import bool_, index, int32
from akg.codegen.llvm.arith import apply, choose
from akg.codegen.llvm.bounds import is_checked
from akg.codegen.llvm.builder import Function, Seam, Value
from akg.codegen.llvm.memory import access, masked_store
from akg.codegen.llvm.types import in_memory, llvm_type
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr
from akg.ir.rewrite import loads_of, substitute
from akg.ir.stmt import Block, For, Kernel, Prefetch, Stmt, Store, expressions, walk

LINE_BYTES = 64


def only_written(kernel: Kernel) -> frozenset[Buffer]:
    """The arrays that no statement reads."""
    read = {load.buffer for s in walk(kernel.body) for e in expressions(s) for load in loads_of(e)}
    return frozenset({s.buffer for s in walk(kernel.body) if isinstance(s, Store)} - read)


def partly_joined(kernel: Kernel, joined: Mapping[Buffer, set[str]]) -> frozenset[Buffer]:
    """The arrays that other statements write than those whose rows are joined.

    What waits may be older than what such a statement has written in its place.
    """
    stores = [s for s in walk(kernel.body) if isinstance(s, Store)]
    return frozenset(s.buffer for s in stores if s.buffer in joined and s.name not in joined[s.buffer])


def may_join(f: Function, loop: For, store: Store, lanes: int) -> bool:
    """Whether the rows of a loop over lanes can be put together where they share lines."""
    is_line = lanes * in_memory(store.buffer.dtype).itemsize_bytes == LINE_BYTES and loop.const_trips is not None
    if not is_line or store.buffer not in f.unit.only_written or is_checked(f, store.buffer, store.indices):
        return False
    return [s for s in walk(loop.body) if isinstance(s, Store) and s.buffer is store.buffer] == [store]


def seam_of(f: Function, store: Store, lanes: int) -> Seam:
    """Where the rows that a statement writes leave what does not fill a line."""
    dtype = in_memory(store.buffer.dtype)
    f.unit.joined.setdefault(store.buffer, set()).add(store.name)
    found = f.seams.get(store.buffer)
    if found is None:
        kind = Value("", dtype, 2 * lanes).type  # with room behind the line
        found = Seam(f.alloca(kind), f.alloca("i64", 8), f.alloca("i32", 4), dtype, lanes)
        f.allocas += [f"  store i64 0, ptr {found.address}", f"  store i32 0, ptr {found.count}"]
        f.seams[store.buffer] = found
    return found


def may_begin_before(f: Function, loop: For, store: Store) -> bool:
    """Whether the lanes of a row's first line that belong to others may be computed, too."""
    if _statements(loop.body) != [store]:
        return False
    for load in {load for e in expressions(store) for load in loads_of(e)}:
        if not load.buffer.shape:
            continue
        place = f.places.get(load.buffer)
        if place is None or place.lanes or place.is_private or place.is_stack or place.has_slack:
            return False
    return True


def _statements(body: Stmt) -> list[Stmt]:
    parts = body.body if isinstance(body, Block) else (body,)
    return [s for s in parts if not isinstance(s, Prefetch)]


class Row:
    """The edges of one row.

    Attributes:
        before: elements of its first line that belong to others.
    """

    def __init__(self, f: Function, seam: Seam, loop: For, store: Store, begin: Expr) -> None:
        self.f, self.seam, self.buffer = f, seam, store.buffer
        first: dict[Expr, Expr] = {loop.var: begin}
        indices = tuple([substitute(i, first) for i in store.indices])  # pyright: ignore[reportArgumentType]
        address = f.here(f"ptrtoint ptr {access(f, store.buffer, indices).pointer} to i64")
        inside = f.here(f"and i64 {address}, {LINE_BYTES - 1}")
        shift = seam.dtype.itemsize_bytes.bit_length() - 1
        self.before = Value(f.here(f"lshr i64 {inside}, {shift}"), index, 0, f.level)
        waiting = f.here(f"load i64, ptr {seam.address}")
        line = f.here(f"sub i64 {address}, {inside}")
        count = f.here(f"zext i32 {f.here(f'load i32, ptr {seam.count}')} to i64")
        same_line = f.here(f"icmp eq i64 {waiting}, {line}")
        fits = f.here(f"and i1 {same_line}, {f.here(f'icmp eq i64 {count}, {self.before.text}')}")
        self._fits = Value(fits, bool_, 0, f.level)
        misfit = f.here(f"and i1 {f.here(f'icmp ne i64 {waiting}, 0')}, {f.here(f'xor i1 {fits}, true')}")
        with f.branch(Value(misfit, bool_, 0, f.level)):
            _write(f, seam)

    @property
    def lanes(self) -> Value:
        """Those of its first line that are its own."""
        return _compared(self.f, "sge", self.seam.lanes, self.before)

    @contextmanager
    def beginning(self, begins_before: bool) -> Generator[None]:
        """Stores of the row's first line, of which nothing waits after that.

        Args:
            begins_before: the lanes are those of the line; else they begin with the row.
        """
        f, slot = self.f, self.seam.slot

        def store(value: Value, pointer: str, mask: Value) -> None:
            with f.branch(self._fits):
                line = pointer
                if not begins_before:
                    place = f.here(f"getelementptr {llvm_type(value.dtype)}, ptr {slot}, {self.before}")
                    f.line(f"store {value}, ptr {place}, align {value.dtype.itemsize_bytes}")
                    line = f.here(f"inttoptr i64 {f.here(f'load i64, ptr {self.seam.address}')} to ptr")
                whole = Value(f.here(f"load {value.type}, ptr {slot}"), value.dtype, value.lanes, f.level)
                if begins_before:
                    whole = choose(f, mask, value, whole)
                f.unit.declarations.setdefault("!0", "!0 = !{i32 1}")
                f.line(f"store {whole}, ptr {line}, align {LINE_BYTES}, !nontemporal !0")
            with f.branch(apply(f, bool_, "xor {t} {0}, true", self._fits)):
                masked_store(f, value, pointer, self.seam.dtype.itemsize_bytes, mask)

        f.edge = (self.buffer, store)
        yield
        f.edge = None
        f.line(f"store i64 0, ptr {self.seam.address}")

    @contextmanager
    def end(self) -> Generator[None]:
        """Stores of the row's last line, where it has one in part: they wait for the next row."""
        f = self.f

        def store(value: Value, pointer: str, mask: Value) -> None:
            f.line(f"store {value}, ptr {self.seam.slot}")
            f.line(f"store i64 {f.here(f'ptrtoint ptr {pointer} to i64')}, ptr {self.seam.address}")
            own = f.here(f"zext {mask} to {Value('', int32, mask.lanes).type}")
            name = f"llvm.vector.reduce.add.v{mask.lanes}i32"
            kind = Value("", int32, mask.lanes).type
            callee = f.unit.declare(name, f"declare i32 @{name}({kind})")
            f.line(f"store i32 {f.here(f'call i32 {callee}({kind} {own})')}, ptr {self.seam.count}")

        f.edge = (self.buffer, store)
        yield
        f.edge = None


def write_waiting(f: Function) -> None:
    """Write what the last rows left; called once at the end of a function."""
    for seam in f.seams.values():
        waiting = f.here(f"load i64, ptr {seam.address}")
        with f.branch(Value(f.here(f"icmp ne i64 {waiting}, 0"), bool_, 0, f.level)):
            _write(f, seam)


def _write(f: Function, seam: Seam) -> None:
    kind = Value("", seam.dtype, seam.lanes).type
    value = Value(f.here(f"load {kind}, ptr {seam.slot}"), seam.dtype, seam.lanes, f.level)
    address = f.here(f"load i64, ptr {seam.address}")
    count = f.here(f"sext i32 {f.here(f'load i32, ptr {seam.count}')} to i64")
    mask = _compared(f, "slt", seam.lanes, Value(count, index, 0, f.level))
    masked_store(f, value, f.here(f"inttoptr i64 {address} to ptr"), seam.dtype.itemsize_bytes, mask)
    f.line(f"store i64 0, ptr {seam.address}")


def _compared(f: Function, relation: str, lanes: int, bound: Value) -> Value:
    """The lanes whose number is in a relation with a bound."""
    short = Value(f.at(bound.level, f"trunc {bound} to i32"), int32, 0, bound.level)
    numbers = Value("<" + ", ".join(f"i32 {k}" for k in range(lanes)) + ">", int32, lanes)
    return apply(f, bool_, f"icmp {relation} {{t}} {{0}}, {{1}}", numbers, short)
