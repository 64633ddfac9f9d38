"""Arguments, dispatch, and what a user's mistake looks like: its message, no traceback, exit status 2.

The module of a command is imported when the command runs: most of them load isl and LLVM, which takes longer than
the commands that need neither.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import akg
from akg.base.config import config
from akg.base.errors import AkgError, suggest
from akg.cli.choices import CACHE_ACTIONS, DEFAULT_SIZE, EMIT, SAVE_KINDS, SAVE_THREADS

USER_ERROR = 2
# Command -> where its function is.
_COMMANDS = {
    "demo": "akg.cli.demo:run",
    "compile": "akg.cli.build:compile",
    "run": "akg.cli.run:run",
    "explain": "akg.cli.build:explain",
    "cache": "akg.cli.settings:cache",
    "doctor": "akg.doctor:run",
    "config": "akg.cli.settings:show_config",
}
_GRAPHS = (".onnx", ".json")  # files that hold a graph; these commands have a second form for them
_PLACE = ("FILE.py for everything it offers, FILE.py:name for a script, a te tensor or a lowered computation, "
          "MODEL.onnx, or GRAPH.json for a composite document")  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint about a command says what was meant."""

    def error(self, message: str) -> NoReturn:
        head, mark, rest = message.partition("invalid choice: ")
        if mark:
            wrong, _, choices = rest.partition(" (choose from ")
            known = [c.strip().strip("'") for c in choices.rstrip(")").split(",")]
            what = "command" if "command" in head else "choice"
            message = f"unknown {what} {wrong}: {suggest(wrong.strip(chr(39)), known, what + 's')}"
        self.exit(USER_ERROR, f"{self.prog}: {message}\nsee: {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 1 where a check failed, 2 for a mistake of the user."""
    options = _parser().parse_args(argv)
    dump = getattr(options, "dump", None)
    try:
        with config.override(**({} if dump is None else {"dump": dump})):
            return _function(options)(options)
    except AkgError as error:
        if not _is_beside(error, getattr(options, "place", None)):
            error.span = None  # the place is our own entry point, which tells the user nothing
        print(f"akg {options.command}: {error}", file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:  # `akg ... | head`
        sys.stderr.close()
        return 0


def _function(options: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    module, _, name = _COMMANDS[options.command].partition(":")
    if str(getattr(options, "place", "")).endswith(_GRAPHS):
        module = "akg.cli.graphs"
    return getattr(importlib.import_module(module), name)


def _is_beside(error: AkgError, place: str | None) -> bool:
    """Whether an error is about a line in the file that the user named, or one beside it."""
    if error.span is None or place is None:
        return False
    file, folder = Path(error.span.filename), Path(place.partition(".py:")[0]).resolve().parent
    return file.is_file() and file.resolve().is_relative_to(folder)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("akg", description="A polyhedral tensor compiler.", epilog="Each command has --help.")
    parser.add_argument("--version", action="version", version=f"akg {akg.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True, parser_class=_Parser)
    one = _add(commands, "demo", "build, explain, check and time three kernels", "akg demo --quick")
    one.add_argument("--quick", action="store_true", help="smaller kernels, fewer repetitions")
    one.add_argument("--strategy", help="scheduling strategy; default: the option `strategy`")

    one = _add(commands, "compile", "build kernels of a Python file",
               "akg compile lu.py:lu --strategy isl --emit c -o lu.c")  # fmt: skip
    _add_place(one)
    _add_shapes(one)
    one.add_argument("--explain", action="store_true", help="say what was fused, and why each kernel looks as it does")
    one.add_argument("--emit", choices=EMIT, help="print this text instead of the table of builds")
    one.add_argument("-o", "--output", metavar="PATH", help="write to a file instead of standard output")
    one.add_argument("--save", metavar="DIR", help="write object files, C headers and metadata to a directory")
    one.add_argument("--kind", choices=SAVE_KINDS, default="object",
                     help='with --save: "shared" writes a shared object too')  # fmt: skip
    one.add_argument("--threads", choices=SAVE_THREADS, default="openmp",
                     help='with --save: "serial" needs no OpenMP runtime')  # fmt: skip

    one = _add(commands, "run", "run a kernel on random inputs; time it and compare with the interpreter",
               "akg run lu.py:lu --size n=200")  # fmt: skip
    _add_place(one)
    _add_shapes(one)
    one.add_argument("--explain", action="store_true", help="say what was fused, and why each kernel looks as it does")

    one = _add(commands, "explain", "say of each loop how it runs, what forbids more, and what would allow it",
               "akg explain lu.py:lu --strategy isl --html lu.html")  # fmt: skip
    _add_place(one)
    _add_shapes(one)
    one.add_argument("--html", metavar="PATH",
                     help="write a page with pictures instead; PATH-NAME for each of several kernels")  # fmt: skip

    one = _add(commands, "cache", "list, verify or clear the kernel cache", "akg cache ls")
    one.add_argument("action", choices=CACHE_ACTIONS, metavar="|".join(CACHE_ACTIONS))

    _add(commands, "doctor", "say what is present, what is missing and how to install it", "akg doctor")
    _add(commands, "config", "list the options with their values and origins", "akg config")
    return parser


def _add(commands: argparse._SubParsersAction[_Parser], name: str, help: str, example: str) -> _Parser:
    description = help[0].upper() + help[1:] + "."
    return commands.add_parser(name, help=help, description=description, epilog=f"example: {example}")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="FILE", help=_PLACE)
    parser.add_argument("--strategy", help="a name, or a path to a JSON file; default: the option `strategy`")
    parser.add_argument("--target", help="a target's name; default: the option `target`")
    parser.add_argument("--dump", metavar="DIR", help="write the program after each pass to a directory")


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", action="append", default=[], metavar="NAME=VALUE", help="a symbolic size; repeatable")
    parser.add_argument("--default-size", type=int, default=DEFAULT_SIZE, metavar="N",
                        help=f"for symbolic sizes that --size does not name; default {DEFAULT_SIZE}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of random inputs")
