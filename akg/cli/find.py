"""What a Python file offers to compile: `FILE.py` for everything, `FILE.py:name` for one."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import akg
from akg.base.errors import AkgError, suggest
from akg.driver.build import Lowered
from akg.ir import te
from akg.ir.script import Script
from akg.ir.stmt import Kernel as LoopKernel
from akg.poly.strategy import StrategyLike
from akg.runtime.kernel import Kernel

LISTING = "kernels"  # a function of this name in a file lists its computations


def load(place: str) -> dict[str, Any]:
    """The computations of ``FILE.py`` or ``FILE.py:name``, by name.

    Whole files offer their scripts, lowered computations, kernels, and what a function ``kernels()`` returns (a dict
    or a list). A name may also be a te tensor.

    Raises:
        AkgError: AKG-E620 for a file that cannot be run, AKG-E621 for a name that is not there or is no
            computation, AKG-E622 for a file without computations.
    """
    path, _, name = place.partition(".py:")
    file = Path(path + ".py" if name else place)
    module = _import(file)
    offered = _offered(module, file)
    if name:
        return {name: _named(module, file, name, offered)}
    if not offered:
        raise AkgError(
            "AKG-E622",
            f"{file} has nothing to compile",
            because="it has no @akg.script function, no result of akg.lower or akg.build, and no function kernels()",
            hint=f"name a te tensor, as in {file}:D, or define kernels() that returns a dict of computations",
        )
    return offered


def _import(file: Path) -> ModuleType:
    if not file.is_file():
        raise AkgError("AKG-E620", f"no file {file}", hint="give a Python file, or FILE.py:name")
    if file.suffix != ".py":
        raise AkgError("AKG-E620", f"{file} is not a Python file", hint="give a Python file, or FILE.py:name")
    spec = importlib.util.spec_from_file_location(f"akg_place_{file.stem}", file)  # hides no module of that name
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(file.parent))  # files beside it, as `python FILE.py` finds them
    try:
        spec.loader.exec_module(module)
    except AkgError:
        raise
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else 0
        raise AkgError(
            "AKG-E620", f"{file} fails at line {line or 0}", because=f"{type(error).__name__}: {error}"
        ) from None
    return module


def _offered(module: ModuleType, file: Path) -> dict[str, Any]:
    found = {n: v for n, v in vars(module).items() if isinstance(v, (Script, Lowered, Kernel, LoopKernel))}
    listing = getattr(module, LISTING, None)
    if callable(listing) and not isinstance(listing, Script):
        values: Any = listing()
        if isinstance(values, dict):
            found.update(values)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(values, (list, tuple)):
            found.update({_title(v, k): v for k, v in enumerate(values)})
        else:
            raise AkgError(
                "AKG-E622",
                f"{LISTING}() of {file} returns a {type(values).__name__}",
                hint="return a dict of computations by name, or a list of them",
            )
    return {name: value for name, value in found.items() if not name.startswith("_")}


def _title(value: Any, position: int) -> str:
    if isinstance(value, Lowered):
        return value.kernel.name
    return str(getattr(value, "name", f"kernel{position}"))


def _named(module: ModuleType, file: Path, name: str, offered: dict[str, Any]) -> Any:
    value = offered.get(name, getattr(module, name, None))
    if value is None:
        tensors = [n for n, v in vars(module).items() if isinstance(v, te.Tensor)]
        raise AkgError("AKG-E621", f"{file} has no {name!r}", hint=suggest(name, [*offered, *tensors], "computations"))
    if not isinstance(value, (Script, Lowered, Kernel, LoopKernel, te.Tensor, list, tuple)):
        raise AkgError(
            "AKG-E621",
            f"{name} of {file} is a {type(value).__name__}",
            because="a computation is an @akg.script function, a te tensor, or a result of akg.lower or akg.build",
        )
    return value


def build(value: Any, target: str | None, strategy: StrategyLike, name: str) -> Kernel:
    """A kernel from what a file offers.

    Raises:
        AkgError: AKG-E623 for a kernel that is built already and is asked for with a strategy or target.
    """
    if isinstance(value, Kernel):
        if target is not None or strategy is not None:
            raise AkgError(
                "AKG-E623",
                f"{name} is built already",
                because="the file calls akg.build itself, so no other strategy or target applies",
                hint=f"let the file offer {name} = akg.lower(...)",
            )
        return value
    return akg.build(value, target=target, strategy=strategy)
