import json

from netcli.training.chart import Line
from netcli.training.curve import draw_metrics, read_lines
from training.test_chart import polylines


def entry(kind, iteration, **more):
    return json.dumps({"kind": kind, "iteration": iteration, "seconds": 0, **more}) + "\n"


def test_lines_of_a_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        entry("train", 0, loss=2.0, lr=0.1, outputs={})
        + entry("test", 0, net=0, loss=2.5, outputs={"accuracy": 0.1, "loss": 2.5, "prob": [0.5, 0.5]}, losses=["loss"])
        + entry("train", 10, loss=1.5, lr=0.1, outputs={})
        + entry("train", 10, loss=1.0, lr=0.1, outputs={})  # a resumed run tells it again
        + entry("train", 20, loss=None, lr=0.1, outputs={})
        + entry("test", 20, net=1, loss=0.0, outputs={"accuracy": 0.8}, losses=[])
        + entry("snapshot", 20, weights="w", state="s")
    )
    losses, scores = read_lines(path)
    assert losses == [Line("training loss", [(0, 2.0), (10, 1.0)]), Line("test loss", [(0, 2.5)])]
    assert scores == [Line("test accuracy", [(0, 0.1)]), Line("test 1 accuracy", [(20, 0.8)])]
    draw_metrics(path, tmp_path / "curve.svg", "n")
    assert len(polylines((tmp_path / "curve.svg").read_text())) == 4


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    """A full disk, or a kill, leaves half a line; a resumed run writes on behind it."""
    path = tmp_path / "metrics.jsonl"
    whole = entry("train", 0, loss=2.0, outputs={})
    path.write_text(
        whole + whole[:20] + entry("train", 5, loss=1.0, outputs={}) + entry("train", 9, loss=1, outputs={})
    )
    assert read_lines(path)[0] == [Line("training loss", [(0, 2.0), (9, 1)])]


def test_nothing_to_draw(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("")
    draw_metrics(tmp_path / "metrics.jsonl", tmp_path / "curve.svg", "n")
    assert not (tmp_path / "curve.svg").exists()
