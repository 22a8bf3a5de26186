"""Finding the class of a user's Python layer."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from netcli.errors import NetcliError, suggestion


def load_module(name: str, folder: str | None) -> ModuleType:
    """The module, from the current folder, PYTHONPATH (and all else on sys.path), or `folder`, that of the net.

    Both folders stay on sys.path, since a module may import its neighbours late.  Raises NetcliError where the module,
    or one that it imports, is not there; whatever else it raises is the user's.
    """
    here = os.getcwd()
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()  # the file may be younger than this process
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if fault.name is None:
            raise
        field = "python_param.module"
        if f"{name}.".startswith(f"{fault.name}."):
            raise NetcliError(
                f"there is no module '{name}' in the current folder, on PYTHONPATH or beside the net's file",
                field=field,
            ) from None
        raise NetcliError(f"its module '{name}' imports '{fault.name}', which is not there", field=field) from None


def class_of(module: ModuleType, name: str) -> Any:
    """The class in the module; raises NetcliError where there is none."""
    field = "python_param.layer"
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        classes = [each for each, value in vars(module).items() if inspect.isclass(value)]
        raise NetcliError(f"module '{module.__name__}' has no class '{name}'{suggestion(name, classes)}", field=field)
    return found


def check_methods(cls: Any, names: Iterable[str]) -> None:
    """Raise NetcliError where a user's class lacks one of these methods."""
    for name in names:
        if not callable(getattr(cls, name, None)):
            raise NetcliError(
                f"class '{cls.__name__}' of module '{cls.__module__}' has no method {name}", field="python_param.layer"
            )
