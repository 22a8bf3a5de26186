"""Logs in the forms that Caffe, its forks and glog have had."""

import json
import math
import os
import re
from datetime import datetime

import pytest

from netcli.errors import NetcliError
from netcli.training.log_parser import Log, fields, read_log

OLD = """\
I0210 13:39:20.000000 25210 caffe.cpp:184] Using GPUs 0
I0210 13:39:20.500000 25210 solver.cpp:206] Iteration 77, not of this run
I0210 13:39:21.000000 25210 solver.cpp:280] Solving LeNet
I0210 13:39:21.000100 25210 solver.cpp:281] Learning Rate Policy: inv
I0210 13:39:21.250000 25210 solver.cpp:338] Iteration 0, Testing net (#0)
I0210 13:39:22.000000 25210 solver.cpp:406]     Test net output #0: accuracy = 0.1038
I0210 13:39:22.000010 25210 solver.cpp:406]     Test net output #1: loss = 2.31 (* 1 = 2.31 loss)
I0210 13:39:22.500000 25210 solver.cpp:229] Iteration 0, loss = 2.30
I0210 13:39:22.500010 25210 solver.cpp:245]     Train net output #0: loss = 2.29 (* 1 = 2.29 loss)
I0210 13:39:22.500020 25210 sgd_solver.cpp:106] Iteration 0, lr = 0.01
I0210 13:39:25.500000 25210 solver.cpp:229] Iteration 100, loss = 0.25
I0210 13:39:25.500010 25210 solver.cpp:245]     Train net output #0: loss = 2.4e-01 (* 1 = 0.24 loss)
I0210 13:39:25.500020 25210 sgd_solver.cpp:106] Iteration 100, lr = 0.00992565
I0210 13:39:28.250000 25210 solver.cpp:338] Iteration 200, Testing net (#0)
I0210 13:39:29.000000 25210 solver.cpp:406]     Test net output #0: accuracy = 0.9
I0210 13:39:29.000010 25210 solver.cpp:406]     Test net output #1: loss = 0.3 (* 1 = 0.3 loss)
I0210 13:39:30.500000 25210 solver.cpp:229] Iteration 200, loss = 0.125
I0210 13:39:30.500010 25210 solver.cpp:245]     Train net output #0: loss = 0.12 (* 1 = 0.12 loss)
I0210 13:39:30.500020 25210 sgd_solver.cpp:106] Iteration 200, lr = 0.009
"""


def reference(text, kind, year=2016):
    """The rows as Caffe's own script makes them of a plain log: one test net, outputs of one number, all whole."""
    start, iteration, rate, rows, row = None, None, math.nan, [], {}
    for line in text.splitlines():
        stamp = datetime.strptime(f"{year}{line[1:5]} {line.split()[1]}", "%Y%m%d %H:%M:%S.%f")
        if "Solving" in line:
            start = stamp
        if start is None:
            continue
        if found := re.search(r"Iteration (\d+)", line):
            iteration = float(found[1])
        if found := re.search(r" lr = (\S+)", line):
            rate = float(found[1])
        if found := re.search(rf"{kind} net output #\d+: (\S+) = (\S+)", line):
            if row.get("NumIters") != iteration:
                row = {"NumIters": iteration, "Seconds": (stamp - start).total_seconds(), "LearningRate": rate}
                rows.append(row)
            row[found[1]] = float(found[2])
    rows[0]["LearningRate"] = rows[1]["LearningRate"]
    return rows


@pytest.fixture
def read(tmp_path):
    def from_text(text) -> Log:
        path = tmp_path / "caffe.log"
        path.write_text(text, errors="surrogateescape")
        return read_log(str(path))

    return from_text


def rows(found):
    return [row.columns() for row in found]


