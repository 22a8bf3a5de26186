"""The floors of netcli/README.md: imports point downward only, and importing netcli is cheap."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_a_module_imports_only_from_floors_below_its_own():
    pytest.importorskip("importlinter")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["netcli", "netcli.cli.main", "netcli.layers.registry"])
def test_import_takes_no_library_it_does_not_need(module):
    heavy = ["cupy", "h5py", "matplotlib", "torch", "lmdb", "plyvel", "PIL"]
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_package_has_its_page():
    for init in (ROOT / "netcli").rglob("__init__.py"):
        if init.parent.name != "netcli":
            assert (init.parent / "README.md").is_file(), init.parent
