"""Parallel loops: the body becomes a function over a range, which threads of an OpenMP runtime share.

The caller packs what the body uses into an array on its stack and calls ``GOMP_parallel``, which every thread
leaves together. Each thread takes one contiguous piece of the range; where pieces would differ in their work, as in a
triangle, threads take small ones in turn until none is left. Iterations are independent, so what they compute
does not depend on who runs them. Where the work is small, or one thread is allowed, the caller runs the whole range
itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from akg.base.dtype import bool_, index
from akg.codegen.llvm.arith import apply
from akg.codegen.llvm.bounds import as_index
from akg.codegen.llvm.builder import Function, Value
from akg.codegen.llvm.control import counted_loop
from akg.codegen.llvm.cost import work
from akg.codegen.llvm.streaming import fence
from akg.codegen.llvm.workspace import with_workspace
from akg.codegen.subscripts import OUT_OF_MEMORY
from akg.ir.buffer import Buffer
from akg.ir.expr import Binary, Const, Expr, Var
from akg.ir.rewrite import buffers_read, buffers_written, substitute, variables_of
from akg.ir.simplify import simplify
from akg.ir.stmt import Alloc, For, expressions, walk

THRESHOLD = 30_000  # simple operations below which threads cost more than they give
THREADS = "akg_threads"
PIECES = 32  # for each thread, where iterations are uneven
SAMPLES = 4  # iterations of a piece that tell its work
MOST_UNEVEN = 1.1  # times the mean that the largest piece may be


@dataclass(frozen=True, slots=True)
class Capture:
    """What the body uses of its surroundings, in the order of its parameters."""

    buffers: list[Buffer]
    variables: list[Var]


def emit_parallel(f: Function, loop: For) -> None:
    """A loop whose iterations threads share."""
    capture = _capture(f, loop)
    body, may_fail = _outline(f, loop, capture)
    slope = 0 if _is_even(loop, f.unit.target.cores) else slope_of(loop)
    entry = _taking_turns(f, body, capture, slope) if slope else _thread_entry(f, body, capture)
    begin, end = as_index(f, f.value(loop.begin)), as_index(f, f.value(loop.end))
    with f.branch(apply(f, bool_, "icmp slt {t} {0}, {1}", begin, end)):
        span = f.here(f"sub i64 {end.text}, {begin.text}")
        if loop.step > 1:
            span = f.here(f"udiv i64 {f.here(f'add i64 {span}, {loop.step - 1}')}, {loop.step}")
        status = f.alloca("i32", 4)
        f.line(f"store i32 0, ptr {status}")
        operands = [f"ptr {f.places[b].pointer}" for b in capture.buffers]
        operands += [str(f.value(v)) for v in capture.variables]
        common = ", ".join([*operands, str(begin), f"ptr {status}"])
        cost = f.value(work(loop))
        f.unit.note(_verdict(f, loop, cost))
        if cost.is_const and int(cost.text) < THRESHOLD:
            f.line(f"call void {body}({common}, i64 0, i64 {span})")
        else:
            _fork(f, body, entry, common, span, cost)
        if may_fail:
            _propagate(f, status)
    for buffer in buffers_written(loop.body):
        f.invalidate(buffer)


def _verdict(f: Function, loop: For, cost: Value) -> str:
    """Whether threads share a loop, and the model's reason."""
    where, pays = f"{f.statement_of(loop)}: {loop.var.name}", f"threads pay from {THRESHOLD}"
    if not cost.is_const:
        return f"{where} is shared by threads where its size makes {THRESHOLD} simple operations or more"
    verdict = "by one thread" if int(cost.text) < THRESHOLD else "shared by threads"
    return f"{where} {verdict}: about {cost.text} simple operations, and {pays}"


def _propagate(f: Function, status: str) -> None:
    f.fail(f.level, f.here(f"load i32, ptr {status}"))