def test_the_rows_are_those_of_caffes_script(read):
    log = read(OLD)
    assert rows(log.train) == reference(OLD, "Train")
    assert rows(log.test) == reference(OLD, "Test")
    assert fields(log.test) == ["NumIters", "Seconds", "LearningRate", "accuracy", "loss"]
    assert [(point.iteration, point.value) for point in log.losses] == [(0, 2.30), (100, 0.25), (200, 0.125)]
    assert [(point.iteration, point.value) for point in log.rates] == [(0, 0.01), (100, 0.00992565), (200, 0.009)]
    assert log.weighed == {"loss"}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r"(Iteration \d+)(, loss)", r"\1 (33.1 iter/s, 3.02s/100 iters)\2", text),  # Caffe 1.0
        lambda text: re.sub(r"(Iteration \d+)(, loss)", r"\1 (33.1 iter/s, 3.02s/100 iter), 1.5/90.0ep\2", text),
        lambda text: re.sub(r"(lr = \S+)", r"\1, m = 0.9, wd = 0.0005, gs = 1", text),  # NVCaffe, as the one above
        lambda text: text.replace("I0210", "I20160210"),  # glog 0.6
        lambda text: "".join(f"2016-02-10T13:39:00Z {line}\n" for line in text.splitlines()),  # docker logs -t
        lambda text: text.replace("solver.cpp:229] Iteration 100", "blocking_queue.cpp:50] Waiting\n"
                                  "I0210 13:39:25.500000 25210 solver.cpp:229] Iteration 100"),
        lambda text: text.replace("I0210 13:39:25.500010", "\udcff a line of another program\nI0210 13:39:25.500010"),
    ],
)  # fmt: skip
def test_other_ages_and_forks_give_the_same(read, change):
    text = change(OLD)
    assert text != OLD
    log, plain = read(text), read(OLD)
    assert (rows(log.train), rows(log.test)) == (rows(plain.train), rows(plain.test))
    assert (log.losses, log.rates) == (plain.losses, plain.rates)


def test_the_last_row_is_kept_though_the_log_ends_within_it(read):
    log = read(OLD.partition("Test net output #1: loss = 0.3 ")[0])
    assert [row.outputs for row in log.test] == [{"accuracy": 0.1038, "loss": 2.31}, {"accuracy": 0.9}]
    log = read("I0101 00:00:00.0 1 a.cpp:1] Iteration 5, Testing net\nTest net output #0: accuracy = 1")
    assert [(row.iteration, row.outputs) for row in log.test] == [(5, {"accuracy": 1.0})]


def test_a_run_that_went_on_tells_an_iteration_again(read):
    again = OLD[OLD.index("I0210 13:39:25.500000") :].replace("13:39", "14:00").replace("0.24 loss", "0.22 loss")
    log = read(OLD + "I0210 14:00:00.0 1 solver.cpp:280] Solving LeNet\n" + again)
    assert [row.iteration for row in log.train] == [0, 100, 200, 100, 200]
    assert [row.iteration for row in log.test] == [0, 200, 200]
    assert log.train[3].seconds == log.train[1].seconds + 21 * 60


def test_the_same_iteration_told_again_is_another_row(read):
    told = OLD[OLD.index("I0210 13:39:25.500000") : OLD.index("I0210 13:39:28")]
    assert [row.iteration for row in read(OLD + told + told).train] == [0, 100, 200, 100, 100]


def stamped(*lines):
    return "".join(f"I{stamp}.000000 1 solver.cpp:1] {text}\n" for stamp, text in lines)


@pytest.mark.parametrize(
    ("first", "second", "seconds"),
    [
        ("1231 23:59:00", "0101 00:01:00", 120),
        ("0228 00:00:00", "0301 00:00:00", 86400),  # the file is of 2017
        ("0228 00:00:00", "0229 00:00:00", 86400),  # and so its copy's date says nothing of the run's year
        ("20160228 00:00:00", "20160301 00:00:00", 2 * 86400),
    ],
)
def test_seconds_over_the_end_of_a_year_or_february(tmp_path, first, second, seconds):
    path = tmp_path / "log"
    path.write_text(stamped((first, "Solving n"), (second, "Iteration 1, lr = 1")))
    os.utime(path, (0, datetime(2017, 6, 1).timestamp()))
    assert read_log(str(path)).rates[0].seconds == seconds


def test_numbers_that_are_not_finite_are_told(read):
    log = read(OLD.replace("= 2.29 ", "= nan ").replace("= 0.12 ", "= -inf ").replace("loss = 0.25", "loss = -nan"))
    assert [str(row.outputs["loss"]) for row in log.train] == ["nan", "0.24", "-inf"]
    assert math.isnan(log.losses[1].value)


def test_numbers_of_windows_that_are_not_finite(read):
    lines = "".join(
        f"Iteration {i}, loss = {text}\n" for i, text in enumerate(["1.#QNAN", "-1.#IND00", "1.#INF", "-1.#INF"])
    )
    first, second, *infinite = [point.value for point in read(lines).losses]
    assert math.isnan(first)
    assert math.isnan(second)
    assert infinite == [math.inf, -math.inf]


