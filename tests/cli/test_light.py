"""Commands that compile nothing load no compiler."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from akg.cli.choices import CACHE_ACTIONS

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = importlib.import_module("akg.cli.main")._COMMANDS  # akg.cli.main is the function


@pytest.mark.parametrize("words", ["--help", "run --help", "--version", "config", "cache ls", "cache path"])
def test_light_commands(words: str) -> None:
    source = f"""
import sys
from akg.cli import main
try:
    main({words.split()})
except SystemExit:
    pass
print(sorted({{"numpy", "islpy", "llvmlite", "ml_dtypes"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_where_the_table_says(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, name = COMMANDS[command].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    with pytest.raises(SystemExit) as caught:
        importlib.import_module("akg.cli.main").main([command, "--help"])
    assert caught.value.code == 0 and f"akg {command}" in capsys.readouterr().out


def test_actions_of_the_cache() -> None:
    assert tuple(importlib.import_module("akg.cli.settings")._CACHE) == CACHE_ACTIONS
