"""Which implementation serves a convolution: by what is measured, known, told or ruled."""

import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest

from arrays.onednn_arrays import F4, array, close, needs_onednn, parameter
from netcli.arrays import choices
from netcli.arrays.choices import Choices
from netcli.arrays.onednn import conv, conv_operations, ways
from netcli.arrays.onednn.conv import Conv

SHAPE = ((2, 16, 12, 12), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
OPERATIONS = ("forward", "backward_data", "backward_weights")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The file of the cache, with timing on and nothing known."""
    monkeypatch.setenv("NETCLI_TIMING", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget(monkeypatch)
    yield tmp_path / "netcli" / "ways.json"
    choices._on_disk.cache_clear()


def forget(monkeypatch):
    """As in a new process."""
    monkeypatch.setattr(choices, "_measured", {})
    monkeypatch.setattr(choices, "_spent", 0.0)
    choices._on_disk.cache_clear()


@pytest.fixture
def measured(monkeypatch):
    """Measures nothing: the last way is the fastest.  Gives the ways there were, each time something was measured."""
    seen = []

    def least_time(programs, arrays):
        seen.append(list(programs))
        return seen[-1][-1], True

    monkeypatch.setattr(conv, "least_time", least_time)
    return seen


def execute(plan):
    """Every operation once; returns the results."""
    x, w, b, y = array(plan.x_shape), parameter(*plan.w_shape), parameter(plan.w_shape[0]), array(plan.y_shape)
    dx, dw, db = array(plan.x_shape), np.empty_like(w), np.empty_like(b)
    plan.forward(x, w, b, y)
    plan.backward_data(y, w, dx)
    plan.backward_weights(x, y, dw, db, False)
    return y, dx, dw, db


def lasting(made=None, shape=SHAPE):
    return Conv(*shape, choices=Choices() if made is None else made)


@needs_onednn
def test_what_was_measured_serves_this_process_and_the_next(cache, measured, monkeypatch):
    first = Choices()
    results = execute(lasting(first))
    assert [len(names) > 1 for names in measured] == [True] * 3
    assert list(first.made.values()) == [names[-1] for names in measured]
    again = Choices()
    execute(lasting(again))
    forget(monkeypatch)
    in_next_process = Choices()
    same = execute(lasting(in_next_process))
    assert len(measured) == 3
    assert again.made == in_next_process.made == first.made
    for one, other in zip(results, same, strict=True):
        np.testing.assert_array_equal(one, other)
    (machine, kept), *others = json.loads(cache.read_text()).items()
    assert not others
    assert kept == first.made
    assert "oneDNN" in machine
    assert "threads" in machine


@needs_onednn
def test_only_what_is_executed_is_measured(cache, measured):
    plan = lasting()
    assert not measured
    plan.forward(array(plan.x_shape), parameter(*plan.w_shape), parameter(16), array(plan.y_shape))
    assert len(measured) == 1


@needs_onednn
@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"b": 1}}', "\x00"])
def test_a_cache_that_says_nothing(cache, measured, text):
    cache.parent.mkdir()
    cache.write_text(text)
    execute(lasting())
    assert len(measured) == 3
    assert any(len(kept) == 3 for kept in json.loads(cache.read_text()).values())


@needs_onednn
def test_a_cache_that_names_what_is_not_there(cache, measured, monkeypatch):
    execute(lasting())
    content = json.loads(cache.read_text())
    cache.write_text(
        json.dumps({machine: dict.fromkeys(kept, "sideways jit:none") for machine, kept in content.items()})
    )
    forget(monkeypatch)
    execute(lasting())
    assert len(measured) == 6
    assert json.loads(cache.read_text()) == content


@needs_onednn
@pytest.mark.parametrize("place", ["a file", "no home"])
def test_a_cache_that_can_not_be_written(cache, measured, monkeypatch, place):
    if place == "a file":
        cache.parent.write_text("in the way")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "")
        monkeypatch.setattr(choices.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    made = Choices()
    execute(lasting(made))
    assert len(made.made) == 3
    assert not cache.exists()


@needs_onednn
def test_processes_keep_each_others_entries(cache, measured, monkeypatch):
    execute(lasting())
    forget(monkeypatch)
    choices._on_disk(choices._path())  # the other has looked by now
    another = (2, 16, 10, 10)
    cache_of_other = json.loads(cache.read_text())
    execute(lasting(shape=(another, *SHAPE[1:])))
    (kept,) = json.loads(cache.read_text()).values()
    assert len(kept) == 6
    (before,) = cache_of_other.values()
    assert before.items() <= kept.items()
    assert [path.name for path in cache.parent.iterdir()] == ["ways.json"]


@needs_onednn
@pytest.mark.parametrize("value", ["off", "0", "no", "FALSE"])
def test_with_timing_off_rules_decide_and_the_disk_is_left_alone(cache, measured, monkeypatch, value):
    execute(lasting())
    content = cache.read_text()
    monkeypatch.setenv("NETCLI_TIMING", value)
    made = Choices()
    plan = lasting(made)
    by_rule = execute(plan)
    assert list(made.made.values()) == [plan._by_rule(operation) for operation in OPERATIONS]
    for one, other in zip(by_rule, execute(Conv(*SHAPE)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(measured) == 3
    assert cache.read_text() == content


@needs_onednn
def test_large_activations_are_not_copied(cache, measured, monkeypatch):
    monkeypatch.setattr(conv_operations, "BLOCKED_BYTES", 1000)
    execute(lasting())
    assert len(measured) == 3
    assert all(name.startswith("channels-last") for names in measured for name in names)


@needs_onednn
@pytest.mark.parametrize("limit", [100, 1 << 20])
def test_large_filters_that_are_held_are_not_made_for_each_way(cache, measured, monkeypatch, limit):
    monkeypatch.setattr(conv, "HELD_BYTES", limit)
    usual = lasting()
    plan = Conv(usual.x_shape, *usual.settings, choices=Choices(), held=True)
    plan.hold(parameter(*plan.w_shape))
    plan.forward(array(plan.x_shape), None, parameter(plan.w_shape[0]), array(plan.y_shape))
    assert len(measured) == (limit > 100)


@needs_onednn
def test_when_the_time_is_spent_rules_decide_and_the_next_process_goes_on(cache, measured, monkeypatch):
    monkeypatch.setattr(choices, "SECONDS", 1e-9)
    made, plan = Choices(), lasting()
    execute(lasting(made))
    assert len(measured) == 1
    assert list(made.made.values())[1:] == [plan._by_rule(operation) for operation in OPERATIONS[1:]]
    forget(monkeypatch)
    execute(lasting())
    assert len(measured) == 2


@needs_onednn
def test_a_plan_that_may_not_last_and_a_small_one_measure_nothing(cache, measured):
    execute(Conv(*SHAPE))
    execute(lasting(shape=((1, 2, 5, 5), *SHAPE[1:])))
    assert not measured
    assert not cache.exists()


@needs_onednn
def test_a_run_that_is_resumed_has_what_it_had(cache, measured, monkeypatch):
    there = Choices()
    plan = lasting(there)
    had = execute(plan)
    # Meanwhile the cache has come to say otherwise.
    execute(lasting())
    content = json.loads(cache.read_text())
    for kept in content.values():
        for key, operation in zip(kept, OPERATIONS, strict=False):
            kept[key] = plan._by_rule(operation)
    cache.write_text(json.dumps(content))
    forget(monkeypatch)
    resumed = Choices()
    assert resumed.follow(there.made) == 0
    for one, other in zip(had, execute(lasting(resumed)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.made == there.made


@needs_onednn
def test_what_can_not_be_followed_is_told_once(cache, measured, caplog):
    there = Choices()
    execute(lasting(there))
    resumed = Choices()
    resumed.follow(dict.fromkeys(there.made, "channels-last jit:of_another_machine"))
    logger = logging.getLogger("netcli")
    logger.addHandler(caplog.handler)
    execute(lasting(resumed))
    logger.removeHandler(caplog.handler)
    assert resumed.made == there.made
    (said,) = {record.getMessage() for record in caplog.records}
    assert "jit:of_another_machine" in said
    assert "last bits may differ" in said


def test_what_was_executed_otherwise_comes_too_late():
    made = Choices()
    made.take("a", "one way")
    made.take("b", "one way")
    assert made.follow({"a": "one way", "b": "another", "c": "another"}) == 1


# -- ways


@needs_onednn
@pytest.mark.parametrize(
    ("shape", "filters", "kernel", "group"),
    [((3, 3, 20, 19), 16, 7, 1), ((3, 32, 9, 9), 48, 1, 1), ((2, 32, 9, 9), 32, 3, 2), ((2, 24, 8, 8), 24, 3, 24)],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_way_gives_the_same_numbers(monkeypatch, shape, filters, kernel, group, operation):
    settings = (filters, (kernel,) * 2, (1, 1), (kernel // 2,) * 2, (1, 1), group, True, F4)
    want = execute(Conv(shape, *settings))
    plan = Conv(shape, *settings)
    names = [name for name, _ in ways.ways(getattr(plan.has, operation), plan.has.layouts(operation))]
    assert len(set(names)) == len(names) > 1
    assert not any("ref" in name for name in names)
    for name in names:
        made = Choices()
        other = Conv(shape, *settings, choices=made)
        made.follow({other.has.key(operation): name})
        for one, another in zip(execute(other), want, strict=True):
            close(one, another)
        assert made.made[other.has.key(operation)] == name


@needs_onednn
def test_where_there_are_only_slow_loops_the_definition_serves(monkeypatch):
    want = execute(Conv(*SHAPE))
    plan = Conv(*SHAPE)
    real = conv.fastest

    def only_forward(make, layouts):
        if "backward" in make.__name__:
            raise conv.Unsupported("only slow loops")
        return real(make, layouts)

    monkeypatch.setattr(conv, "fastest", only_forward)
    for one, other in zip(execute(plan), want, strict=True):
        close(one, other)


class Timed:
    """Programs that take the milliseconds they are told, by clocks of their own.

    waits: of milliseconds that the processors have nothing to do with, for each name
    """

    def __init__(self, monkeypatch, waits=None, **seconds):
        self.now = self.busy = 0.0
        self.waits = waits or {}
        self.executed = dict.fromkeys(seconds, 0)
        monkeypatch.setattr(ways.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(ways.time, "process_time", lambda: self.busy)
        self.programs = {name: self.program(name, iter(each)) for name, each in seconds.items()}

    def program(self, name, seconds):
        def run(*arrays):
            taken = next(seconds) / 1000
            self.busy += taken
            self.now += taken + self.waits.get(name, 0) / 1000
            self.executed[name] += 1

        return SimpleNamespace(run=run)

    def least(self):
        return ways.least_time(self.programs, ())


def steadily(seconds, first=None):
    yield first or 2 * seconds  # generated code and new memory
    while True:
        yield seconds


def test_the_fastest_is_taken_if_it_is_faster_by_a_twentieth(monkeypatch):
    assert Timed(monkeypatch, a=steadily(1.0), b=steadily(0.97)).least() == ("a", True)
    assert Timed(monkeypatch, a=steadily(1.0), b=steadily(0.9), c=steadily(0.94)).least() == ("b", True)


def test_what_is_much_slower_is_looked_at_once(monkeypatch):
    timed = Timed(monkeypatch, a=steadily(1.0), b=steadily(0.9), c=steadily(1.5))
    assert timed.least() == ("b", True)
    assert timed.executed["c"] == 2 < timed.executed["a"]


def test_what_is_hopeless_when_cold_is_not_executed_again(monkeypatch):
    timed = Timed(monkeypatch, a=steadily(1.0), b=steadily(0.9), c=steadily(0.5, first=100))
    assert timed.least() == ("b", True)
    assert timed.executed["c"] == 1


def test_disturbances_do_not_decide(monkeypatch):
    def disturbed(seconds, every):
        number = 0
        while True:
            number += 1
            yield seconds * (1.29 if number % every else 1)

    timed = Timed(monkeypatch, a=disturbed(1.0, 2), b=disturbed(0.8, 3))
    assert timed.least() == ("b", True)


def test_a_way_that_keeps_fewer_processors_busy_has_to_win_by_the_clock_too(monkeypatch):
    timed = Timed(monkeypatch, {"b": 0.3}, a=steadily(1.0), b=steadily(0.8))
    assert timed.least() == ("a", True)


def test_the_wait_for_another_process_is_not_held_against_a_way(monkeypatch):
    timed = Timed(monkeypatch, {"a": 0.3, "c": 0.3}, a=steadily(1.0), b=steadily(0.99), c=steadily(0.8))
    assert timed.least() == ("c", True)


def test_a_way_has_to_win_twice(monkeypatch):
    def at_first():
        yield from [1.0, 0.5, 0.5, 0.5]
        while True:
            yield 1.0

    assert Timed(monkeypatch, a=steadily(0.6), b=at_first()).least() == ("a", False)


def test_where_no_time_is_seen_twice_the_first_is_taken_for_now(monkeypatch):
    def never_twice(seconds):
        for _ in range(3):
            yield seconds
        while True:
            seconds *= 0.9
            yield seconds

    assert Timed(monkeypatch, a=never_twice(1.0), b=never_twice(0.8)).least() == ("a", False)


@needs_onednn
def test_what_is_not_believed_is_not_kept_on_disk(cache, monkeypatch):
    monkeypatch.setattr(conv, "least_time", lambda programs, arrays: (next(iter(programs)), False))
    made = Choices()
    execute(lasting(made))
    assert len(made.made) == 3
    assert not cache.exists()
