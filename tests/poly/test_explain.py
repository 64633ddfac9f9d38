"""What `explain` says of loops, in full."""

from akg.poly.dependence import dependences
from akg.poly.explain import Loop, explain, loops_of
from akg.poly.scop import extract_scop
from akg.poly.strategy import resolve_strategy, schedulers
from tests.poly import kernels


def test_jacobi() -> None:
    scop = extract_scop(kernels.kernel("jacobi"))
    assert explain(scop, scop.tree, dependences(scop)) == (
        "jacobi: 2 statements, 3 loops\n"
        "  loop t: sequential, carries dependences\n"
        "      flow S1[t=0, j=1] -> S0[t=1, i=2] at A[1] (with T = 2, N = 4)\n"
        "      output S1[t=0, j=1] -> S1[t=1, j=1] at A[1] (with T = 2, N = 3)\n"
        "      anti S0[t=0, i=2] -> S1[t=1, j=1] at A[1] (with T = 2, N = 4)\n"
        "      and 11 more\n"
        "    loop i: sequential, could be parallel\n"
        "      S0\n"
        "    loop j: sequential, could be parallel\n"
        "      S1"
    )


def test_reductions_are_named() -> None:
    scop = extract_scop(kernels.kernel("matmul"))
    text = explain(scop, scop.tree, dependences(scop))
    assert "loop k: sequential, carries only the reduction S1" in text


def test_witnesses_are_real() -> None:
    """Each witness is a conflict of the executed program that its loop carries, at the sizes that it names."""
    for name in ("jacobi", "lu", "seidel", "guarded"):
        scop = extract_scop(kernels.kernel(name))
        strategy = resolve_strategy("pluto")
        tree = schedulers.get("polytops")(scop, dependences(scop), strategy)
        loops = [e for e in loops_of(scop, tree, dependences(scop)) if isinstance(e, Loop)]
        assert any(loop.witnesses for loop in loops)
        for loop in loops:
            for w in loop.witnesses:
                run = kernels.events(scop.kernel, dict(w.sizes))
                by_place = {(e.name, e.values): e for e in run}
                source, sink = (by_place[x.statement, tuple(v for _, v in x.values)] for x in (w.source, w.sink))
                assert (source, sink) in kernels.conflicts(run)
                writer, other = (sink, source) if w.kind == "anti" else (source, sink)
                place = (w.buffer, *(w.element or ()))
                assert writer.write == place and place in {other.write, *other.reads}
                times: list[int] = []
                for x in (w.source, w.sink):
                    env = {**dict(x.values), **dict(w.sizes)}
                    row = loop.member.rows[x.statement]
                    times.append(row.const + sum(c * env[v.name] for v, c in row.terms.items()))
                assert times[0] < times[1]
