"""Every layer against numbers that BVLC Caffe computed; tests/golden/layers/README.md says how."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from arrays.emulated.ops import CardOps
from netcli.arrays.ops import Ops
from netcli.blob import Blob
from netcli.layers.base import TEST, TRAIN, Context, check_arity
from netcli.layers.registry import layer_types
from netcli.prototxt import schema

FOLDER = Path(__file__).parents[1] / "golden" / "layers"
TOLERANCE = 2e-4  # of the largest number, or of 1: both sums are in float32, in another order


class Golden:
    """One file, and the layer it is about."""

    def __init__(self, name):
        with np.load(FOLDER / f"{name}.npz") as file:
            self.numbers = dict(file)
        self.phase = {"TRAIN": TRAIN, "TEST": TEST}[str(self.numbers["phase"])]
        net = text_format.Parse(str(self.numbers["prototxt"]), schema.NetParameter())
        self.message = next(layer for layer in net.layer if layer.name == "L")
        # "x0_in" is the bottom of a Bias layer of bias 0, "x0" its top.
        self.inputs = {key.removesuffix("_in"): value for key, value in self.of("input").items()}

    def of(self, kind):
        """The arrays of a kind by blob name or parameter number."""
        return {key.partition(":")[2]: value for key, value in self.numbers.items() if key.startswith(f"{kind}:")}

    def set_up(self, ops):
        cls = layer_types()[self.message.type]
        check_arity(cls, len(self.message.bottom), len(self.message.top))
        self.layer = cls(self.message, Context(phase=self.phase, ops=ops))
        self.bottom = {name: Blob(self.inputs[name].shape, device=ops.device) for name in self.message.bottom}
        self.top = {name: Blob(device=ops.device) for name in self.message.top}
        self.layer.setup(list(self.bottom.values()), list(self.top.values()))
        self.layer.reshape(list(self.bottom.values()), list(self.top.values()))
        assert [blob.shape for blob in self.layer.blobs] == [value.shape for value in self.of("param").values()]
        self.bring()

    def bring(self):
        for name, value in self.inputs.items():
            self.bottom[name].set_data(value)
        for blob, value in zip(self.layer.blobs, self.of("param").values(), strict=True):
            blob.set_data(value)

    def spoil(self, kind):
        """Put NaN where a pass writes: the data of tops or the diffs of bottoms and parameters."""
        targets = (
            self.top.values()
            if kind == "data"
            else (*self.bottom.values(), *([] if self.layer.statistics else self.layer.blobs))
        )
        sources = self.bottom.values() if kind == "data" else self.top.values()
        kept = {id(getattr(blob, f"{kind}_buffer")) for blob in sources}
        for blob in targets:
            if id(getattr(blob, f"{kind}_buffer")) not in kept:
                getattr(blob, kind).fill(np.nan)

    def forward(self):
        self.layer.forward(list(self.bottom.values()), list(self.top.values()))

    def check_forward(self):
        for name in self.of("top"):
            self.compare("top", name, self.top[name].host_data())
        for index in self.of("param_after"):
            self.compare("param_after", index, self.layer.blobs[int(index)].host_data())

    def bring_diffs(self):
        for name, value in self.of("topdiff").items():
            self.top[name].device.write(self.top[name].diff, value)

    def backward(self):
        self.layer.top_has_gradient = [name in self.of("topdiff") for name in self.top]
        for blob in self.layer.blobs:
            blob.clear_diff()
        self.layer.backward(list(self.top.values()), self.wanted(), list(self.bottom.values()))

    def wanted(self):
        none = self.layer.no_gradient
        count = len(self.bottom)
        without = set(range(count)) if none is None else {index % count for index in none}
        diffs = self.of("bottomdiff")
        return [name in diffs and index not in without for index, name in enumerate(self.bottom)]

    def check_backward(self):
        diffs = self.of("bottomdiff")
        for name, is_wanted in zip(self.bottom, self.wanted(), strict=True):
            if is_wanted:
                self.compare("bottomdiff", name, self.bottom[name].host_diff())
            elif name in diffs:
                assert not diffs[name].any(), f"Caffe has a gradient for bottom {name}"
        for index in self.of("paramdiff"):
            self.compare("paramdiff", index, self.layer.blobs[int(index)].host_diff())

    def compare(self, kind, name, got):
        want = self.numbers[f"{kind}:{name}"]
        assert got.shape == want.shape, f"{kind} {name}"
        error = np.abs(got - want).max(initial=0) / max(1, np.abs(want).max(initial=0))
        assert error <= TOLERANCE, f"{kind} {name} is off by {error:g}"


OPS = {"plain": Ops("plain"), "auto": Ops(), "card": CardOps()}


@pytest.mark.parametrize("ops", OPS.values(), ids=OPS)
@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.npz")))
def test_golden(name, ops):
    golden = Golden(name)
    if golden.message.type not in layer_types():
        pytest.skip(f"layer type {golden.message.type} is not in netcli yet")
    golden.set_up(ops)
    golden.forward()
    golden.check_forward()
    if golden.of("topdiff"):
        golden.bring_diffs()
        golden.backward()
        golden.check_backward()


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.npz")))
def test_golden_replayed(name):
    golden = Golden(name)
    if golden.message.type not in layer_types():
        pytest.skip(f"layer type {golden.message.type} is not in netcli yet")
    golden.set_up(OPS["card"])
    if not golden.layer.replays or golden.layer.carried():
        pytest.skip("this layer is never recorded, or goes on from pass to pass")
    checks = [(golden.bring, golden.forward, golden.check_forward)]
    if golden.of("topdiff"):
        checks.append((golden.bring_diffs, golden.backward, golden.check_backward))
    for bring, work, check in checks:
        bring()
        work()
        replay = OPS["card"].device.record(work)
        golden.spoil("data" if work == golden.forward else "diff")
        bring()
        replay()
        check()


def test_all_cases_are_there():
    assert len(list(FOLDER.glob("*.npz"))) == 225


def test_the_comparison_can_fail():
    golden = Golden("conv")
    top = golden.of("top")["y0"]
    golden.compare("top", "y0", top)
    top = top.copy()
    top[0, 0, 0, 0] += 1e-3 * max(1, np.abs(top).max())
    with pytest.raises(AssertionError, match="top y0 is off by"):
        golden.compare("top", "y0", top)
