"""`import caffe` in a program resolves to `netcli.pycaffe`.

Note [One module]: an alias of the package alone would let `import caffe.io` load the file a second time, with
classes of its own.  So a finder in front of all others answers for `caffe` and everything below it with the module
of netcli.pycaffe itself, imported when it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

OURS = "netcli.pycaffe"
THEIRS = "caffe"
INNER = ("caffe._caffe", "caffe.pycaffe")  # modules of Caffe's whose names the package has


class _Found(Loader):
    """Gives a module that is there under another name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed; its own spec, which the import system has written over, is put back."""
        module.__spec__ = self._spec


class AsCaffe(MetaPathFinder):
    """Finds the modules of netcli.pycaffe under Caffe's names."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname != THEIRS and not fullname.startswith(f"{THEIRS}."):
            return None
        ours = OURS if fullname in INNER else OURS + fullname[len(THEIRS) :]
        found = importlib.util.find_spec(ours)
        if found is None:
            return None
        return ModuleSpec(fullname, _Found(ours), origin=found.origin, is_package=False)


def install_as_caffe() -> None:
    """Let every `import caffe` from now on mean netcli.pycaffe, before any other package of that name.

    Harmless the second time; raises ImportError where another caffe has been imported already.
    """
    there = sys.modules.get(THEIRS)
    if there is not None and there.__name__ != OURS:
        origin = getattr(there, "__file__", None) or "nowhere"
        raise ImportError(f"another caffe is imported already, from {origin}; install netcli's before that")
    if not any(isinstance(finder, AsCaffe) for finder in sys.meta_path):
        sys.meta_path.insert(0, AsCaffe())