def _fork(f: Function, body: str, entry: str, common: str, span: str, cost: Value) -> None:
    threads = f.here(f"call i32 {f.unit.declare(THREADS, f'declare i32 @{THREADS}()')}()")
    wide = f.here(f"sext i32 {threads} to i64")
    fewer = f.here(f"icmp slt i64 {span}, {wide}")
    team = f.here(f"select i1 {fewer}, i64 {span}, i64 {wide}")
    several = f.here(f"icmp sgt i64 {team}, 1")
    much = f.here(f"icmp sge {cost}, {THRESHOLD}")
    fork = Value(f.here(f"and i1 {several}, {much}"), bool_, 0, f.level)
    with f.branch(fork):
        following = f.alloca("i64", 8)  # the next piece, where threads take them in turn
        f.line(f"store i64 0, ptr {following}")
        arguments = [*common.split(", "), f"i64 {span}", f"ptr {following}"]
        data = f.alloca(f"[{len(arguments)} x i64]", 8)
        for slot, argument in enumerate(arguments):
            where = f.here(f"getelementptr i64, ptr {data}, i64 {slot}")
            f.line(f"store {argument}, ptr {where}")
        start = f.unit.declare("GOMP_parallel", "declare void @GOMP_parallel(ptr, ptr, i32, i32)")
        small = f.here(f"trunc i64 {team} to i32")
        f.line(f"call void {start}(ptr {entry}, ptr {data}, i32 {small}, i32 0)")
    alone = Value(f.here(f"xor i1 {fork.text}, true"), bool_, 0, f.level)
    with f.branch(alone):
        f.line(f"call void {body}({common}, i64 0, i64 {span})")


def _capture(f: Function, loop: For) -> Capture:
    own = {s.buffer for s in walk(loop.body) if isinstance(s, Alloc)}
    used = (buffers_read(loop.body) | buffers_written(loop.body)) - own
    buffers = [b for b in f.places if b in used]
    roots: list[Expr] = [e for s in walk(loop.body) for e in expressions(s)]
    roots += [size for b in (*buffers, *own) for size in b.shape]
    names: dict[Var, None] = {v: None for e in roots for v in variables_of(e) if v in f.vars and v is not loop.var}
    return Capture(buffers, list(names))


def _parameters(f: Function, capture: Capture) -> list[tuple[str, str]]:
    """Types and names of the parameters of the body, without the piece of the range."""
    result = [("ptr", f"%b.{b.name}") for b in capture.buffers]
    result += [(f.vars[v].type, f"%s.{v.name}") for v in capture.variables]
    return [*result, ("i64", "%begin"), ("ptr", "%status")]


def _outline(f: Function, loop: For, capture: Capture) -> tuple[str, bool]:
    """The function that runs iterations %low <= number < %high; whether it may fail."""
    name = f"{f.name}.body{f.unit.unique()}"
    inner = Function(f.unit, name, is_parallel=True)
    for buffer in capture.buffers:
        outer = f.places[buffer]
        inner.places[buffer] = replace(outer, pointer=f"%b.{buffer.name}", lanes=0, level=0, born=0)
    for var in capture.variables:
        inner.vars[var] = Value(f"%s.{var.name}", f.vars[var].dtype)
    inner.from_data |= f.from_data
    begin = Value("%begin", index)

    def position(number: str) -> Value:
        offset = inner.here(f"mul i64 {number}, {loop.step}") if loop.step > 1 else number
        return Value(inner.here(f"add i64 {begin.text}, {offset}"), index, 0, inner.level)

    def run() -> None:
        counted_loop(inner, loop, position("%low"), position("%high"), lambda: inner.emit(loop.body), runs=False)

    got = with_workspace(inner, loop.body, run)
    if got is not None:
        missing = Value(inner.here(f"xor i1 {got.text}, true"), bool_)
        with inner.branch(missing):
            inner.fail(inner.level, str(OUT_OF_MEMORY))
    if inner.failure:
        failed = inner.here(f"load i32, ptr {inner.failure}")
        inner.line(f"atomicrmw umax ptr %status, i32 {failed} monotonic")
    fence(inner)
    inner.line("ret void")
    arguments = ", ".join(
        f"{kind}{' noalias' if text.startswith('%b.') else ''} {text}" for kind, text in _parameters(f, capture)
    )
    signature = f"internal void @{name}({arguments}, i64 %low, i64 %high)"
    f.unit.functions.append(inner.text(signature, "#0"))
    return f"@{name}", bool(inner.failure)


def _thread_entry(f: Function, body: str, capture: Capture) -> str:
    """The function that each thread enters: unpack, find the piece of the range, run it."""
    name = f"{body[1:]}.thread"
    inner = Function(f.unit, name, is_parallel=True)
    loaded, span, _ = _unpacked(f, inner, capture)
    thread, threads = _team(f, inner)
    following = inner.here(f"add i64 {thread}, 1")
    low, high = (
        inner.here(f"sdiv i64 {inner.here(f'mul i64 {span}, {number}')}, {threads}") for number in (thread, following)
    )
    inner.line(f"call void {body}({loaded}, i64 {low}, i64 {high})")
    inner.line("ret void")
    f.unit.functions.append(inner.text(f"internal void @{name}(ptr %data)", "#0"))
    return f"@{name}"


