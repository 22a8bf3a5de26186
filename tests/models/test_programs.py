"""The programs in models/pycaffe, each run as its README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place that looks like the repository's root, and that the programs may write to."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "data" / "digits").mkdir(parents=True)
    (folder / "data" / "digits" / "images").symlink_to(ROOT / "data" / "digits" / "images")
    (folder / "models").symlink_to(ROOT / "models")
    for part in ("train", "test"):
        lists = ROOT / "data" / "digits"
        run(folder, "netcli", "convert-images", lists, lists / f"{part}.txt", f"data/digits/{part}_lmdb", "--gray")
    return folder


def program(folder, name, *arguments):
    return run(folder, "netcli.pycaffe", f"models/pycaffe/{name}.py", *arguments)


def accuracies(out):
    return [float(number) for number in re.findall(r"accuracy ([\d.]+)", out)]


def test_a_lenet_is_trained_step_by_step(folder):
    out = program(folder, "learning_lenet")
    found = accuracies(out)
    assert found[-1] > 0.95
    assert found[0] < 0.5
    assert "conv2   (64, 50, 2, 2)" in out
    assert (folder / "runs" / "learning_lenet" / "lenet_iter_201.caffemodel").is_file()


def test_a_hidden_layer_bends_the_line(folder):
    line, bent = accuracies(program(folder, "logistic_regression"))
    assert line < 0.75
    assert bent > 0.88


def test_inner_products_recast_as_convolutions_see_larger_images(folder):
    out = program(folder, "net_surgery")
    assert "biases of 1 add 1.0" in out
    assert "gives the image: True" in out
    assert "16 x 24: (1, 10, 5, 9)" in out
    assert float(out.split()[-1]) < 1e-6


def test_a_renamed_layer_is_learned_anew(folder):
    run(folder, "netcli", "train", "models/digits/solver.prototxt", "--set", "snapshot_prefix=digits", "--quiet")
    scratch, tuned, last = accuracies(program(folder, "fine_tuning", "--weights", "digits_iter_900.caffemodel"))
    assert scratch < 0.9
    assert tuned > 0.95
    assert last > 0.95
