import sys

import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import TRAIN, Context
from netcli.layers.hdf5_data import HDF5Data
from netcli.prototxt import schema

COUNTS = (3, 0, 5, 1)
ROWS = sum(COUNTS)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Files of 9 rows in all: data (2, 3) each, float64, and label, int64, the row's number."""
    folder = tmp_path_factory.mktemp("rows")
    first = 0
    for number, count in enumerate(COUNTS):
        labels = np.arange(first, first + count)
        with h5py.File(folder / f"{number}.h5", "w") as file:
            file["data"] = labels[:, None, None] + np.arange(6).reshape(2, 3) / 10
            file.create_dataset("label", data=labels, **({"compression": "gzip"} if count else {}))
        first += count
    (folder / "list.txt").write_text(f"{folder}/0.h5\n\n  1.h5 \n2.h5\n3.h5\n")
    return str(folder / "list.txt")


class Run:
    def __init__(self, source, more="batch_size: 2", tops=("data", "label"), seed=3, rest=""):
        text = f"name: 'L' type: 'HDF5Data' {rest} hdf5_data_param {{ source: '{source}' {more} }}"
        message = text_format.Parse(text, schema.LayerParameter(top=tops))
        self.layer = HDF5Data(message, Context(phase=TRAIN, seed=seed))
        self.top = [Blob() for _ in tops]
        self.layer.setup([], self.top)
        self.layer.reshape([], self.top)

    def forward(self):
        self.layer.forward([], self.top)
        return [blob.data.copy() for blob in self.top]

    def labels(self, count):
        rows = [row for _ in range(-(-count // len(self.top[0].data))) for row in self.forward()[1]]
        return [int(row) for row in rows[:count]]

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.layer.close()


def fault(source, *more, **options):
    with pytest.raises(NetcliError) as caught:
        Run(source, *more, **options)
    return f"{caught.value.field}: {caught.value}"


def test_rows_come_file_by_file_and_over_again(source):
    with Run(source, "batch_size: 4") as run:
        assert [blob.shape for blob in run.top] == [(4, 2, 3), (4,)]
        for start in range(0, 20, 4):
            data, labels = run.forward()
            expected = np.arange(start, start + 4) % ROWS
            np.testing.assert_array_equal(labels, expected)
            np.testing.assert_allclose(data, expected[:, None, None] + np.arange(6).reshape(2, 3) / 10, rtol=1e-6)
            assert data.dtype == np.float32


def test_a_top_is_the_dataset_of_its_name(source):
    with Run(source, tops=("label",)) as run:
        np.testing.assert_array_equal(run.forward()[0], [0, 1])


def test_images_are_channels_last_in_memory_alone(tmp_path):
    images = np.random.default_rng(0).random((3, 2, 4, 5)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = images
    (tmp_path / "list").write_text("a.h5")
    with Run(tmp_path / "list", tops=("x",)) as run:
        np.testing.assert_array_equal(run.forward()[0], images[:2])


def test_shuffled_epochs_have_all_rows_file_by_file_in_orders_of_their_own(source):
    with Run(source, "batch_size: 9 shuffle: true") as run:
        epochs = [run.labels(ROWS) for _ in range(4)]
    assert all(sorted(epoch) == list(range(ROWS)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 4
    of_file = np.repeat(range(len(COUNTS)), COUNTS)
    for epoch in epochs:
        assert np.count_nonzero(np.diff(of_file[epoch])) == 2  # three files with rows, each in one piece
    assert len({tuple(dict.fromkeys(of_file[epoch])) for epoch in epochs}) > 1
    with Run(source, "batch_size: 9 shuffle: true", seed=4) as run:
        assert run.labels(ROWS) != epochs[0]


@settings(max_examples=40, deadline=None)
@given(batch=st.integers(1, 25), steps=st.integers(0, 5), before=st.integers(0, 3), shuffle=st.booleans())
def test_a_seek_goes_on_to_the_same_rows_whatever_the_batch(source, batch, steps, before, shuffle):
    with Run(source, f"batch_size: 1 shuffle: {str(shuffle).lower()}") as run:
        whole = run.labels((steps + 1) * batch)
    with Run(source, f"batch_size: {batch} shuffle: {str(shuffle).lower()}") as run:
        for _ in range(before):
            run.forward()
        run.layer.seek(steps * batch)
        assert run.labels(batch) == whole[-batch:]
        assert run.layer.position() == (steps + 1) * batch


def made(folder, **files):
    for name, datasets in files.items():
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.update(datasets)
    (folder / "list").write_text("\n".join(f"{folder}/{name}.h5" for name in files))
    return folder / "list"


def test_files_that_do_not_fit(tmp_path):
    good = {"data": np.zeros((2, 3)), "label": [0, 1]}
    for second, words in [
        ({"data": np.zeros((2, 3))}, "has no dataset 'label'"),
        ({**good, "label": [b"a", b"b"]}, "has a dataset 'label' that holds no numbers"),
        ({**good, "label": 3}, "has a dataset 'label' of one number, which has no rows"),
        ({**good, "label": [1]}, "has 2 rows in dataset 'data' and 1 in 'label'; they must be as many"),
        (
            {**good, "data": np.zeros((2, 4))},
            f"has rows of 4 in dataset 'data', those of {tmp_path}/a.h5 are 3",
        ),
        (
            {**good, "label": [[1], [2]]},
            f"has rows of 1 in dataset 'label', those of {tmp_path}/a.h5 are one number",
        ),
    ]:
        source = made(tmp_path, a=good, b=second)
        assert fault(source) == f"hdf5_data_param.source: {source}:2: {tmp_path}/b.h5 {words}"
    source = made(tmp_path, a={"data": np.zeros((0, 2)), "label": np.zeros(0)})
    assert fault(source) == f"hdf5_data_param.source: {source}: the files hold no rows"


def test_files_that_can_t_be_read(tmp_path):
    source = made(tmp_path, a={"data": [0], "label": [0]})
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[:-100])
    assert fault(source).startswith(f"hdf5_data_param.source: {source}:1: {tmp_path}/a.h5 is cut off or damaged: ")
    (tmp_path / "a.h5").write_text("text")
    assert fault(source) == f"hdf5_data_param.source: {source}:1: {tmp_path}/a.h5 is not an HDF5 file"
    (tmp_path / "a.h5").unlink()
    assert fault(source) == f"hdf5_data_param.source: {source}:1: {tmp_path}/a.h5 is not there"
    source.write_text("\n \n")
    assert fault(source) == f"hdf5_data_param.source: {source} lists no HDF5 files"
    assert fault(tmp_path / "no") == f"hdf5_data_param.source: {tmp_path}/no can't be read: No such file or directory"


def test_a_file_that_changes_meanwhile(tmp_path):
    source = made(tmp_path, a={"data": [0.0, 1], "label": [0, 1]})
    with Run(source) as run:
        made(tmp_path, a={"data": [0.0], "label": [0]})
        with pytest.raises(NetcliError) as caught:
            run.forward()
    assert str(caught.value) == f"{source}:1: {tmp_path}/a.h5 has changed since the net was built"


def test_parameters_that_do_not_fit(source, monkeypatch):
    assert fault(source, "") == "hdf5_data_param.batch_size: batch_size must be at least 1"
    assert fault("") == "hdf5_data_param: hdf5_data_param needs source, a list of HDF5 files"
    assert fault(source, rest="transform_param { scale: 2 }") == (
        "transform_param: transform_param: HDF5Data does not transform its data"
    )
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert fault(source) == "hdf5_data_param.source: HDF5 files need h5py: pip install netcli[hdf5]"


def test_who_looks_on_is_told_what_is_read(source):
    told = []
    with Run(source) as run:
        run.layer.watch_reading(lambda start, end: told.append(end - start))
        run.forward()
        run.forward()
        assert len(told) >= 2
        assert min(told) >= 0
        run.layer.watch_reading(None)
