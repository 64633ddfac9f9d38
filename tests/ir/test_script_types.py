"""Type checkers see what a script's arguments are when it runs: arrays and numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKER = shutil.which("basedpyright", path=str(Path(sys.executable).parent)) or shutil.which("basedpyright")


@pytest.mark.skipif(CHECKER is None, reason="no basedpyright")
def test_scripts_pass_a_type_checker(tmp_path: Path) -> None:
    here = Path(__file__).resolve().parent
    assert CHECKER is not None
    (tmp_path / "typed.py").write_text((here / "typed_script.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"typeCheckingMode": "basic", "extraPaths": ["{here.parent.parent.as_posix()}"]}}', encoding="utf-8"
    )
    result = subprocess.run(
        [CHECKER, "-p", str(tmp_path), "--pythonpath", sys.executable], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
