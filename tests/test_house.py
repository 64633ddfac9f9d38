"""The house rules that a tool would not hold: sizes, floors, no cycle, nothing that belongs elsewhere."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "akg").rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in FILES]
FLOORS = {
    "base": 0, "ir": 1, "ops": 2, "poly": 2, "codegen": 3, "runtime": 3, "driver": 4, "fusion": 5, "frontends": 6,
    "cli": 7, "doctor": 7, "__main__": 8,
}  # fmt: skip
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_MEDIAN_LINES = 600, 80, 250
each_file = pytest.mark.parametrize("path", FILES, ids=IDS)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below `node` that runs: not the blocks for type checkers."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from statements(child)


def imports_of(path: Path) -> set[str]:
    """The modules of the package that a file imports when it loads."""
    found: set[str] = set()
    for node in statements(tree_of(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names & MODULES.keys())
            if not names <= MODULES.keys():  # some names are not modules, so the module itself is used
                found.add(node.module)
    return {name for name in found if name in MODULES}


@each_file
def test_file_size(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


def test_size_of_files_beside_the_package() -> None:
    files = [path for room in ("tests", "bench") for path in (ROOT / room).rglob("*.py")]
    long = {str(p): n for p in files if (n := len(p.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES}
    assert files and not long


def test_median_file_size() -> None:
    sizes = sorted(n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 0)
    assert sizes[len(sizes) // 2] <= MAX_MEDIAN_LINES


@each_file
def test_function_sizes(path: Path) -> None:
    long = {
        node.name: size
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert not long


@each_file
def test_no_import_in_functions(path: Path) -> None:
    hidden = [
        f"line {inner.lineno}: {ast.unparse(inner)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
        if isinstance(inner, (ast.Import, ast.ImportFrom))
    ]
    assert not hidden


@each_file
def test_nothing_that_belongs_elsewhere(path: Path) -> None:
    module = module_of(path)
    room = module.split(".")[1] if "." in module else ""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and room not in ("cli", "doctor"):
            assert node.func.id != "print", f"line {node.lineno}: print"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"):
            assert module == "akg.base.config", f"line {node.lineno}: the environment"
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "islpy" for alias in node.names):
            assert module == "akg.poly.isl", f"line {node.lineno}: islpy"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "islpy":
            assert module == "akg.poly.isl", f"line {node.lineno}: islpy"


@each_file
def test_module_docstring(path: Path) -> None:
    tree = tree_of(path)
    assert not tree.body or ast.get_docstring(tree), "say in one sentence what the file is for"


@each_file
def test_floor(path: Path) -> None:
    module = module_of(path)
    if module == "akg":
        allowed = {"akg.base.collection", "akg.base.config", "akg.base.errors"}
        assert imports_of(path) <= allowed, "the face hands names on lazily"
        return
    room = module.split(".")[1]
    for name in imports_of(path):
        other = name.split(".")[1] if "." in name else ""
        if other not in ("", room):
            assert FLOORS[other] < FLOORS[room] or (room, other) == ("cli", "doctor"), f"{module} imports {name}"


def test_no_import_cycle() -> None:
    graph = {module: imports_of(path) for module, path in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())
