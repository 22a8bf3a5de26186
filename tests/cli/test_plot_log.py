import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from training.test_chart import NS, polylines
from training.test_log_parser import OLD


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text(OLD)
    (tmp_path / "runs/b-1").mkdir(parents=True)
    (tmp_path / "runs/b-1/train.log").write_text(OLD.replace("accuracy = 0.9", "accuracy = 0.8"))


def texts(path):
    return [text.text for text in ET.parse(path).getroot().findall("svg:text", NS)]


def names(path):
    """The legends' names, without their last values."""
    return [found[1] for text in texts(path) if (found := re.fullmatch(r"(.*[a-z].*) [\d.e-]+", text))]


def test_losses_and_scores_of_a_log(netcli):
    assert netcli("plot-log", "a.log", "out.svg") == (0, "out.svg\n", "")
    assert names("out.svg") == ["train loss", "test loss", "test accuracy"]
    assert {"a", "iteration", "test accuracy 0.9"} <= set(texts("out.svg"))


@pytest.mark.parametrize(
    ("number", "what", "x", "last"),
    [
        (0, "test accuracy", "iteration", "0.9"),
        (1, "test accuracy", "seconds", "0.9"),
        (2, "test loss", "iteration", "0.3"),
        (3, "test loss", "seconds", "0.3"),
        (4, "train lr", "iteration", "0.009"),
        (5, "train lr", "seconds", "0.009"),
        (6, "train loss", "iteration", "0.125"),
        (7, "train loss", "seconds", "0.125"),
    ],
)
def test_the_charts_of_caffes_script(netcli, number, what, x, last):
    assert netcli("plot-log", "a.log", "out.svg", "--chart", number)[0] == 0
    assert {x, f"{what} {last}"} <= set(texts("out.svg"))
    assert len(polylines(Path("out.svg").read_text())) == 1


def test_several_logs_in_one_chart(netcli):
    assert netcli("plot-log", "a.log", "runs/b-1", "out.svg", "--chart", 0)[0] == 0
    assert {"a 0.9", "b-1 0.8", "Test accuracy vs. iters", "test accuracy"} <= set(texts("out.svg"))
    colours = {line.get("stroke") for line in ET.parse("out.svg").getroot().findall("svg:polyline", NS)}
    assert len(colours) == 2
    assert netcli("plot-log", "a.log", "a.log", "out.svg", "--y", "loss", "--title", "mine")[0] == 0
    assert {"mine", "a.log: train loss 0.125", "a.log: test loss 0.3"} <= set(texts("out.svg"))


def test_numbers_by_name(netcli):
    assert netcli("plot-log", "a.log", "out.svg", "--y", "loss,accuracy", "--y", "lr", "--x", "seconds")[0] == 0
    assert names("out.svg") == ["train loss", "test loss", "test accuracy", "train lr"]
    assert {"loss", "accuracy", "lr", "seconds"} <= set(texts("out.svg"))
    assert netcli("plot-log", "a.log", "out.svg", "--y", "test loss")[0] == 0
    assert names("out.svg") == ["test loss"]


def test_an_iteration_told_again_counts_once_over_iterations(netcli, tmp_path):
    told = OLD[OLD.index("I0210 13:39:30.500000") :]
    (tmp_path / "a.log").write_text(OLD + told.replace("0.125", "0.5").replace("13:39", "13:40"))
    netcli("plot-log", "a.log", "out.svg", "--chart", 6)
    assert len(polylines(Path("out.svg").read_text())[0]) == 3
    assert "train loss 0.5" in texts("out.svg")
    netcli("plot-log", "a.log", "out.svg", "--chart", 7)
    assert len(polylines(Path("out.svg").read_text())[0]) == 4


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_pictures_of_matplotlib(netcli, ending):
    pytest.importorskip("matplotlib", reason="pictures other than SVG are made by matplotlib")
    assert netcli("plot-log", "a.log", "runs/b-1/train.log", f"out.{ending}") == (0, f"out.{ending}\n", "")
    start = Path(f"out.{ending}").read_bytes()
    assert start.startswith({"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}[ending])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            "a.log out.svg --y acuracy",
            "netcli: no log tells of 'acuracy'; did you mean 'accuracy'?; there are train loss",
        ),
        ("a.log none/out.svg", "netcli: none/out.svg: can't be written: there is no folder none"),
        ("none.log out.svg", "netcli: none.log: can't be read: no such file or directory"),
        ("a.log out.svg --chart 8", "Error: Invalid value for '--chart': 8 is not in the range 0<=x<=7."),
        ("a.log out.svg --chart 0 --y loss", "Error: give --chart or --y, not both"),
        ("lr.log out.svg", "netcli: the logs tell of no loss and no score; --y names what to draw"),
        ("lr.log out.svg --chart 0", "netcli: no log tells of 'test accuracy'; there are train lr"),
        ("out.svg", "Error: Missing argument 'LOG...'."),
    ],
)
def test_faults(netcli, tmp_path, arguments, fault):
    (tmp_path / "lr.log").write_text("Iteration 5, lr = 0.1\n")
    status, out, err = netcli("plot-log", *arguments.split())
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(fault)
    assert not (tmp_path / "out.svg").exists()


def test_a_name_that_is_no_picture(netcli):
    pytest.importorskip("matplotlib", reason="it knows the endings of pictures")
    _, _, err = netcli("plot-log", "a.log", "out.txt")
    assert "out.txt: a picture's name ends with one of " in err


def test_without_matplotlib_it_is_named(netcli, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert netcli("plot-log", "a.log", "out.png") == (
        2,
        "",
        "netcli: pictures other than SVG are made by matplotlib: pip install netcli[plot]\n",
    )