@pytest.mark.parametrize("text", ["loss = ...", "loss = .", "lr = -", f"loss = 1\nIteration {'9' * 400}, loss = 2"])
def test_what_looks_like_a_number_and_is_none_is_passed_over(read, text):
    log = read(f"Iteration 0, loss = 3\nIteration 1, {text}\n")
    assert log.losses[0].value == 3
    assert {point.iteration for point in log.losses} <= {0, 1}
    assert log.rates == []


@pytest.mark.parametrize(
    "entry", ['"outputs": [1]', '"lr": "a"', '"net": "a"', '"losses": 3, "outputs": {"a": 1}', '"iteration": 1e999']
)
def test_an_entry_of_another_form_is_passed_over(read, entry):
    whole = '{"kind": "train", "iteration": 1, "seconds": 0, "loss": 2}\n'
    log = read(whole + whole.replace("}", f", {entry}}}"))
    assert [row.iteration for row in log.train] == []
    assert log.losses[0].value == 2


def test_items_of_a_blob_and_further_test_nets_have_columns_of_their_own(read):
    text = stamped(
        ("0101 00:00:00", "Solving n"),
        ("0101 00:00:01", "Iteration 0, Testing net (#0)"),
        ("0101 00:00:02", "    Test net output #0: accuracy = 0.5"),
        ("0101 00:00:02", "    Test net output #1: each = 0.1"),
        ("0101 00:00:02", "    Test net output #2: each = 0.2"),
        ("0101 00:00:03", "Iteration 0, Testing net (#1)"),
        ("0101 00:00:04", "    Test net output #0: accuracy = 0.6"),
        ("0101 00:00:05", "Iteration 9, Testing net (#0)"),
        ("0101 00:00:06", "    Test net output #0: accuracy = 0.7"),
    )
    first, second = read(text).test
    assert first.outputs == {"accuracy": 0.5, "each": 0.1, "each[1]": 0.2, "accuracy (#1)": 0.6}
    assert second.outputs == {"accuracy": 0.7}


def entry(kind, iteration, seconds, **more):
    return json.dumps({"kind": kind, "iteration": iteration, "seconds": seconds, **more}) + "\n"


def test_the_metrics_of_a_run_folder(read):
    text = (
        entry("test", 0, 0.5, net=0, loss=2.5, outputs={"accuracy": 0.1, "loss": 2.5}, losses=["loss"])
        + entry("train", 0, 1.0, loss=2.0, lr=0.1, outputs={"loss": 2.25, "each": [1, 2]})
        + entry("train", 10, 2.0, loss=None, lr=0.01, outputs={"loss": None})
        + entry("snapshot", 10, 2.5, weights="w", state="s")
        + '{"kind": "train", "itera\n'
        + entry("test", 10, 0.25, net=1, loss=0.3, outputs={"accuracy": 0.8}, losses=[])  # a resumed run's clock
        + entry("train", 20, 1.0, loss=1.0, outputs={})
    )
    log = read(text)
    assert rows(log.train)[0] == {
        "NumIters": 0,
        "Seconds": 1,
        "LearningRate": 0.1,
        "loss": 2.25,
        "each": 1,
        "each[1]": 2,
    }
    assert math.isnan(log.train[1].outputs["loss"])
    assert [(row.seconds, row.outputs) for row in log.test] == [
        (0.5, {"accuracy": 0.1, "loss": 2.5}),
        (2.25, {"accuracy (#1)": 0.8}),
    ]
    assert log.test[0].rate == 0.01  # told behind it, as in a log
    assert [point.value for point in log.rates] == [0.1, 0.01]
    assert (log.losses[-1].iteration, log.losses[-1].seconds, log.losses[-1].value) == (20, 3.0, 1.0)
    assert log.weighed == {"loss"}


@pytest.mark.parametrize("text", ["", "Solving nothing\n", "Iteration 5 is mentioned\n", '{"kind": 3}\n{"a": 1}\n'])
def test_a_file_that_tells_of_no_iteration(read, tmp_path, text):
    with pytest.raises(NetcliError, match=r"caffe\.log: tells of no iteration, so it is no log of a training$"):
        read(text)


def test_the_log_in_a_run_folder(tmp_path):
    (tmp_path / "train.log").write_text(OLD)
    assert read_log(str(tmp_path)) == read_log(str(tmp_path / "train.log"))


def test_a_log_that_can_not_be_read(tmp_path):
    with pytest.raises(NetcliError, match=r"none: can't be read: no such file or directory$"):
        read_log(str(tmp_path / "none"))
    with pytest.raises(NetcliError, match=r"can't be read: is a directory$"):
        read_log(str(tmp_path))
