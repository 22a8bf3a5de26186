import csv
import sys
import types

import h5py
import numpy as np
import pytest
from PIL import Image

from netcli.pycaffe.detector import Detector
from netcli.snapshots import write_blob
from pycaffe.image_nets import ImageNet

HEAD = "filename,ymin,xmin,ymax,xmax\n"


class Files(ImageNet):
    """A net, two images, and their windows in a .csv file."""

    def __init__(self, folder):
        super().__init__(folder, size=40, spread=1e-4)
        self.folder, self.csv, self.out = folder, folder / "windows.csv", folder / "out.csv"
        rng = np.random.default_rng(2)
        self.images = [str(folder / "a.png"), str(folder / "b, with a comma.png")]
        for path in self.images:
            Image.fromarray(rng.integers(0, 256, (50, 60, 3), np.uint8)).save(path)
        first, second = self.images
        self.windows = [(first, (0, 0, 50, 60)), (second, (10, 5, 30, 40)), (first, (20, 30, 45, 59))]
        with open(self.csv, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["xmin", "ymin", "xmax", "ymax", "note", "filename"])  # in an order of its own
            rows.writerows([x0, y0, x1, y1, "", name] for name, (y0, x0, y1, x1) in self.windows)

    def want(self, **options):
        """Each window's prediction, image by image."""
        how = {"raw_scale": 255, "channel_swap": (2, 1, 0), "context_pad": 16, **options}
        first, second = self.images
        of_first = [window for name, window in self.windows if name == first]
        found = Detector(self.net, self.weights, **how).detect_windows(
            [(first, of_first), (second, [self.windows[1][1]])]
        )
        return np.array([each["prediction"] for each in found])


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def detected(netcli, files, *options):
    """The rows of the output, whose numbers are floats but for the windows'."""
    status, out, err = netcli("detect", files.net, files.csv, files.out, "--weights", files.weights, *options)
    assert (status, out, err) == (0, f"{files.out}: 3 windows of 2 images\n", "")
    with open(files.out, newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["filename", "ymin", "xmin", "ymax", "xmax", *(f"class{index}" for index in range(6))]
    order = [files.windows[0], files.windows[2], files.windows[1]]
    assert [(row[0], tuple(map(int, row[1:5]))) for row in rows] == order
    return np.array([row[5:] for row in rows], np.float32)


def test_windows_of_a_list(files, netcli):
    np.testing.assert_array_equal(detected(netcli, files), files.want())


def test_a_window_by_arithmetic(files, netcli):
    y, x = 4, 7
    files.csv.write_text(f"{HEAD}{files.images[0]},{y},{x},{y + 40},{x + 40}\n")
    arguments = ("detect", files.net, files.csv, files.out, "--weights", files.weights, "--context-pad", 0)
    assert netcli(*arguments)[0] == 0
    pixels = np.asarray(Image.open(files.images[0]), np.float64)[y : y + 40, x : x + 40, ::-1].transpose(2, 0, 1)
    with open(files.out, newline="") as file:
        (row,) = list(csv.reader(file))[1:]
    np.testing.assert_allclose(np.array(row[5:], float), files.scores(pixels[None])[0], atol=1e-6)


def test_hdf5(files, netcli):
    out = files.folder / "out.h5"
    assert netcli("detect", files.net, files.csv, out, "--weights", files.weights)[0] == 0
    with h5py.File(out) as file:
        assert sorted(file) == ["filename", "prediction", "window"]
        assert list(file["filename"].asstr()) == [files.images[0], files.images[0], files.images[1]]
        np.testing.assert_array_equal(file["window"], [files.windows[place][1] for place in (0, 2, 1)])
        np.testing.assert_array_equal(file["prediction"], files.want())
        assert file["prediction"].dtype == np.float32


@pytest.mark.parametrize("form", ["mean.npy", "mean.binaryproto", "values.npy"])
def test_of_a_mean_its_channels_averages_are_taken(files, netcli, form):
    mean = np.random.default_rng(4).random((3, 7, 9)).astype(np.float32) * 255
    path = files.folder / form
    if form == "mean.binaryproto":
        write_blob(str(path), mean[None])
    else:
        np.save(path, mean if form == "mean.npy" else mean.mean(axis=(1, 2)))
    want = files.want(mean=mean.mean(axis=(1, 2)))
    np.testing.assert_array_equal(detected(netcli, files, "--mean", path), want)


def test_scales_channels_and_context(files, netcli):
    options = ("--raw-scale", 100, "--input-scale", 0.5, "--channel-swap", "", "--context-pad", 3, "--threads", 1)
    want = files.want(raw_scale=100, input_scale=0.5, channel_swap=None, context_pad=3)
    np.testing.assert_allclose(detected(netcli, files, *options), want, atol=1e-6)  # threads share sums otherwise


def test_windows_between_pixels(files, netcli):
    files.csv.write_text(f"{HEAD}{files.images[0]}, 1.5, 2, 30, 40\n")
    assert netcli("detect", files.net, files.csv, files.out, "--weights", files.weights)[0] == 0
    assert files.out.read_text().splitlines()[1].startswith(f"{files.images[0]},1.5,2.0,30.0,40.0,")


def test_selective_search(files, netcli, monkeypatch):
    names = files.folder / "names.txt"
    names.write_text("\n".join(files.images) + "\n\n")
    boxes = [np.array([files.windows[place][1] for place in places]) for places in ([0, 2], [1])]
    module = types.SimpleNamespace(get_windows=lambda names, cmd: boxes)
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", module)
    files.csv = names
    np.testing.assert_array_equal(detected(netcli, files, "--crop-mode", "selective_search"), files.want())
    module.get_windows = lambda names, cmd: [[], []]
    files.out.unlink()
    given = ("detect", files.net, names, files.out, "--weights", files.weights, "--crop-mode", "selective_search")
    assert netcli(*given) == (2, "", f"netcli: {names}: no window was found in any image\n")
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", None)
    status, _, err = netcli(*given)
    assert status == 2
    assert err.startswith("netcli: windows by selective search need the module selective_search_ijcv_with_python on ")
    assert not files.out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: has no column filename, ymin, xmin, ymax, xmax; the first line names filename,ymin,xmin,ymax,xmax"),
        ("filename,ymin,xmin,ymax\n", ":1: has no column xmax; the first line names "),
        (HEAD, ": has no windows"),
        (HEAD + "a.png,0,0,9,9\na.png,0,0,9\n", ":3: ymin, xmin, ymax, xmax are not all numbers"),
        (HEAD + "a.png,0,0,nine,9\n", ":2: ymin, xmin, ymax, xmax are not all numbers"),
        (HEAD + "a.png,9,0,9,9\n", ":2: the window 9, 0, 9, 9 is empty: ymin < ymax and xmin < xmax"),
        (HEAD + "a.png,0,nan,9,9\n", ":2: the window 0, nan, 9, 9 is empty"),
        (HEAD + "a.png,50,0,59,9\n", ": the window 50, 0, 59, 9 lies outside of a.png, 50x60"),
        (HEAD + "a.png,0,-1e300,9,0\n", ": the window 0, -1e+300, 9, 0 lies outside of a.png, 50x60"),
        (HEAD + "a.png,-9,0,0,9\n", ": the window -9, 0, 0, 9 lies outside of a.png, 50x60"),
    ],
)
def test_wrong_windows(files, netcli, monkeypatch, text, message):
    monkeypatch.chdir(files.folder)
    files.csv.write_text(text)
    status, _, err = netcli("detect", files.net, "windows.csv", files.out, "--weights", files.weights)
    wanted = f"netcli: windows.csv{message}"
    assert (status, err[: len(wanted)]) == (2, wanted)
    assert not files.out.exists()


