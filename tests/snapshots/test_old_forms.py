import numpy as np
import pytest

from netcli.errors import SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import old_forms, read_weights, wire

# Not numbers of two kinds, a denormal and a minus zero: bits that arithmetic, or a detour by text, would change.
BITS = np.array([0x7FA00001, 0xFFC00002, 0x00000001, 0x80000000, 0x3F800000], np.uint32)
PLAIN = [np.arange(4, dtype=np.float32), np.array([7.0], np.float32)]


def blob(values):
    return schema.BlobProto(data=values.tolist(), num=1, channels=1, height=1, width=len(values))


def raw_blob(bits):
    """A BlobProto whose floats are these bits."""
    body = wire.put_bytes(5, 4 * len(bits)) + bits.tobytes()
    dims = wire.put_varint(len(bits))
    shape = wire.put_bytes(1, len(dims)) + dims
    return body + wire.put_bytes(7, len(shape)) + shape


def upgraded(net):
    content = net if isinstance(net, bytes) else net.SerializeToString()
    parts = old_forms.upgraded_net("old.caffemodel", memoryview(content))
    return None if parts is None else b"".join(parts)


V0 = schema.NetParameter(
    name="old",
    input=["data"],
    input_dim=[1, 1, 5, 5],
    layers=[
        {"layer": {"name": "pad", "type": "padding", "pad": 1}, "bottom": ["data"], "top": ["pad"]},
        {"layer": {"name": "conv", "type": "conv", "num_output": 2, "kernelsize": 3, "blobs": map(blob, PLAIN)},
         "bottom": ["pad"], "top": ["conv"]},
        {"layer": {"name": "ip", "type": "innerproduct", "num_output": 1, "blobs": [blob(PLAIN[0][:2])]},
         "bottom": ["conv"], "top": ["ip"]},
    ],
)  # fmt: skip


def test_v0_layers(tmp_path):
    new = schema.NetParameter.FromString(upgraded(V0))
    assert [(layer.name, layer.type) for layer in new.layer] == [
        *(("input", "Input"), ("conv", "Convolution"), ("ip", "InnerProduct"))
    ]
    assert list(new.layer[1].convolution_param.pad) == [1]
    assert list(new.layer[1].blobs) == [blob(values) for values in PLAIN]
    (tmp_path / "new").write_bytes(upgraded(V0))
    weights = {layer.name: layer.blobs for layer in read_weights(str(tmp_path / "new")).layers if layer.blobs}
    np.testing.assert_array_equal(weights["conv"][0].ravel(), PLAIN[0])
    np.testing.assert_array_equal(weights["ip"][0].ravel(), PLAIN[0][:2])


@pytest.mark.parametrize(
    ("number", "kind", "blobs"), [(old_forms.LAYERS, "v1", 6), (old_forms.LAYER, "batch norm of three rates", 7)]
)
def test_weights_are_kept_bit_for_bit(number, kind, blobs):
    if kind == "v1":
        layer = schema.V1LayerParameter(name="ip", type="INNER_PRODUCT", blobs_lr=[1, 2])
    else:
        layer = schema.LayerParameter(name="bn", type="BatchNorm", param=[{"lr_mult": 1}] * 3)
    body = raw_blob(BITS)
    layer = layer.SerializeToString() + wire.put_bytes(blobs, len(body)) + body
    found = upgraded(wire.put_bytes(number, len(layer)) + layer)
    assert body in found
    new = schema.NetParameter.FromString(found).layer[0]
    assert new.type in ("InnerProduct", "BatchNorm")
    assert len(new.blobs) == 1
    assert [spec.lr_mult for spec in new.param] == ([1, 2] if kind == "v1" else [0, 0, 0])


def test_nothing_old():
    assert (
        upgraded(schema.NetParameter(layer=[{"name": "ip", "type": "InnerProduct", "blobs": [blob(PLAIN[0])]}])) is None
    )


def test_a_type_of_a_fork_is_not_lost_without_a_word():
    unknown = (
        schema.V1LayerParameter(name="odd").SerializeToString() + wire.put_tag(5, wire.VARINT) + wire.put_varint(999)
    )
    with pytest.raises(SnapshotError, match=r"^old\.caffemodel: layer 'odd' is of a type that only a fork knows"):
        upgraded(wire.put_bytes(old_forms.LAYERS, len(unknown)) + unknown)


def test_more_than_a_binary_file_can_hold(monkeypatch):
    monkeypatch.setattr(wire, "LARGEST", 100)
    with pytest.raises(
        SnapshotError, match=r"a binary caffemodel of \d+ bytes is more than .* HDF5 has no such limit$"
    ):
        upgraded(V0)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (V0.SerializeToString(), "net"),
        (schema.NetParameter(layer=[{"name": "a"}]).SerializeToString(), "net"),
        (schema.SolverParameter(net="n", max_iter=3).SerializeToString(), "solver"),
        (schema.SolverParameter(train_net="n", test_net=["t"], base_lr=0.1).SerializeToString(), "solver"),
    ],
)
def test_nets_and_solvers_are_told_apart(content, kind):
    assert old_forms.kind_of_binary("f", memoryview(content)) == kind


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (blob(PLAIN[0]).SerializeToString(), "f: is neither a binary net nor a binary solver"),
        (
            schema.SolverState(iter=5, learned_net="w").SerializeToString(),
            "f: is neither a binary net nor a binary solver",
        ),
        (b"\x89PNG\r\n\x1a\n", "f: is neither a net nor a solver, or damaged: "),
    ],
)
def test_other_files(content, fault):
    with pytest.raises(SnapshotError) as stop:
        old_forms.kind_of_binary("f", memoryview(content))
    assert str(stop.value).startswith(fault)


def test_a_net_that_is_cut_off():
    with pytest.raises(SnapshotError, match="is not a whole caffemodel: "):
        upgraded(V0.SerializeToString()[:-3])
