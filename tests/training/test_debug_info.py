import re

import numpy as np

from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from training.project import weights_of


class Look(Hook):
    """Keeps what the log should tell, from blobs of the first iteration."""

    def computed(self, run):
        if run.iteration == 0:
            net = run.net
            self.tops = {name: np.abs(blob.data).mean() for name, blob in net.blobs.items()}
            self.diffs = [np.abs(blob.diff).mean() for blob in net.params["ip1"]]
            self.data = [np.abs(p.blob.data).sum() for p in net.learnable]
            self.forward = run.forward


def lines_of(project):
    journal, look = Journal(), Look()
    journal.open(project.folder / "log")
    run = project.train(look, journal=journal)
    journal.close()
    lines = [line.split("] ", 1)[1] for line in (project.folder / "log").read_text().splitlines() if "] " in line]
    return [line for line in lines if re.match(r"    \[(Forward|Backward)\]", line)], look, run


def test_the_lines_of_one_iteration(project):
    project.write("debug_info: true max_iter: 1 test_interval: 100 display: 100")
    lines, look, _ = lines_of(project)
    forward = [line for line in lines if "[Forward]" in line]
    assert forward[0] == f"    [Forward] Layer data, top blob data data: {look.tops['data']:g}"
    assert [line.rpartition(" ")[0] for line in forward[2:6]] == [
        "    [Forward] Layer ip1, top blob ip1 data:",
        "    [Forward] Layer ip1, param blob 0 data:",
        "    [Forward] Layer ip1, param blob 1 data:",
        "    [Forward] Layer relu1, top blob ip1 data:",
    ]
    assert forward[-1] == f"    [Forward] Layer loss, top blob loss data: {look.tops['loss']:g}"
    backward = [line for line in lines if "[Backward]" in line]
    assert backward[0].startswith("    [Backward] Layer loss, bottom blob ip2 diff: ")
    assert backward[-3] == f"    [Backward] Layer ip1, param blob 0 diff: {look.diffs[0]:g}"
    assert "Layer ip1, bottom blob data" not in "".join(backward)
    assert backward[-1].startswith(f"    [Backward] All net params (data, diff): L1 norm = ({sum(look.data):g}, ")


def test_looking_on_changes_nothing(project):
    project.write()
    plain = project.train()
    project.write("debug_info: true")
    lines, look, run = lines_of(project)
    assert sum("All net params" in line for line in lines) == 6  # every second iteration is on display
    assert look.forward == run.net.forward
    for a, b in zip(weights_of(plain), weights_of(run), strict=True):
        np.testing.assert_array_equal(a, b)
