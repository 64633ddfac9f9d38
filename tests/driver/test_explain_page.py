"""The page of an explanation: complete in itself, and what a person sees of it in a browser."""

# ruff: noqa: F821, B007
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import akg
from akg import ops, te
from akg.cli import main
from akg.driver.explain.picture import picture
from akg.driver.pipeline import MAP, run
from akg.poly.explain import Loop, loops_of
from akg.runtime.explanation import Explanation
from tests.poly.nests import NESTS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=4000",
    "--window-size=1280,2400",
)  # fmt: skip


@akg.script
def jacobi(A: akg.Tensor["n", "float64"], B: akg.Tensor["n", "float64"], steps: akg.Size):
    n = A.shape[0]
    for t in range(steps):
        for i in range(1, n - 1):
            B[i] = 0.33333 * (A[i - 1] + A[i] + A[i + 1])
        for i in range(1, n - 1):
            A[i] = 0.33333 * (B[i - 1] + B[i] + B[i + 1])


def product() -> Any:
    a, b = te.placeholder((64, 32), name="A"), te.placeholder((32, 48), name="B")
    k = te.reduce_axis(32, name="k")
    c = te.compute((64, 48), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    return akg.lower([c], inputs=[a, b], name="product")


class Reader(HTMLParser):
    """Tags with their attributes, and what every element refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def count(self, tag: str, **attributes: str) -> int:
        return sum(t == tag and all(a.get(k.rstrip("_")) == v for k, v in attributes.items()) for t, a in self.tags)


@pytest.fixture(scope="module")
def page() -> str:
    return akg.lower(jacobi).schedule("pluto").compile().explain().to_html()


def test_the_page_is_whole_and_refers_to_nothing(page: str) -> None:
    reader = Reader(page)
    assert not reader.open
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe"), tag
        assert "src" not in attributes and "href" not in attributes
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "url(" not in page.replace("url(#", "")
    for text in ("wavefront: plus tiles of", "none found among", "Compile phases", "legal: yes", "Decisions"):
        assert text in page, text


def test_the_table_has_every_loop(page: str) -> None:
    kernel = akg.lower(jacobi).schedule("pluto").compile()
    loops = kernel.explain().loops
    assert Reader(page).count("tr") == len(loops) + 1 == 6
    verdicts = re.findall(r'class="pill (?:\w+)">([^<]+)<', page)
    assert verdicts == [loop.verdict for loop in loops] == ["sequential", "parallel", "sequential", "vector", "vector"]


def drawn(page: str) -> Any:
    found = re.search(r'id="akg-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_what_is_drawn_is_the_program(page: str) -> None:
    data = drawn(page)["picture"]
    assert [(s["name"], len(s["points"])) for s in data["statements"]] == [("S0", 80), ("S1", 80)]
    flows = {
        (data["statements"][a[1]]["points"][a[2]][0][0], a[1], data["statements"][a[3]]["points"][a[4]][0][0], a[3],
         data["statements"][a[3]]["points"][a[4]][0][1] - data["statements"][a[1]]["points"][a[2]][0][1])
        for a in data["arrows"] if a[0] == "flow"
    }  # fmt: skip
    same = {(t, 0, t, 1, d) for t in range(10) for d in (-1, 0, 1)}
    following = {(t, 1, t + 1, 0, d) for t in range(9) for d in (-1, 0, 1)}
    assert flows == same | following
    for kind, s, p, t, q, *_ in data["arrows"]:  # the new order keeps every one of them
        assert data["statements"][s]["points"][p][2] < data["statements"][t]["points"][q][2], kind
        assert data["statements"][s]["points"][p][3] < data["statements"][t]["points"][q][3], kind
    assert max(data["waves"]) + 1 < len(data["waves"])  # some tiles run at once


@pytest.mark.parametrize("strategy", ["auto", "pluto", "isl"])
def test_large_constants_are_drawn_by_their_corner(strategy: str) -> None:
    state = product().schedule(strategy).state
    run(state, MAP[:1])
    data = picture(state)
    assert "the first 6 iterations of each loop are drawn" in data["notes"]
    assert {s["name"]: len(s["points"]) for s in data["statements"]} == {"C_init": 36, "C": 216}
    kinds = [a[0] for a in data["arrows"]]
    assert kinds.count("flow") == 36 and kinds.count("reduction") == 180


@pytest.mark.parametrize("strategy", ["pluto", "stencil", "isl", "feautrier"])
@pytest.mark.parametrize("name", ["fdtd_2d", "gemver", "trisolv", "durbin", "doitgen"])
def test_arrows_point_forward(name: str, strategy: str) -> None:
    """The drawn order, in shrunk tiles too, keeps every conflict of the drawn instances; none is in one step."""
    state = akg.lower(NESTS[name]).schedule(strategy).state
    run(state, MAP[:1])
    data = picture(state)
    points = [s["points"] for s in data["statements"]]
    assert all(points) and data["arrows"]
    for kind, s, p, t, q, loop, _ in data["arrows"]:
        source, sink = points[s][p], points[t][q]
        if kind != "reduction":  # those may run in any order
            assert source[2] < sink[2] and source[3] < sink[3], (kind, source, sink)
    loops = [e for e in loops_of(state.scop, state.tree, state.dependences) if isinstance(e, Loop)]
    for loop in loops:
        carried = {a[0] for a in data["arrows"] if a[5] == loop.number} - {"reduction"}
        assert not carried or loop.witnesses, loop.title


def test_user_text_is_escaped() -> None:
    @akg.script
    def odd(A: akg.Tensor["n", "float64"]):
        for i in range(1, A.shape[0]):
            if i < 5:
                A[i] = A[i - 1]

    page = akg.lower(odd).schedule().explain().to_html()
    assert Reader(page).open == [] and "i < 5" not in page and "i &lt; 5" in page


def test_text_without_a_page(tmp_path: Path) -> None:
    plain = Explanation(lambda: "a < b")
    assert "<pre>a &lt; b</pre>" in plain.to_html(tmp_path / "plain.html")
    assert (tmp_path / "plain.html").read_text() == plain.page
    around = plain.beside("x", lambda text: text.upper())
    assert str(around) == repr(around) == "x\n\na < b\n\nA < B" and plain.loops == ()
    assert str(plain.beside("x", lambda _: "")) == "x\n\na < b"
    with pytest.raises(akg.AkgError) as caught:
        plain.to_html(tmp_path / "none" / "page.html")
    assert caught.value.code == "AKG-E624"


def test_notebooks_show_the_page() -> None:
    shown = akg.lower(jacobi).schedule("auto").explain()._repr_html_()
    reader = Reader(shown)
    (frame,) = [a for t, a in reader.tags if t == "iframe"]
    assert frame["srcdoc"] and frame["srcdoc"].startswith("<!doctype html>") and "jacobi" in frame["srcdoc"]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "two.py"
    file.write_text(
        "import akg\nfrom akg import te\nx = te.placeholder((8,), name='x')\n"
        "y = te.compute((8,), lambda i: x[i] + 1.0, name='y')\n"
        "def kernels():\n    return {n: akg.lower([te.compute((8,), lambda i: x[i] * 2.0, name=n)]) for n in 'ab'}\n"
    )
    assert main(["explain", str(file), "--html", str(tmp_path / "out.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/out-a.html\n{tmp_path}/out-b.html\n"
    assert main(["explain", f"{file}:y", "--html", str(tmp_path / "none" / "out.html")]) == 2
    assert "AKG-E624" in capsys.readouterr().err


# --- in a browser ----------------------------------------------------------------------------------------------

LOOK = """
<script>
(function () {
  const visible = (e) => e.getClientRects().length && e.checkVisibility();
  const seen = (selector) => [...document.querySelectorAll(selector)].filter(visible).length;
  const all = () => ({
    rows: seen("table.loops tbody tr"), points: seen(".point"), arrows: seen(".arrow"), tiles: seen("polygon.tile"),
    panels: seen(".panel svg"), later: seen(".point.later"), code: seen("pre.code"), folds: seen(".tree details"),
    captions: [...document.querySelectorAll(".caption")].map((e) => e.textContent),
    errors: document.documentElement.dataset.errors || "", ready: document.documentElement.dataset.ready || "",
    wide: document.documentElement.scrollWidth, overflow: document.documentElement.scrollWidth > innerWidth,
  });
  const report = { start: all() };
  const click = (selector, name) => { document.querySelector(selector).click(); report[name] = all(); };
  click("input[data-kind=flow]", "without_flow");
  click("input[data-kind=flow]", "with_flow");
  click("input[data-kind=anti]", "with_anti");
  click("input[data-kind=anti]", "as_before");
  click("#tiles", "without_tiles");
  click("tr[data-loop] button.arrows", "one_loop");
  click("tr[data-loop] button.arrows", "every_loop");
  click(".tabs button[data-kind=llvm]", "llvm");
  report.shown = [...document.querySelectorAll("pre.code")].filter((e) => !e.hidden).map((e) => e.dataset.kind);
  const slider = document.getElementById("step");
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  report.first_step = all();
  const axis = document.querySelector("select[data-axis=y]");
  axis.value = "-1";
  axis.dispatchEvent(new Event("change"));
  report.one_dimension = all();
  axis.value = "0";
  axis.dispatchEvent(new Event("change"));
  click(".legend button", "one_statement");
  const light = getComputedStyle(document.body).backgroundColor;
  document.getElementById("theme").click();
  report.themes = [light, getComputedStyle(document.body).backgroundColor];
  document.querySelector(".tree summary").click();
  report.folded = all();
  const out = document.createElement("script");
  out.type = "application/json";
  out.id = "report";
  out.textContent = JSON.stringify(report);
  document.body.appendChild(out);
})();
</script>
"""


def opened(page: str, folder: Path) -> Any:
    """What a script that looks and clicks reports from a real browser."""
    assert CHROMIUM
    file = folder / "page.html"
    file.write_text(page.replace("</body>", LOOK + "</body>"), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'id="report">(.*?)</script>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(found.group(1))


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_what_a_person_sees(page: str, tmp_path: Path) -> None:
    report = opened(page, tmp_path)
    start = report["start"]
    data = drawn(page)["picture"]
    assert start["ready"] == "yes" and not any(r["errors"] for r in report.values() if isinstance(r, dict))
    assert start["rows"] == 5 and start["panels"] == 4 and not start["overflow"]
    assert start["points"] == 3 * 160  # two pictures of all statements, one of each
    flows = sum(a[0] == "flow" for a in data["arrows"])
    assert start["arrows"] == 2 * flows and start["captions"][0].startswith(f"160 points, {flows} arrows")
    assert start["tiles"] > 0 and start["code"] == 1 and start["later"] == 0

    assert report["without_flow"]["arrows"] == 0
    assert report["with_flow"]["arrows"] == report["as_before"]["arrows"] == start["arrows"]
    assert report["with_anti"]["arrows"] > start["arrows"]
    assert report["without_tiles"]["tiles"] == 0
    assert 0 < report["one_loop"]["arrows"] < start["arrows"] == report["every_loop"]["arrows"]
    assert report["shown"] == ["llvm"]
    assert 0 < report["first_step"]["later"] < start["points"]
    assert report["one_dimension"]["points"] < start["points"]
    assert report["one_statement"]["points"] == start["points"] - 80
    assert report["one_statement"]["captions"][0].startswith("80 points")
    assert report["themes"][0] != report["themes"][1]
    assert 0 < report["folded"]["folds"] < start["folds"]


def test_what_was_decided_is_said_once() -> None:
    x = te.placeholder((64, 64), name="X")
    kernel = akg.build([ops.softmax(x)], inputs=[x])
    text = str(kernel.explain())
    said = [line.removeprefix("note").strip() for line in text.splitlines()]
    assert kernel.report.notes
    assert [said.count(note) for note in kernel.report.notes] == [1] * len(kernel.report.notes)
