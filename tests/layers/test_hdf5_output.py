import sys

import h5py
import numpy as np

from net.nets import data, layer, net, refusal


def text(path, x=(2, 3), y=(2,)):
    output = layer("HDF5Output", "out", "x y", "", f"hdf5_output_param {{ file_name: '{path}' }}")
    return data("x", *x) + data("y", *y) + output


def test_the_rows_of_all_passes_are_there_when_the_net_is_closed(tmp_path):
    path = tmp_path / "out.h5"
    path.write_text("of before")
    made = net(text(path))
    rows = []
    for _ in range(3):
        made.forward()
        rows.append([made.blobs[name].data.copy() for name in "xy"])
    assert path.read_text() == "of before"
    made.close()
    made.close()
    with h5py.File(path) as file:
        assert set(file) == {"data", "label"}
        assert (file["data"].shape, file["label"].shape) == ((6, 3, 1, 1), (6, 1, 1, 1))
        assert file["data"].dtype == np.float32
        for name, each in zip(("data", "label"), zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(file[name][()].ravel(), np.concatenate(each).ravel())
    assert list(tmp_path.iterdir()) == [path]


def test_images_are_written_in_order_n_c_h_w(tmp_path):
    made = net(text(tmp_path / "out.h5", (2, 3, 4, 5), (2, 1)))
    made.forward()
    x = made.blobs["x"].data.copy()
    made.close()
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["data"], x)


def test_without_a_forward_there_is_no_file(tmp_path):
    net(text(tmp_path / "out.h5")).close()
    assert list(tmp_path.iterdir()) == []


def test_faults(tmp_path, monkeypatch):
    path = tmp_path / "out.h5"
    assert refusal(text("")).endswith("hdf5_output_param needs file_name")
    assert refusal(text(tmp_path / "no" / "x.h5")).endswith(
        f"{tmp_path}/no/x.h5 can't be written: there is no folder {tmp_path}/no"
    )
    assert refusal(text(path, (2, 3), (3,))).endswith("takes bottoms of as many items, got 'x' (2, 3) and 'y' (3,)")
    assert refusal(text(path, (2, 1, 1, 1, 1))).endswith("takes bottoms of 1 to 4 axes, got 'x' (2, 1, 1, 1, 1)")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert refusal(text(path)).endswith("HDF5 files need h5py: pip install netcli[hdf5]")
