from concurrent.futures import ThreadPoolExecutor

import pytest

from netcli.errors import NetcliError, SnapshotError
from netcli.snapshots import read_state, read_weights, wire
from netcli.training import snapshot
from netcli.training.snapshot import Snapshots, check_prefix
from training.project import Record


def train(project, record):
    session = project.open()
    run = session.trainer()
    run.add([Snapshots(session.document.message), record])
    try:
        run.train()
    finally:
        session.close()
    return run


def saved(record):
    return [int(event.split("_iter_")[1].split(".")[0]) for event in record.events if event.startswith("saved")]


def test_what_a_snapshot_holds(project):
    record = Record()
    run = train(project, record)
    weights = read_weights(f"{project.prefix}_iter_12.caffemodel")
    assert [layer.name for layer in weights.layers if layer.blobs] == ["ip1", "ip2"]
    state = read_state(f"{project.prefix}_iter_12.solverstate")
    assert state.iteration == 12
    assert state.learned_net == f"{project.prefix}_iter_12.caffemodel"
    assert state.run.random_seed == 7
    positions = {(p.net, p.layer): p.records for p in state.run.positions}
    assert positions == {("train", "data"): 12 * 4, ("test 0", "data"): 3 * 5 * 3}  # tests at 0, 4 and 8
    assert len(state.run.loss_window) == 3
    assert run.iteration == 12


@pytest.mark.parametrize(
    ("more", "stop_at", "written"),
    [
        ("snapshot_after_train: false", None, [5, 10]),
        ("snapshot: 0", None, [12]),
        ("snapshot_after_train: false", 7, [5, 7]),
        ("snapshot: 0 snapshot_after_train: false", 7, []),
        ("snapshot: 0", 7, [7]),
        ("max_iter: 10", None, [5, 10]),
    ],
)
def test_when_snapshots_are_written(project, more, stop_at, written):
    project.write(more)
    record = Record(stop_at)
    train(project, record)
    assert saved(record) == written


@pytest.mark.parametrize(("more", "written"), [("snapshot: 0", [0]), ("snapshot_after_train: false", []), ("", [])])
def test_a_training_of_no_step_writes_its_first_weights(project, more, written):
    """Where `snapshot` names its iteration, 0, it is left to that, which has none."""
    project.write(f"max_iter: 0 {more}")
    record = Record()
    train(project, record)
    assert saved(record) == written
    train(project, again := Record())  # there already
    assert saved(again) == []


def test_a_snapshot_that_fails_is_tried_again_at_the_next(project, caplog, monkeypatch):
    whole = snapshot.write_state

    def full(path, state):
        if state.iteration == 5:
            raise SnapshotError(f"{path}: can't be written: no space left on device")
        whole(path, state)

    monkeypatch.setattr(snapshot, "write_state", full)
    record = Record()
    train(project, record)
    assert saved(record) == [10, 12]
    (message,) = [r.getMessage() for r in caplog.records]
    assert message.endswith("no space left on device; training goes on, and tries again at the next snapshot")


def test_a_state_of_an_earlier_run_never_names_weights_of_this_one(project, monkeypatch):
    """Also where a run ends, or the disk is full, between its weights and its state."""
    train(project, Record())

    def full(path, state):
        raise SnapshotError(f"{path}: can't be written: no space left on device")

    monkeypatch.setattr(snapshot, "write_state", full)
    project.write("random_seed: 8")
    with pytest.raises(SnapshotError):
        train(project, Record())
    assert not list(project.folder.glob("*.solverstate"))


def test_a_last_snapshot_that_fails_is_an_error(project, monkeypatch):
    def full(path, state):
        raise SnapshotError(f"{path}: can't be written: no space left on device")

    monkeypatch.setattr(snapshot, "write_state", full)
    project.write("snapshot: 0")
    with pytest.raises(SnapshotError, match="no space left on device"):
        train(project, Record())


def test_a_prefix_is_tried_before_anything_else(tmp_path):
    check_prefix(str(tmp_path / "net"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NetcliError, match=f"snapshots can't be written: there is no folder {tmp_path}/none"):
        check_prefix(str(tmp_path / "none" / "net"))
    (tmp_path / "file").write_text("")
    with pytest.raises(NetcliError, match="snapshots can't be written: there is no folder"):
        check_prefix(str(tmp_path / "file" / "net"))
    with pytest.raises(NetcliError, match=r"snapshots can't be written: .*: File name too long"):
        check_prefix(str(tmp_path / ("n" * 300)))


def test_a_prefix_is_tried_by_several_threads_at_once(tmp_path):
    prefix = str(tmp_path / "net")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(check_prefix, [prefix] * 2000)) == [None] * 2000


def refusal(project):
    """What a training says that ends before its first iteration, with no file written."""
    before = sorted(project.folder.iterdir())
    record = Record()
    with pytest.raises(SnapshotError) as caught:
        train(project, record)
    assert record.events in ([], ["end"])
    assert sorted(project.folder.iterdir()) == before
    return str(caught.value)


def test_weights_above_protobuf_s_limit_are_told_before_the_first_iteration(project, monkeypatch):
    monkeypatch.setattr(wire, "LARGEST", 1000)
    words = refusal(project)
    assert words.startswith(f"{project.prefix}_iter_N.caffemodel: a binary caffemodel of ")
    assert words.endswith(" (1,000); snapshot_format: HDF5 has no such limit")
    project.write("snapshot_format: HDF5")
    record = Record()
    train(project, record)
    assert saved(record) == [5, 10, 12]


def test_a_history_above_protobuf_s_limit_is_told_before_the_first_iteration(project, monkeypatch):
    """Adam's is twice as large as the weights."""
    train(project, Record())
    size = max(path.stat().st_size for path in project.folder.glob("*_12.*"))
    monkeypatch.setattr(wire, "LARGEST", size)
    project.write('type: "Adam" momentum2: 0.999')
    assert refusal(project).startswith(f"{project.prefix}_iter_N.solverstate: a binary solver state of ")


def test_a_run_without_snapshots_may_be_of_any_size(project, monkeypatch):
    monkeypatch.setattr(wire, "LARGEST", 1000)
    project.write("snapshot: 0 snapshot_after_train: false")
    record = Record()
    train(project, record)
    assert saved(record) == []
    assert record.losses