def test_wrong(files, netcli, monkeypatch):
    folder, given = files.folder, [files.net, files.csv, files.out, "--weights", files.weights]
    (folder / "odd.csv").write_bytes(HEAD.encode() + b"\xff.png,0,0,9,9\n")
    (folder / "none.csv").write_text(HEAD + "none.png,0,0,9,9\n")
    (folder / "empty.txt").write_text("\n")
    (folder / "grey").mkdir()
    grey = ImageNet(folder / "grey", channels=1, size=40)
    search = ("--crop-mode", "selective_search")
    for arguments, message in [
        ([files.net, "none.csv", *given[2:]], "netcli: none.csv: can't be read: No such file or directory"),
        ([files.net, folder / "odd.csv", *given[2:]], f"netcli: {folder}/odd.csv: is not a .csv text: "),
        ([files.net, folder / "none.csv", *given[2:]], "netcli: none.png can't be read: No such file or directory"),
        ([files.net, "none.txt", *given[2:], *search], "netcli: none.txt: can't be read: No such file or directory"),
        ([files.net, folder / "empty.txt", *given[2:], *search], f"netcli: {folder}/empty.txt: names no image"),
        ([*given[:2], "out.npy", *given[3:]], "netcli: out.npy: what is found is written to a file .csv, .h5, .hdf5"),
        ([*given, "--context-pad", 20], "netcli: a context of 20 pixels on each side leaves no window in 40x40"),
        (
            [grey.net, files.csv, files.out, "--weights", grey.weights],
            f"netcli: {grey.net}: detect reads images of 3 channels, and the net wants 1",
        ),
    ]:
        status, _, err = netcli("detect", *arguments)
        assert (status, err.splitlines()[-1][: len(message)]) == (2, message)
        assert not files.out.exists()
    monkeypatch.setitem(sys.modules, "h5py", None)
    status, _, err = netcli("detect", *given[:2], folder / "out.h5", *given[3:])
    assert (status, err) == (2, "netcli: HDF5 files need h5py: pip install netcli[hdf5]\n")
