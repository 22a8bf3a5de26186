"""`import caffe` in programs, and `python -m netcli.pycaffe`."""

import subprocess
import sys

import pytest


def run(*arguments, folder, **options):
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, **options
    )


def answer(folder, program):
    """What a program prints that is run for itself."""
    (folder / "program.py").write_text(program)
    done = run("program.py", folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


INSTALL = "import sys, netcli.pycaffe\nnetcli.pycaffe.install_as_caffe()\n"


def test_every_module_is_there_once(tmp_path):
    program = f"""{INSTALL}
import caffe
import caffe.io
import caffe.proto.caffe_pb2
from caffe.proto import caffe_pb2
from caffe.coord_map import crop
import caffe.draw
import netcli.pycaffe.io, netcli.pycaffe.proto.caffe_pb2, netcli.pycaffe.coord_map
print(caffe is netcli.pycaffe, caffe.io is netcli.pycaffe.io, sys.modules["caffe.io"] is netcli.pycaffe.io)
print(caffe_pb2 is netcli.pycaffe.proto.caffe_pb2, caffe.proto.caffe_pb2 is caffe_pb2)
print(crop is netcli.pycaffe.coord_map.crop, caffe.draw is netcli.pycaffe.draw)
print(caffe.__spec__.name == "netcli.pycaffe", caffe.io.__spec__.name == "netcli.pycaffe.io")
from caffe._caffe import Net
from caffe.pycaffe import SGDSolver
print(Net is caffe.Net, SGDSolver is caffe.SGDSolver)
"""
    assert set(answer(tmp_path, program)) == {"True"}


def test_nothing_of_it_is_imported_before_it_is_asked_for(tmp_path):
    program = "import sys, netcli.cli.main\nprint(any(name.startswith('netcli.pycaffe') for name in sys.modules))"
    assert answer(tmp_path, program) == ["False"]


def test_it_goes_before_a_caffe_on_the_path(tmp_path):
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / "__init__.py").write_text("raise SystemError('the wrong one')")
    assert answer(tmp_path, f"{INSTALL}import caffe\nprint(caffe.__name__)") == ["netcli.pycaffe"]


def test_twice_is_once(tmp_path):
    program = f"{INSTALL}{INSTALL}import caffe\nnetcli.pycaffe.install_as_caffe()\nprint(len(sys.meta_path))"
    once = f"{INSTALL}print(len(sys.meta_path))"
    assert answer(tmp_path, program) == answer(tmp_path, once)


def test_another_caffe_that_is_imported_already_is_named(tmp_path):
    (tmp_path / "caffe.py").write_text("")
    program = f"""
import caffe
try:
    {INSTALL.replace(chr(10), chr(10) + "    ")}
except ImportError as fault:
    print(fault)
"""
    assert str(tmp_path / "caffe.py,").rstrip(",") in " ".join(answer(tmp_path, program)).replace(";", " ").split()


def test_a_module_that_is_not_there_is_not_found(tmp_path):
    program = f"""{INSTALL}
try:
    import caffe.nothing
except ModuleNotFoundError as fault:
    print(fault.name)
"""
    assert answer(tmp_path, program) == ["caffe.nothing"]


# -- python -m netcli.pycaffe

SCRIPT = """
import sys
import caffe, beside
print(caffe.__name__, __name__, *sys.argv[1:], beside.VALUE)
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "beside.py").write_text("VALUE = 5")
    (tmp_path / "scripts" / "go.py").write_text(SCRIPT)
    return tmp_path


def test_a_script_runs_with_its_arguments_and_its_neighbours(script):
    done = run("-m", "netcli.pycaffe", "scripts/go.py", "-x", "--gpu", "0", folder=script)
    assert done.stdout.split() == ["netcli.pycaffe", "__main__", "-x", "--gpu", "0", "5"], done.stderr


def test_a_module_runs_as_well(script):
    done = run("-m", "netcli.pycaffe", "-m", "go", "a", folder=script / "scripts")
    assert done.stdout.split() == ["netcli.pycaffe", "__main__", "a", "5"], done.stderr


def test_and_a_line_of_code(script):
    done = run("-m", "netcli.pycaffe", "-c", "import sys, caffe; print(caffe.TEST, sys.argv[1:])", "b", folder=script)
    assert done.stdout.split() == ["1", "['b']"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.py"], "there is no script none.py"),
        (["."], ". is a folder without a __main__.py"),
        ([], "usage: python -m netcli.pycaffe"),
        (["-m"], "-m needs a module"),
        (["-q", "go.py"], "there is no option -q"),
    ],
)
def test_what_can_not_be_run_is_told(tmp_path, arguments, says):
    done = run("-m", "netcli.pycaffe", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scripts_own_exit_and_faults_are_its_own(tmp_path):
    (tmp_path / "exits.py").write_text("raise SystemExit(7)")
    (tmp_path / "fails.py").write_text("import caffe\ncaffe.Net('none.prototxt', caffe.TEST)")
    assert run("-m", "netcli.pycaffe", "exits.py", folder=tmp_path).returncode == 7
    done = run("-m", "netcli.pycaffe", "fails.py", folder=tmp_path)
    assert done.returncode == 1
    assert "none.prototxt: there is no such file" in done.stderr
