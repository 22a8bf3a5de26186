"""Published nets have the blobs, parameters and outputs that BVLC Caffe gives them, by name and shape.

../shared/corpus: prototxt.tar.xz, public prototxts, and shapes.json, what Caffe's Net made of those it can build.
"""

import json
import tarfile
from pathlib import Path

import pytest

from net.nets import TEST
from netcli.arrays.ops import Ops
from netcli.layers.registry import layer_types
from netcli.net import Net
from netcli.prototxt import read_net

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
SHAPES = json.loads((CORPUS / "shapes.json").read_text()) if CORPUS.exists() else {}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The folder with the prototxts that shapes.json tells of."""
    folder = tmp_path_factory.mktemp("corpus")
    with tarfile.open(CORPUS / "prototxt.tar.xz") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if any(name.endswith(each) for each in SHAPES):
                target = folder / next(each for each in SHAPES if name.endswith(each))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())
    return folder


@pytest.mark.skipif(not SHAPES, reason="../shared/corpus is not here")
@pytest.mark.parametrize("name", list(SHAPES) or [""])
def test_shapes(corpus, name):
    document = read_net(str(corpus / name))
    missing = {layer.type for layer in document.message.layer} - set(layer_types())
    if missing:
        pytest.skip(f"there is no layer type {', '.join(sorted(missing))} yet")
    # The plain bodies plan nothing, so that only shapes are worked out.
    net = Net(document, TEST, ops=Ops("plain"), dry=True)
    expected = SHAPES[name]
    assert {name: list(blob.shape) for name, blob in net.blobs.items()} == expected["blobs"]
    assert {name: [list(b.shape) for b in blobs] for name, blobs in net.params.items()} == expected["params"]
    assert net.outputs == expected["outputs"]
    net.close()
