"""The oracle of legality on schedules that were made wrong: whatever changes a result, it must call illegal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from akg.ir.interp import interpret
from akg.ir.stmt import Alloc, Kernel
from akg.poly.astgen.isl_ast import generate_with_isl
from akg.poly.legality import prove
from akg.poly.rewrite.expand import expand_temporaries
from akg.poly.scop import Scop, extract_scop
from akg.poly.tree import Band, Domain, Node, Sequence, map_tree
from tests.helpers import copy_args, written
from tests.property.oracle import PROGRAMS, Program

ORDERS = ("forward", "reverse", "shuffle")


def reordered(node: Sequence, rng: np.random.Generator) -> Node:
    """The children in another order."""
    order = rng.permutation(len(node.children))
    return Sequence(tuple(node.children[k] for k in order))


def parallel(node: Band, rng: np.random.Generator) -> Node:
    """One loop is shared among threads."""
    chosen = int(rng.integers(len(node.members)))
    return replace(node, members=tuple(replace(m, kind="parallel") if k == chosen else m
                                       for k, m in enumerate(node.members)))  # fmt: skip


def reversed_(node: Band, rng: np.random.Generator) -> Node:
    """One loop runs backwards."""
    chosen = int(rng.integers(len(node.members)))
    members = list(node.members)
    members[chosen] = replace(
        members[chosen], rows={name: row * -1 for name, row in members[chosen].rows.items()}
    )
    return replace(node, members=tuple(members), permutable=False)


def interchanged(node: Band, rng: np.random.Generator) -> Node:
    """The loops of a band in another order."""
    return replace(node, members=tuple(node.members[k] for k in rng.permutation(len(node.members))), permutable=False)


CHANGES: tuple[tuple[type, Callable[..., Node]], ...] = (
    (Sequence, reordered), (Band, parallel), (Band, reversed_), (Band, interchanged),
)  # fmt: skip


def mutated(tree: Domain, rng: np.random.Generator) -> Domain:
    """The tree with one node changed."""
    kind, change = CHANGES[int(rng.integers(len(CHANGES)))]
    places = sum(1 for _ in _nodes(tree.child, kind))
    if not places:
        return tree
    chosen, seen = int(rng.integers(places)), -1

    def visit(node: Node) -> Node:
        nonlocal seen
        if isinstance(node, kind):
            seen += 1
            if seen == chosen:
                return change(node, rng)
        return node

    return replace(tree, child=map_tree(tree.child, visit))


def _nodes(node: Node, kind: type) -> Iterator[Node]:
    found: list[Node] = []

    def visit(inner: Node) -> Node:
        if isinstance(inner, kind):
            found.append(inner)
        return inner

    map_tree(node, visit)
    return iter(found)


def run(program: Program, scop: Scop, tree: Domain) -> Iterator[dict[str, np.ndarray]]:
    """What a schedule computes, its parallel loops in several orders."""
    body = generate_with_isl(scop, tree)
    for buffer in scop.temporaries:
        body = Alloc(buffer, body)
    kernel = Kernel(program.kernel.name, scop.kernel.params, body)
    for order in ORDERS:
        args = copy_args(program.args)
        interpret(kernel, *args, order=order, seed=3)
        yield written(program.kernel, args)


def differs(program: Program, scop: Scop, tree: Domain) -> bool:
    """Whether some order of a schedule's parallel loops computes other bits than the program."""
    want = copy_args(program.args)
    interpret(program.kernel, *want)
    expected = written(program.kernel, want)
    return any(not np.array_equal(got[name], expected[name], equal_nan=got[name].dtype.kind in "fc")
               for got in run(program, scop, tree) for name in expected)  # fmt: skip


def judge(outcomes: Counter[str], family: str, seed: int) -> None:
    program = PROGRAMS[family](2 * seed)
    scop = extract_scop(expand_temporaries(program.kernel))
    tree = mutated(scop.tree, np.random.default_rng(seed))
    if tree is scop.tree:
        return
    # reductions in another order differ by rounding: here, every order counts
    answer = prove(scop, tree, relax_reductions=False)
    changed = differs(program, scop, tree)
    if changed:
        assert answer.answer == "no", f"{family} {2 * seed}: called {answer.text}, and computes something else"
        assert answer.witness is not None
    outcomes[f"{answer.answer}, {'another' if changed else 'the same'} result"] += 1


def test_what_changes_a_result_is_illegal() -> None:
    outcomes: Counter[str] = Counter()

    @settings(max_examples=150, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    @given(st.sampled_from(["te", "script"]), st.integers(0, 2**30))
    def run(family: str, seed: int) -> None:
        judge(outcomes, family, seed)

    run()
    assert outcomes["no, another result"] >= 5, outcomes  # the check has something to find
    assert outcomes["yes, the same result"] >= 10, outcomes
