"""Privatisation: a temporary that outlives a loop though no value does is declared inside the loop.

    Before:  alloc row: [n]                After:  for i in [0, m):
             for i in [0, m):                          alloc row: [n]
                 S0: row[j] = ...                      S0: row[j] = ...
                 S1: ... row[j] ...                    S1: ... row[j] ...

Legal where every element that an iteration reads has been written in the same iteration (Tu and Padua 1993).
`akg.poly.rewrite.expand` then gives each iteration its own elements, so that the loop carries no dependence on them.
"""

from __future__ import annotations

from dataclasses import replace

from akg.ir.buffer import Buffer
from akg.ir.stmt import Alloc, For, Kernel, Stmt
from akg.poly import isl
from akg.poly.domain import model_of, schedule_maps
from akg.poly.loops.contract import common_loops, inside_of, sites
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.scop import extract_scop

BUDGET = 1_000_000  # isl operations for one temporary at one depth


def privatize(kernel: Kernel) -> Kernel:
    """`kernel` with its outer temporaries declared in the innermost loop that none of their values outlives."""
    body, outer = kernel.body, list[Buffer]()
    while isinstance(body, Alloc):
        outer.append(body.buffer)
        body = body.body
    for buffer in outer:
        loops = common_loops([s.loops for s in sites(kernel.body, buffer)])
        for depth in range(len(loops), 0, -1):
            moved = replace(kernel, body=_moved(kernel.body, buffer, loops[depth - 1]))
            if _is_written_first(moved, buffer.name):
                kernel = moved
                break
    return kernel


def _moved(body: Stmt, buffer: Buffer, loop: For) -> Stmt:
    """The declaration of a buffer, among those around `body`, moved into a loop."""
    if isinstance(body, Alloc) and body.buffer is not buffer:
        return Alloc(body.buffer, _moved(body.body, buffer, loop))
    assert isinstance(body, Alloc)
    return inside_of(body.body, loop, lambda inner: Alloc(buffer, inner))


def _is_written_first(kernel: Kernel, name: str) -> bool:
    """Whether every read of a temporary, expanded over the loops around it, follows a write of the element."""
    expanded = expand_temporaries(kernel)
    scop = extract_scop(expanded)
    buffer = next((b for b in scop.temporaries if b.name == name), None)
    if buffer is None or scop.temporaries[buffer]:
        return False  # not expanded: its loops have no known range
    model = model_of(scop, symbolic=False)
    reads = [(s, a) for s in scop.statements.values() for a in s.reads if a.buffer is buffer]
    writes = [s for s in scop.statements.values() if s.write.buffer is buffer]
    if not all(model.is_exact(s.name, a) for s, a in reads):
        return False
    must = [model.access(s.name, s.write) for s in writes if model.is_exact(s.name, s.write)]
    try:
        with isl.budget(BUDGET):
            order = schedule_maps(model, scop.tree)
            return not isl.unwritten([model.access(s.name, a) for s, a in reads], must, order) if reads else False
    except isl.Unknown:
        return False
