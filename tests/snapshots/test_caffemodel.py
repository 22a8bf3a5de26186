import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.blob import Blob
from netcli.errors import SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import read_weights, write_weights
from netcli.snapshots.wire import put_bytes


def parameter(*shape):
    blob = Blob(shape, parameter=True)
    blob.data[...] = np.random.default_rng(sum(shape)).standard_normal(shape)
    return blob


NET = schema.NetParameter(
    name="small",
    layer=[
        {"name": "data", "type": "Input", "top": ["data"], "input_param": {"shape": [{"dim": [1, 3, 8, 8]}]}},
        {"name": "conv1", "type": "Convolution", "bottom": ["data"], "top": ["conv1"]},
        {"name": "ip2", "type": "InnerProduct", "bottom": ["conv1"], "top": ["ip2"]},
    ],
)
BLOBS = [[], [parameter(4, 3, 2, 2), parameter(4)], [parameter(5, 7)]]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.caffemodel"
    write_weights(str(path), NET, BLOBS)
    return path


def fault(path):
    with pytest.raises(SnapshotError) as caught:
        read_weights(str(path))
    assert caught.value.place.file == str(path)
    return caught.value.message


def test_there_and_back(written):
    weights = read_weights(str(written))
    assert weights.name == "small"
    assert [(layer.name, layer.type) for layer in weights.layers] == [(m.name, m.type) for m in NET.layer]
    for layer, blobs in zip(weights.layers, BLOBS, strict=True):
        for array, blob in zip(layer.blobs, blobs, strict=True):
            np.testing.assert_array_equal(array, blob.data)


def test_protobuf_reads_what_is_written(written):
    message = schema.NetParameter.FromString(written.read_bytes())
    for layer, blobs in zip(message.layer, BLOBS, strict=True):
        assert [tuple(b.shape.dim) for b in layer.blobs] == [b.shape for b in blobs]
        layer.ClearField("blobs")
    assert message == NET


def test_gradients_go_along_where_asked_for(tmp_path):
    BLOBS[2][0].diff[...] = 3
    path = str(tmp_path / "x")
    write_weights(path, NET, BLOBS, write_diff=True)
    message = schema.NetParameter.FromString(Path(path).read_bytes())
    assert list(message.layer[2].blobs[0].diff) == [3] * 35


def test_a_v1_file(tmp_path):
    blob = {"num": 1, "channels": 1, "height": 2, "width": 3, "data": list(range(6))}
    message = schema.NetParameter(layers=[{"name": "ip", "type": "INNER_PRODUCT", "blobs": [blob]}])
    path = tmp_path / "v1"
    path.write_bytes(message.SerializeToString())
    (layer,) = read_weights(str(path)).layers
    assert (layer.name, layer.type, layer.blobs[0].shape) == ("ip", "INNER_PRODUCT", (1, 1, 2, 3))


def test_a_v0_file(tmp_path):
    blob = {"num": 1, "channels": 1, "height": 1, "width": 3, "data": [1, 2, 3]}
    message = schema.NetParameter(layers=[{"layer": {"name": "ip", "type": "innerproduct", "blobs": [blob]}}])
    path = tmp_path / "v0"
    path.write_bytes(message.SerializeToString())
    (layer,) = read_weights(str(path)).layers
    assert (layer.name, layer.type, layer.blobs[0].shape) == ("ip", "innerproduct", (1, 1, 1, 3))


def test_fields_of_forks_are_stepped_over(tmp_path):
    layer = schema.LayerParameter(name="x", type="Foreign", blobs=[{"shape": {"dim": [1]}, "data": [7]}])
    odd = layer.SerializeToString() + put_bytes(147, 3) + b"\xff\xff\xff" + put_bytes(4, 2) + b"\xff\xfe"
    path = tmp_path / "fork"
    path.write_bytes(put_bytes(100, len(odd)) + odd)
    assert read_weights(str(path)).layers[0].blobs[0][0] == 7


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "x"
    assert fault(path) == "there is no such caffemodel"
    for content, words in [
        (b"", "the file is empty, so it is no caffemodel"),
        (b'name: "LeNet"\nlayer {\n  name: "data"\n}\n', "is a text, not a binary caffemodel"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a text, not a binary caffemodel"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "is not a caffemodel: no layers are in it"),
        (schema.SolverState(iter=3, learned_net="x").SerializeToString(), "is not a caffemodel; is it a solver state?"),
        (
            schema.BlobProto(shape={"dim": [1]}, data=[1]).SerializeToString(),
            "is not a caffemodel: no layers are in it",
        ),
    ]:
        path.write_bytes(content)
        assert fault(path) == words
    assert fault(tmp_path) == "can't be read: Is a directory"


def test_a_file_cut_off_says_where(written, tmp_path):
    content = written.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[:-10])
    assert fault(path) == "the file ends in the middle of layer 'ip2'"
    path.write_bytes(content[:200])
    assert fault(path) == "the file ends in the middle of layer 'conv1'"


def test_damage_inside_a_layer_is_named(tmp_path):
    layer = schema.LayerParameter(name="ip", type="InnerProduct", blobs=[{"shape": {"dim": [2]}, "data": [1]}])
    path = tmp_path / "x"
    path.write_bytes(schema.NetParameter(layer=[layer]).SerializeToString())
    assert fault(path) == "is damaged in layer 'ip': a blob of shape (2,) holds 1 numbers"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_cut_and_any_flipped_byte_is_read_or_told(written, tmp_path_factory, data):
    content = bytearray(written.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with contextlib.suppress(SnapshotError):
        read_weights(str(path))


def test_reading_copies_nothing(tmp_path):
    path = str(tmp_path / "large")
    write_weights(path, schema.NetParameter(layer=[{"name": "ip"}]), [[Blob((2000, 2000), parameter=True)]])
    (layer,) = read_weights(path).layers
    assert not layer.blobs[0].flags.owndata
