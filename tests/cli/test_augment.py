import numpy as np
import pytest
from PIL import Image

from databases import make_lmdb
from netcli.arrays.ops import Ops
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import write_blob
from netcli.sources.database import open_database
from netcli.sources.datum import read_datum

NET = """
layer {{
  name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{ {transform} }}
  data_param {{ source: "{db}" batch_size: 4 backend: LMDB }}
}}
layer {{
  name: "data" type: "Data" top: "data" top: "label" include {{ phase: TEST }}
  transform_param {{ crop_size: 4 }}
  data_param {{ source: "{db}" batch_size: 1 backend: LMDB }}
}}
layer {{ name: "s" type: "Silence" bottom: "data" bottom: "label" }}
"""
CHANGES = (
    "mirror: true scale: 0.0125 color_jitter { brightness: 0.4 } affine_param { max_rotation: 20 } "
    "cutout_param { size: 2 } pca_jitter { } "
)
COUNT = 4


class Files:
    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(6)
        self.images = [rng.integers(0, 256, (3, 8, 9), np.uint8) for _ in range(COUNT)]
        self.labels = [3, 1, 4, 1]
        make_lmdb(folder / "db", self.images, self.labels)
        self.net = folder / "net.prototxt"
        self.write(CHANGES + "crop_size: 6 mean_value: 100")

    def write(self, transform):
        self.net.write_text(NET.format(transform=transform, db=self.folder / "db"))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def records(path):
    with open_database(str(path)) as database:
        return [(key, *read_datum(value)) for key, value in (database[i] for i in range(len(database)))]


@pytest.mark.parametrize("mean", ["value", "file"])
def test_a_database_holds_what_the_net_sees_epoch_by_epoch(files, netcli, mean):
    image = np.full((3, 8, 9), 100, np.float32)
    if mean == "file":
        image = np.random.default_rng(7).random((3, 8, 9)).astype(np.float32) * 255
        write_blob(str(files.folder / "mean"), image)
        files.write(CHANGES.replace("affine_param { max_rotation: 20 }", "") + f'mean_file: "{files.folder / "mean"}"')
    status, out, err = netcli("augment", files.net, "--out", files.folder / "out", "--copies", 3, "--seed", 5)
    assert (status, err) == (0, "")
    assert out == f"{files.folder / 'out'}: 12 records, 3 of each of 4 images, by seed 5\n"
    net = Net(read_net(str(files.net)), TRAIN, ops=Ops("plain"), seed=5)
    found = records(files.folder / "out")
    assert [label for _, _, label in found] == files.labels * 3
    assert found[0][0] == b"00000000"
    for epoch in range(3):
        net.forward()
        for seen, (_, got, _) in zip(net.blobs["data"].data, found[COUNT * epoch :], strict=False):
            if mean == "value":
                want = np.rint(seen / 0.0125 + 100).clip(0, 255)
                np.testing.assert_array_equal(got, want)
            else:  # whole images, mirrored or not
                both = [np.rint(seen / 0.0125 + each).clip(0, 255) for each in (image, image[:, :, ::-1])]
                assert min(np.abs(got - want).max() for want in both) <= 1
    net.close()


def test_the_same_seed_makes_the_same_bytes(files, netcli):
    bytes_of = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        netcli("augment", files.net, "--out", files.folder / name, "--copies", 2, "--seed", seed)
        bytes_of.append((files.folder / name / "data.mdb").read_bytes())
    assert bytes_of[0] == bytes_of[1] != bytes_of[2]


def test_records_may_be_image_files(files, netcli):
    options = ["--copies", 1, "--seed", 1, "--samples", 2]
    netcli("augment", files.net, "--out", files.folder / "a", *options)
    netcli("augment", files.net, "--out", files.folder / "b", *options, "--encode-type", "png")
    a, b = records(files.folder / "a"), records(files.folder / "b")
    assert len(a) == 2
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one[1], other[1])


def test_a_preview(files, netcli):
    path = files.folder / "sheet.png"
    status, out, err = netcli("augment", files.net, "--preview", path, "--samples", 3, "--copies", 2, "--seed", 9)
    assert (status, err) == (0, "")
    assert out == f"{path}: 3 images, 2 copies of each, by seed 9\n"
    picture = np.asarray(Image.open(path))
    np.testing.assert_array_equal(picture[8, 8], files.images[0][::-1, 0, 0])
    status, out, _ = netcli("augment", files.net, "--preview", path, "--phase", "test", "--seed", 9)
    assert "4 images, 4 copies of each" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Error: --preview or --out says what is to be made"),
        (["--preview", "x.txt"], "x.txt ends with none of .jpg"),
        (["--out", "x", "--encode-type", "txt"], "'txt' is none of jpg"),
        (["--out", "x", "--layer", "other"], "the net has no layer 'other' of whole images (Data, ImageData)"),
    ],
)
def test_wrong(files, netcli, options, message):
    status, out, err = netcli("augment", files.net, *options)
    assert (status, out) == (2, "")
    assert message in err


def test_what_does_not_fit_leaves_nothing_behind(files, netcli):
    files.write("crop_size: 20")
    status, _, err = netcli("augment", files.net, "--out", files.folder / "out")
    assert status == 2
    assert "crop_size 20 is larger than the image, 3x8x9" in err
    assert not (files.folder / "out").exists()