def _taking_turns(f: Function, body: str, capture: Capture, slope: int) -> str:
    """The function that each thread enters: run the next piece, those with more work first, until none is left."""
    name = f"{body[1:]}.thread"
    inner = Function(f.unit, name, is_parallel=True)
    loaded, span, counter = _unpacked(f, inner, capture)
    _, threads = _team(f, inner)
    share = inner.here(f"sdiv i64 {span}, {inner.here(f'mul i64 {threads}, {PIECES}')}")
    size = inner.here(f"call i64 {_larger(f)}(i64 {share}, i64 1)")
    head, again, done = (inner.fresh(label) for label in ("next", "piece", "done"))
    inner.line(f"br label %{head}")
    inner.start(head)
    low = inner.here(f"atomicrmw add ptr {counter}, i64 {size} monotonic")
    inner.line(f"br i1 {inner.here(f'icmp slt i64 {low}, {span}')}, label %{again}, label %{done}")
    inner.start(again)
    behind = inner.here(f"add i64 {low}, {size}")
    high = inner.here(f"call i64 {_larger(f, 'smin')}(i64 {behind}, i64 {span})")
    if slope > 0:
        low, high = inner.here(f"sub i64 {span}, {high}"), inner.here(f"sub i64 {span}, {low}")
    inner.line(f"call void {body}({loaded}, i64 {low}, i64 {high})")
    inner.line(f"br label %{head}")
    inner.start(done)
    inner.line("ret void")
    f.unit.functions.append(inner.text(f"internal void @{name}(ptr %data)", "#0"))
    return f"@{name}"


def _larger(f: Function, name: str = "smax") -> str:
    return f.unit.declare(f"llvm.{name}.i64", f"declare i64 @llvm.{name}.i64(i64, i64)")


def _unpacked(f: Function, inner: Function, capture: Capture) -> tuple[str, str, str]:
    """The arguments of the body, the length of the range, and the address of the next piece."""
    loaded: list[str] = []
    for slot, (kind, _) in enumerate([*_parameters(f, capture), ("i64", "span"), ("ptr", "next")]):
        where = inner.here(f"getelementptr i64, ptr %data, i64 {slot}")
        loaded.append(f"{kind} {inner.here(f'load {kind}, ptr {where}')}")
    *arguments, span, following = loaded
    return ", ".join(arguments), span.split()[1], following.split()[1]


def _team(f: Function, inner: Function) -> tuple[str, str]:
    """The number of the thread, and of threads."""
    thread, threads = (
        inner.here(f"sext i32 {inner.here(f'call i32 {callee}()')} to i64")
        for callee in (
            f.unit.declare("omp_get_thread_num", "declare i32 @omp_get_thread_num()"),
            f.unit.declare("omp_get_num_threads", "declare i32 @omp_get_num_threads()"),
        )
    )
    return thread, threads


def slope_of(loop: For) -> int:
    """Whether the iterations of some loop inside grow (1) or shrink (-1) with `loop`, as in a triangle; else 0."""
    moving = {loop.var}
    for inner in walk(loop.body):
        if not isinstance(inner, For):
            continue
        begins = not moving.isdisjoint(variables_of(inner.begin))
        if not begins and moving.isdisjoint(variables_of(inner.end)):
            continue
        moving.add(inner.var)
        extents = [simplify(end - inner.begin) for end in _minima(inner.end)]
        if all(not moving.isdisjoint(variables_of(e)) for e in extents):
            return -1 if begins else 1
    return 0


def _is_even(loop: For, pieces: int) -> bool:
    """Whether contiguous pieces of a loop of known range are known to be alike: paddings are met at its ends only.

    Neighbouring iterations often share what they read, and lines of what they write: taken in turns, these go to and
    fro between the caches of the threads (a convolution of 64 x 56 x 56 takes 1.06 times as long).
    """
    trips = loop.const_trips
    if not isinstance(loop.begin, Const) or not trips or pieces < 1 or not slope_of(loop):
        return False
    each = work(loop.body)
    samples = [(2 * k + 1) * trips // (2 * SAMPLES * pieces) for k in range(SAMPLES * pieces)]
    found = [simplify(substitute(each, {loop.var: loop.begin + k * loop.step})) for k in samples]
    known = [int(w.value) for w in found if isinstance(w, Const)]
    totals = [sum(known[k : k + SAMPLES]) for k in range(0, len(known), SAMPLES)]
    return len(known) == len(found) and max(totals) * pieces <= sum(totals) * MOST_UNEVEN


def _minima(end: Expr) -> list[Expr]:
    """The operands of nested minima: bounds of the same loop."""
    if isinstance(end, Binary) and end.op == "min":
        return [*_minima(end.a), *_minima(end.b)]
    return [end]
