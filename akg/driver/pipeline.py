"""The compiler on one page: every pass of every target, in order.

A pass is a function on the `Compilation`, which carries what is known of a kernel so far. `SCHEDULE` finds an order
and knows nothing of the machine; `MAP` fits it to a CPU and ends in loop IR; the backend does the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from akg.base.config import config
from akg.base.errors import AkgError, InternalError, suggest
from akg.base.target import Target
from akg.base.trace import dump, logger, phase
from akg.ir import stmt
from akg.ir.buffer import Buffer
from akg.ir.expr import Expr, Var
from akg.ir.fast_math import contract_products, fuse_products, relax
from akg.ir.simplify import simplify_stmt
from akg.ir.text import to_text
from akg.ir.verify import verify
from akg.poly.access_check import check_accesses, check_initialised
from akg.poly.astgen.isl_ast import generate_with_isl
from akg.poly.astgen.scan import NotRectangularError, scan
from akg.poly.astgen.tile_scan import scan_tiles
from akg.poly.decisions import Decisions
from akg.poly.dependence import Dependence, annotate, dependences
from akg.poly.fuse import fuse_outer
from akg.poly.isl import Unknown
from akg.poly.legality import Legality, prove
from akg.poly.loops.carry import carry_values
from akg.poly.loops.contract import declare_temporaries
from akg.poly.loops.copy_ahead import copy_ahead
from akg.poly.loops.jam import jam_rows
from akg.poly.loops.maxima import bound_exponentials
from akg.poly.loops.one_pass import join_reductions
from akg.poly.loops.pack import pack_constants, pack_operands
from akg.poly.loops.pack_lanes import pack_for_lanes
from akg.poly.loops.pair_steps import pair_steps
from akg.poly.loops.prefetch import prefetch_tiles
from akg.poly.loops.prefetch_panels import prefetch_panels
from akg.poly.loops.prepack import Prepack, bound_params
from akg.poly.loops.promote import promote_tiles
from akg.poly.loops.recurrence import split_recurrences
from akg.poly.loops.row_pipeline import pipeline_rows
from akg.poly.loops.row_sweep import sweep_rows
from akg.poly.loops.shorten_sums import shorten_sums
from akg.poly.loops.skip_padding import skip_padding
from akg.poly.loops.split_reduction import split_reductions
from akg.poly.loops.stream_rows import prefetch_rows, prefetch_streams
from akg.poly.loops.turn_rows import turn_rows
from akg.poly.loops.widen import widen_operands
from akg.poly.loops.window_rows import overlap_rows, prefetch_windows
from akg.poly.rewrite.alternate import alternate_steps
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.rewrite.privatize import privatize
from akg.poly.rewrite.share_sums import share_sums
from akg.poly.rewrite.softmax_tiles import tile_softmax_products
from akg.poly.schedule.isl_scheduler import NoScheduleError
from akg.poly.scop import Scop, extract_scop
from akg.poly.strategy import Strategy, noting, schedulers
from akg.poly.tile.directives import report_unmet
from akg.poly.tile.intra_tile import tile_products
from akg.poly.tile.lanes import LaneModel
from akg.poly.tile.mapping import map_cpu
from akg.poly.tile.pivots import split_pivots
from akg.poly.tile.wavefront import (
    POINTS,
    distribute_innermost,
    has_tiles,
    in_program_order,
    restricted,
    statements_of,
    vector_loops,
    vectorise_innermost,
)
from akg.poly.tree import Domain, Step, paths, tree_text

_log = logger("driver.pipeline")
LOCK = threading.RLock()  # all isl objects live in one context, which is not for two threads at once


@dataclass
class Compilation:
    """A kernel on its way: each pass reads what earlier ones set."""

    kernel: stmt.Kernel
    strategy: Strategy
    target: Target
    scop: Scop
    dependences: list[Dependence] = field(default_factory=list[Dependence])
    schedule: Domain | None = None  # the order that the strategy found
    mapped: Domain | None = None  # the same, tiled and with kinds of loops
    legality: Legality | None = None  # None where the option `legality` is off
    decisions: Decisions = field(default_factory=Decisions)
    body: stmt.Stmt | None = None
    store_guards: frozenset[Expr] = frozenset()  # conditions in `body` under which only stores have to be
    result: stmt.Kernel | None = None  # loop IR for the backend
    prepack: Prepack = field(default_factory=lambda: Prepack(frozenset()))  # constant operands and their panels
    is_split: bool = False  # some statements are parts of others, under conditions
    position: int = 0  # passes run so far

    @property
    def tree(self) -> Domain:
        """The latest schedule tree."""
        return self.mapped or self.schedule or self.scop.tree


Pass = tuple[str, str, Callable[[Compilation], None]]


def start(kernel: stmt.Kernel, strategy: Strategy, target: Target) -> Compilation:
    """A compilation of `kernel`, its statements read off."""
    with phase("scop"):
        notes: list[str] = []
        if config.fast_math:
            kernel = relax(kernel)
        if strategy.scheduler in ("auto", "original") and strategy.tile and strategy.vectorize:
            kernel = tile_softmax_products(kernel, target, fresh_names(kernel, kernel.body), notes.append)
        if strategy.scheduler == "auto" and strategy.parallel and strategy.tile:
            kernel = share_sums(kernel, target, notes)
            kernel = alternate_steps(kernel, fresh_names(kernel, kernel.body), notes.append)
        # temporaries of one iteration become arrays over all of them: only values order the loops then
        expanded = expand_temporaries(privatize(kernel))
        free = frozenset(p.value for p in kernel.params if isinstance(p.value, Buffer) and p.constant == "free")
        return Compilation(
            expanded, strategy, target, extract_scop(expanded), decisions=Decisions(notes), prepack=Prepack(free)
        )  # fmt: skip


def run(state: Compilation, passes: Iterable[Pass], *, check: bool = False) -> Compilation:
    """Run passes in order, timed; `check` verifies loop IR after each that makes some."""
    for name, _, function in passes:
        with phase(name):
            function(state)
        if check and state.result is not None:
            verify(state.result, after=name)
        dump(state.position, name, state.kernel.name, lambda: _state_text(state))
        state.position += 1
    return state


def _state_text(state: Compilation) -> str:
    return to_text(state.result if state.result is not None else state.body) if state.body else tree_text(state.tree)


# --- the passes -----------------------------------------------------------------------------------------


def _check(state: Compilation) -> None:
    state.decisions.lines.extend(check_accesses(state.scop))
    state.decisions.lines.extend(check_initialised(state.scop))


def _dependences(state: Compilation) -> None:
    state.dependences = dependences(state.scop)


def _schedule(state: Compilation) -> None:
    find = schedulers.get(state.strategy.scheduler)
    try:
        with noting(state.decisions.note):
            tree = find(state.scop, state.dependences, state.strategy)
    except (Unknown, NoScheduleError) as why:
        tree = state.scop.tree
        state.decisions.note(f"scheduler {state.strategy.scheduler} found no order ({why}): the original one is used")
        _log.warning("kernel %s: scheduler %s: %s", state.kernel.name, state.strategy.scheduler, why)
    state.schedule = annotate(state.scop, tree, state.dependences)


def _fuse(state: Compilation) -> None:
    if state.strategy.fusion == "outer":
        state.schedule = fuse_outer(state.scop, state.tree, state.dependences)


def _tile_products(state: Compilation) -> None:
    options = state.strategy
    given = options.tiling.plans or options.tiling.intra_tile == "none"
    if given or not (options.tile and options.vectorize):
        return
    note = state.decisions.note
    tiled = tile_products(state.scop, state.tree, state.dependences, state.target, note, parallel=options.parallel)
    if tiled is None and state.strategy.scheduler == "auto":
        tiled = split_pivots(state.scop, state.tree, state.dependences, note)
    if tiled is not None:
        state.scop, state.dependences, state.schedule = tiled.scop, tiled.dependences, tiled.tree
        state.is_split = True


def _map(state: Compilation) -> None:
    decisions = state.decisions.copy()
    state.mapped = map_cpu(state.scop, state.tree, state.target, state.strategy, decisions)
    if has_tiles(state.mapped.child):
        shares = any(d.is_reduction for d in state.dependences)  # else no two tiles of a wavefront can meet
        if shares and not prove(state.scop, state.mapped, state.dependences):
            decisions = state.decisions.copy()
            decisions.note("no wavefronts: tiles of one would share an accumulator")
            tree = state.schedule or state.scop.tree
            state.mapped = map_cpu(state.scop, tree, state.target, state.strategy, decisions, wavefronts=False)
        state.mapped = _finish_skewed(state, state.mapped)
    directives = state.strategy.plan.directives
    if directives:
        decisions.lines.extend(report_unmet(state.schedule or state.scop.tree, state.mapped, directives))
    state.decisions = decisions


def _finish_skewed(state: Compilation, tree: Domain) -> Domain:
    """Inside of tiles: the program's order where it fills lanes, else the schedule's, statements apart where legal."""
    if not state.strategy.vectorize:
        return tree
    lanes = LaneModel(state.scop, state.target)
    program = annotate(state.scop, state.scop.tree, state.dependences).child
    program = vectorise_innermost(state.scop, restricted(program, frozenset(state.scop.statements)), lanes)
    is_free = state.strategy.tiling.intra_tile != "none" and not state.strategy.plan.directives
    if is_free:
        own = in_program_order(tree.child, program, lambda a, _: vector_loops(a) == len(statements_of(a)))
        if not has_tiles(own, POINTS):
            return replace(tree, child=own)
    apart = replace(tree, child=distribute_innermost(tree.child))
    if apart.child is not tree.child and prove(state.scop, apart, state.dependences):
        tree = apart
    tree = annotate(state.scop, tree, state.dependences)
    tree = replace(tree, child=vectorise_innermost(state.scop, tree.child, lanes))
    if not is_free:
        return tree
    own = in_program_order(tree.child, program, lambda a, b: vector_loops(a) >= max(vector_loops(b), 1))
    return replace(tree, child=own)


def _prove(state: Compilation) -> None:
    if not config.legality:
        return
    state.legality = prove(state.scop, state.tree)
    if state.legality.answer == "no":
        raise InternalError(f"the schedule of {state.kernel.name} is not legal: {state.legality.text}")
    if state.legality.answer == "unknown":
        _log.warning("kernel %s: legality is unknown: %s", state.kernel.name, state.legality.reason)


def _generate(state: Compilation) -> None:
    try:
        if state.is_split:
            raise NotRectangularError("conditions of parts become bounds")
        state.body, state.store_guards = scan(state.scop, state.tree)
    except NotRectangularError as why:
        state.body = _projected(state)
        if state.body is None:
            state.decisions.note(f"loops by isl's generator: {why}")
            state.body = generate_with_isl(state.scop, state.tree)


def _projected(state: Compilation) -> stmt.Stmt | None:
    if not has_tiles(state.tree.child):
        return None
    try:
        return scan_tiles(state.scop, state.tree)
    except (NotRectangularError, Unknown) as why:
        _log.debug("kernel %s: tiles are not for projection: %s", state.kernel.name, why)
        return None


def _split(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.parallel:
        kept = {n for n, steps in paths(state.tree).items() if any(_is_sequential(s) for s in steps)}
        state.body = split_reductions(state.body, _fresh_names(state), kept)


def _is_sequential(step: Step) -> bool:
    return step.member is not None and step.member.directive == "sequential"


def _contract(state: Compilation) -> None:
    assert state.body is not None
    state.body = declare_temporaries(state.body, state.scop.temporaries)


def _join(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.fusion == "outer":
        state.body = join_reductions(state.body)


def _shorten(state: Compilation) -> None:
    assert state.body is not None
    state.body = shorten_sums(state.body)


def _pack(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.tile:
        state.body = pack_constants(state.body, _fresh_names(state), state.target, state.prepack)
        state.body = turn_rows(state.body, _fresh_names(state), state.prepack.copies)
        state.body = pack_operands(
            state.body, _fresh_names(state), state.target, state.decisions.weigh, state.prepack.copies
        )
        state.body = pack_for_lanes(state.body, _fresh_names(state), state.prepack)  # what no panel serves
        state.body = copy_ahead(state.body, _fresh_names(state))
        state.body = widen_operands(state.body, _fresh_names(state))


def _promote(state: Compilation) -> None:
    assert state.body is not None
    registers = max(state.target.vector_registers - 2, 4) * state.target.vector_bits // 8
    state.body = promote_tiles(state.body, _fresh_names(state), registers, state.store_guards)


def _skip(state: Compilation) -> None:
    assert state.body is not None
    state.body = skip_padding(state.body)


def _pair(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.tile and state.strategy.vectorize:
        state.body = pair_steps(state.body, _fresh_names(state), state.target, state.decisions.note)


def _recur(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.vectorize:
        state.body = split_recurrences(state.body, _fresh_names(state))


def _carry(state: Compilation) -> None:
    assert state.body is not None
    state.body = carry_values(state.body, _fresh_names(state))
    if state.target.has_fma:
        state.body = fuse_products(state.body)
        state.body = contract_products(state.body) if config.fast_math else state.body


def _bound(state: Compilation) -> None:
    assert state.body is not None
    state.body = bound_exponentials(state.body)


def _jam(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.tile and state.strategy.vectorize:
        state.body = pipeline_rows(state.body, _fresh_names(state), state.target, state.decisions.note)
        state.body = jam_rows(state.body, _fresh_names(state), state.target, state.decisions.note)
        state.body = overlap_rows(state.body, _fresh_names(state), state.decisions.note)
        state.body = sweep_rows(state.body, _fresh_names(state), state.target)


def _prefetch(state: Compilation) -> None:
    assert state.body is not None
    if state.strategy.tile:
        state.body = prefetch_tiles(state.body, _fresh_names(state), state.target)
        state.body = prefetch_rows(state.body, state.target)
        state.body = prefetch_windows(state.body, _fresh_names(state), state.target)
        state.body = prefetch_streams(state.body, state.target)
        state.body = prefetch_panels(state.body, state.prepack.copies, state.target)


def _finish(state: Compilation) -> None:
    assert state.body is not None
    body = simplify_stmt(state.body)
    state.result = replace(state.kernel, params=bound_params(state.kernel.params, body, state.prepack), body=body)


def _fresh_names(state: Compilation) -> Callable[[str], Var]:
    assert state.body is not None
    return fresh_names(state.kernel, state.body)


def fresh_names(kernel: stmt.Kernel, body: stmt.Stmt) -> Callable[[str], Var]:
    """Makes names that neither the parameters of a kernel nor anything in a body has."""
    taken: set[str] = set()

    def fresh(base: str) -> Var:
        if not taken:  # most passes ask for no name
            taken.update(_names_in(kernel, body))
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        return Var(name)

    return fresh


def _names_in(kernel: stmt.Kernel, body: stmt.Stmt) -> Iterator[str]:
    yield from [p.name for p in kernel.params]
    for inner in stmt.walk(body):
        if isinstance(inner, stmt.For):
            yield inner.var.name
        elif isinstance(inner, stmt.Alloc):
            yield inner.buffer.name
        elif isinstance(inner, stmt.Store):
            yield inner.name


SCHEDULE: tuple[Pass, ...] = (
    ("check-accesses", "prove that every access stays inside its array and reads what was written", _check),
    ("dependences", "find which instances must keep their order", _dependences),
    ("schedule", "find an order: the strategy's scheduler, then mark parallel and permutable dimensions", _schedule),
    ("fuse-outer", "join neighbouring nests under shared parallel loops, where the strategy says so", _fuse),
)

MAP: tuple[Pass, ...] = (
    ("tile-products", "tile sequential bands around products, whole tiles apart", _tile_products),
    ("map-cpu", "choose the threads' loop, the lanes' loop and register tiles", _map),
    ("prove", "prove the final order legal, independently of the scheduler", _prove),
    ("generate", "turn the tree into loops: directly where it is rectangular, by isl elsewhere", _generate),
    ("split-reductions", "share long reductions that nothing parallel encloses among threads", _split),
    ("contract", "shrink temporaries to what one iteration needs", _contract),
    ("join-reductions", "reduce an array in one pass for all sums over it", _join),
    ("shorten-sums", "end sums where a condition on several subscripts makes the rest of an operand absent", _shorten),
    ("pack", "copy panels of large operands that rows use again to contiguous memory, turned where lanes ask", _pack),
    ("promote", "move accumulators and small tiles to registers", _promote),
    ("skip-padding", "leave out the terms of sums that padding makes absent", _skip),
    ("pair-steps", "lay operands of narrow types out for instructions that take several steps of a sum", _pair),
    ("recur", "split linear recurrences along innermost loops into lanes and a short chain", _recur),
    ("carry", "keep what one iteration leaves for the next in registers", _carry),
    ("maxima", "mark exponentials below maxima, which need no limit above", _bound),
    ("jam", "run rows in groups and passes in pipelines, windows row by row; read shared operands once", _jam),
    ("prefetch", "ask for what the next register tile or the next rows read before it is needed", _prefetch),
    ("simplify", "fold index arithmetic and drop empty loops", _finish),
)


def passes_of(backend: object) -> tuple[Pass, ...]:
    """The passes that fit a schedule to a backend's machine: those that it names in ``passes``, else `MAP`.

    Raises:
        AkgError: AKG-E408 for a name that is no pass, with a did-you-mean.
    """
    wanted: Iterable[str] | None = getattr(backend, "passes", None)
    if wanted is None:
        return MAP
    known = {entry[0]: entry for entry in MAP}
    for name in wanted:
        if name not in known:
            raise AkgError(
                "AKG-E408",
                f"backend {getattr(backend, 'name', '?')!r} asks for an unknown pass {name!r}",
                because=f"the passes are {', '.join(known)}",
                hint=suggest(name, known, "passes"),
            )
    return tuple([known[name] for name in wanted])
