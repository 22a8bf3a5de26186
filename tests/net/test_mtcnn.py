"""Three published face detectors (Zhang et al. 2016) give BVLC Caffe's outputs; ../shared/public_models/README.md."""

from pathlib import Path

import numpy as np
import pytest

from net.nets import TEST
from netcli.arrays.ops import Ops
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import read_weights

MODELS = Path(__file__).parents[3] / "shared" / "public_models" / "mtcnn"


@pytest.mark.skipif(not MODELS.exists(), reason="../shared/public_models is not here")
@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", ["det1", "det2", "det3"])
def test_outputs_are_caffes(name, engine):
    expected = np.load(MODELS / "expected.npz")
    net = Net(read_net(str(MODELS / f"{name}.prototxt")), TEST, ops=Ops(engine))
    net.load(read_weights(str(MODELS / f"{name}.caffemodel")))
    data = expected[f"{name}/input:data"]
    net.blobs["data"].reshape(data.shape)
    net.blobs["data"].data[...] = data
    net.forward()
    tops = {key.split(":")[1]: expected[key] for key in expected.files if key.startswith(f"{name}/top:")}
    assert sorted(tops) == net.outputs
    for top, array in tops.items():
        np.testing.assert_allclose(net.blobs[top].data, array, rtol=0, atol=1e-4)
