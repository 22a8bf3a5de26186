import json

import pytest

from training.project import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "none/trace.json"], "none/trace.json: can't be written: there is no folder none"),
        (["--profile", "."], ".: can't be written: is a directory"),
        (
            ["--profile", "t.json", "--profile-iterations", "12", "12"],
            "after 12 iterations, and there are 12 left",
        ),
        (["--profile", "t.json", "--profile-iterations", "3", "2"], "takes the first and the last"),
        (["--profile", ""], "'': can't be written"),
        (["--profile-iterations", "2", "3"], "--profile-iterations is for --profile FILE"),
    ],
)
def test_a_trace_that_can_t_be_is_told_before_the_training(project, netcli, options, said):
    status, _, err = netcli("train", project.solver, *options)
    assert status == 2
    assert said in err
    assert not (project.folder / "runs").exists()
    assert not list(project.folder.glob("*.json*"))


def test_a_trace_counts_from_where_a_run_goes_on(project, netcli):
    assert netcli("train", project.solver, "--set", "max_iter=5", "--quiet")[0] == 0
    trace = ["--profile", "trace.json", "--profile-iterations", "2", "3"]
    assert netcli("train", project.solver, "--resume", "--quiet", *trace)[0] == 0
    events = json.loads((project.folder / "trace.json").read_text())["traceEvents"]
    assert [e["name"] for e in events if e.get("cat") == "iteration"] == ["iteration 7", "iteration 8"]
