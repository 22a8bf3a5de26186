import math

import numpy as np
import pytest

from netcli.errors import NetcliError
from netcli.training.guard import Guard
from netcli.training.hooks import Hook
from netcli.training.snapshot import Snapshots
from training.project import Record, weights_of


def train_guarded(project, *hooks, stop=True):
    session = project.open()
    run = session.trainer()
    run.add([Guard(session.rebuild, stop=stop), Snapshots(session.document.message), *hooks])
    try:
        run.train()
    finally:
        session.close()
    return run


class Spoil(Hook):
    """Puts a number into a parameter after so many iterations."""

    def __init__(self, iteration, layer, value):
        self.iteration, self.layer, self.value = iteration, layer, value

    def before(self, run):
        if run.iteration == self.iteration:
            run.net.params[self.layer][0].data.flat[0] = self.value


def test_a_parameter_that_is_no_number(project):
    record = Record()
    with pytest.raises(NetcliError) as caught:
        train_guarded(project, record, Spoil(7, "ip2", math.nan))
    assert str(caught.value).startswith("the loss is nan at iteration 7: parameter 0 of layer 'ip2' is not finite; ")
    assert [e for e in record.events if e.startswith("saved")] == [
        "saved tiny_iter_5.caffemodel tiny_iter_5.solverstate"
    ]
    assert str(caught.value).endswith(f"and --resume {project.prefix}_iter_5.solverstate goes on from there")


def test_the_first_blob_that_is_not_finite(project):
    """A weight that is too large, but still a number: ip1 overflows."""
    net = project.net.read_text().replace("scale: 0.00390625", "scale: 1e10")
    project.net.write_text(net)
    project.write("test_initialization: false")
    with pytest.raises(NetcliError) as caught:
        train_guarded(project, Spoil(0, "ip1", 3e38))
    text = str(caught.value)
    assert "'ip1' of layer 'ip1' (InnerProduct) is the first blob that is not finite (" in text
    assert "at iteration 0" in text
    assert "--resume" not in text  # this run has no snapshot


def test_the_weights_are_left_as_they_were(project):
    """The update that would spoil the rest is not made."""

    class Keep(Hook):
        def before(self, run):
            self.weights = weights_of(run)
            self.run = run

    keep = Keep()
    with pytest.raises(NetcliError):
        train_guarded(project, Spoil(3, "ip2", math.inf), keep)
    after = weights_of(keep.run)
    for a, b in zip(after[:2], keep.weights[:2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_as_caffe_goes_on(project, caplog):
    run = train_guarded(project, Spoil(3, "ip2", math.nan), stop=False)
    assert run.iteration == run.max_iter
    assert [r.getMessage() for r in caplog.records] == [
        "the loss is nan at iteration 3; training goes on as it was told to"
    ]
