import json
import math

import pytest

from netcli.training.hooks import Hook, Order
from netcli.training.metrics import Metrics
from netcli.training.snapshot import Snapshots
from training.project import Record


def metrics_of(project, *hooks):
    path, record = project.folder / "metrics.jsonl", Record()
    session = project.open()
    run = session.trainer()
    run.add([Metrics(path), Snapshots(session.document.message), record, *hooks])
    run.train()
    session.close()

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()], record


def test_every_number_is_there_once(project):
    entries, record = metrics_of(project)
    train = [e for e in entries if e["kind"] == "train"]
    assert [e["iteration"] for e in train] == [0, 2, 4, 6, 8, 10, 12]
    assert [e["outputs"]["loss"] for e in train[:-1]] == pytest.approx(record.losses[::2])
    assert train[1]["loss"] == pytest.approx(sum(record.losses[:3]) / 3)
    assert train[0]["lr"] == pytest.approx(0.1)
    tests = [e for e in entries if e["kind"] == "test"]
    assert [(e["iteration"], e["net"]) for e in tests] == [(0, 0), (4, 0), (8, 0), (12, 0)]
    assert tests[0]["outputs"] == {"accuracy": record.scores[0][3][0], "loss": record.scores[0][3][1]}
    assert tests[0]["losses"] == ["loss"]
    assert [e["iteration"] for e in entries if e["kind"] == "snapshot"] == [5, 10, 12]
    assert [e["seconds"] for e in entries] == sorted(e["seconds"] for e in entries)


def test_a_solver_without_display_still_gives_a_curve(project):
    project.write("display: 0")
    entries, _ = metrics_of(project)
    assert [e["iteration"] for e in entries if e["kind"] == "train"] == list(range(12))


def test_numbers_that_json_does_not_have(project):
    class Spoil(Hook):
        order = Order.WRITE

        def computed(self, run):
            run.losses.append(math.nan)

    entries, _ = metrics_of(project, Spoil())
    assert entries[1]["loss"] is None
