"""Which precision a run has: the option's, the solver's, or that of the run that is resumed."""

import numpy as np
import pytest

from netcli.arrays.device import CPU
from netcli.arrays.ops import Ops
from netcli.arrays.plain.bfloat16 import rounded
from netcli.errors import NetcliError
from netcli.prototxt import parse, schema
from netcli.snapshots import read_state, read_weights
from netcli.training.precision import ops_of, precision_of
from training.project import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def train(netcli, project, *options):
    """Status, messages, and (path, content) of the last state."""
    status, _, err = netcli("train", project.solver, "--engine", "plain", *options)
    path = f"{project.prefix}_iter_12.solverstate"
    return status, err, read_state(path)


def weights(project, iteration=12):
    found = read_weights(f"{project.prefix}_iter_{iteration}.caffemodel")
    return {layer.name: [np.array(blob) for blob in layer.blobs] for layer in found.layers if layer.blobs}


def same(a, b):
    return all(np.array_equal(x, y) for name in a for x, y in zip(a[name], b[name], strict=True))


def test_a_run_in_bf16(project, netcli):
    """It computes other numbers than f32, keeps its weights in float32, and is told in the snapshot and the folder."""
    train(netcli, project)
    single = weights(project)
    status, _, state = train(netcli, project, "--precision", "bf16")
    half = weights(project)
    assert (status, state.run.precision) == (0, "bf16")
    assert not same(single, half)
    for name in half:
        np.testing.assert_allclose(half[name][0], single[name][0], atol=0.05)
        assert not np.array_equal(half[name][0], rounded(half[name][0]))
    texts = sorted(project.folder.glob("runs/*/solver.prototxt"))
    assert ["precision: BF16" in path.read_text() for path in texts] == [False, True]


def test_the_solver_says_so(project, netcli):
    project.write("precision: BF16")
    assert train(netcli, project)[2].run.precision == "bf16"
    assert train(netcli, project, "--precision", "f32")[2].run.precision == "f32"


def test_a_resumed_run_goes_on_in_its_own(project, netcli):
    train(netcli, project, "--precision", "bf16")
    whole = weights(project)
    state = f"{project.prefix}_iter_5.solverstate"
    status, err, _ = train(netcli, project, "--resume", state)
    assert (status, err) == (0, "")
    assert same(weights(project), whole)
    status, err, found = train(netcli, project, "--resume", state, "--precision", "f32")
    assert status == 0
    assert "with precision f32, not bf16: last bits may differ" in err
    assert found.run.precision == "f32"


@pytest.mark.parametrize("command", ["test", "time", "summary"])
def test_other_commands_take_the_solvers(project, netcli, command):
    """The rounding is seen in `time`'s JSON, and elsewhere by the fault where no such engine is."""
    project.write("precision: BF16")
    options = {"test": ["--weights", f"{project.prefix}_iter_12.caffemodel"], "time": ["--json", "--iterations", "1"]}
    train(netcli, project)
    status, out, err = netcli(command, project.solver, "--engine", "plain", *options.get(command, []))
    assert (status, err) == (0, "")
    if command == "time":
        assert '"precision": "bf16"' in out


def test_a_processor_without_it_is_told_with_the_line(project, netcli, monkeypatch):
    def refuse(ops, engine, choices=None, precision="f32", device=CPU):
        if precision == "bf16":
            raise NetcliError("precision bf16 would be slower than f32 here: no such instructions")

    monkeypatch.setattr("netcli.training.precision.Ops.__init__", refuse)
    project.write("precision: BF16")
    status, _, err = netcli("train", project.solver)
    line = project.solver.read_text().splitlines().index("precision: BF16") + 1
    assert status == 2
    assert err.startswith(f"netcli: {project.solver}:{line}: precision bf16 would be slower than f32 here: ")
    status, _, err = netcli("train", project.solver, "--precision", "bf16")
    assert (status, err.partition("precision bf16 would")[0]) == (2, "netcli: --precision bf16: ")


def test_a_processor_without_it_is_told_of_a_run_that_had_it(project, netcli, monkeypatch):
    status, err, _ = train(netcli, project, "--precision", "bf16")
    assert (status, err) == (0, "")
    made = Ops.__init__

    def refuse(ops, engine, choices=None, precision="f32", device=CPU):
        if precision == "bf16":
            raise NetcliError("precision bf16 would be slower than f32 here: no such instructions")
        made(ops, engine, choices, precision, device)

    monkeypatch.setattr(Ops, "__init__", refuse)
    status, err, _ = train(netcli, project, "--resume", f"{project.prefix}_iter_5.solverstate")
    assert status == 2
    assert err.startswith("netcli: the run that is resumed goes on by --precision f32 alone: precision bf16 would be")


def test_without_a_word_of_the_solver():
    solver = schema.SolverParameter()
    assert precision_of(solver) == "f32"
    assert precision_of(solver, of_run="bf16") == "bf16"
    assert precision_of(solver, of_run="") == "f32"  # of an older netcli's run
    solver.precision = solver.FLOAT32
    assert precision_of(solver, of_run="bf16") == "f32"
    assert ops_of(None, "plain", "bf16").precision == "bf16"
    assert parse("precision: BF16", schema.SolverParameter).message.precision == solver.BF16
