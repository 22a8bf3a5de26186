import re

import pytest

from netcli.training.durations import duration
from netcli.training.progress import Progress, rate


class Teller:
    """Takes everything."""

    def __init__(self):
        self.lines, self.said = [], []

    def due(self):
        return True

    def progress(self, text):
        self.lines.append(text)

    def say(self, text):
        self.said.append(text)


def test_what_is_told(project):
    teller = Teller()
    project.train(Progress(teller))
    pattern = (
        r"tiny  7/12  loss [\d.]+  lr [\d.]+  [\d.e+]+ it/s  [\d.e+]+ images/s  \d+ s left  "
        r"test accuracy [\d.]+, loss [\d.]+"
    )
    (line,) = [line for line in teller.lines if line.startswith("tiny  7/12")]
    assert re.fullmatch(pattern, line)
    assert [said.split(" accuracy")[0] for said in teller.said] == [f"iteration {i}: test" for i in (0, 4, 8, 12)]


def test_several_test_nets_are_numbered(project):
    project.write("test_iter: 1 test_iter: 1")
    teller = Teller()
    project.train(Progress(teller))
    assert teller.said[1].startswith("iteration 0: test #1 accuracy ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (4800, "1 h 20 min"),
        (3e5, "3 d 11 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.01234, "0.0123"), (9.996, "10"), (99.7, "100"), (12345.6, "12346")])
def test_rates(value, text):
    assert rate(value) == text
