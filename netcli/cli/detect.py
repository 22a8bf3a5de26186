"""`netcli detect`: what a net says of windows in images, as Caffe's python/detect.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from netcli.arrays import hdf5
from netcli.arrays.layout import size_text
from netcli.arrays.threads import set_threads
from netcli.cli.image_net import Preprocessing, preprocessing_options
from netcli.cli.options import gpu_option, python_option, threads_option
from netcli.errors import DataError, NetcliError, Place
from netcli.pycaffe.detector import Detector
from netcli.pycaffe.mode import building_on
from netcli.pycaffe.window_files import read_windows, write_csv, write_hdf5
from netcli.snapshots import check_writable
from netcli.sources.image_file import image_size
from netcli.training.cards import device_of
from netcli.training.weights import load_all_weights, split_paths

WRITERS = {".csv": write_csv, ".h5": write_hdf5, ".hdf5": write_hdf5}
CROP_MODES = ("list", "selective_search")


@click.command(short_help="Tell the classes of windows in images.")
@click.argument("net", metavar="NET")
@click.argument("input_file", metavar="INPUT")
@click.argument("output_file", metavar="OUTPUT")
@click.option("--weights", multiple=True, required=True, metavar="FILE[,...]", help="Caffemodels, one after another.")
@click.option("--crop-mode", type=click.Choice(CROP_MODES), default="list", show_default=True, help="What INPUT is.")
@preprocessing_options
@click.option(
    "--context-pad",
    type=click.IntRange(min=0),
    default=16,
    show_default=True,
    help="Pixels of the net's input, on each side, for what is around a window.",
)
@threads_option
@gpu_option
@python_option
def command(
    net: str,
    input_file: str,
    output_file: str,
    weights: Sequence[str],
    crop_mode: str,
    preprocessing: Preprocessing,
    context_pad: int,
    threads: int | None,
    gpu: int | None,
    allow_python: bool,
) -> None:
    """Write what NET, a net with an Input layer (a "deploy" prototxt), says of windows in images to OUTPUT.

    INPUT of crop mode list is a .csv file whose first line names the columns filename, ymin, xmin, ymax, xmax: a window
    in pixels on each line after it.  Of selective_search it is a text of image files, one a line, and the windows are
    found by the module selective_search_ijcv_with_python, which is yours to install.

    OUTPUT is a .csv file with those columns and class0, class1, ..., or an .h5 file with the datasets filename, window
    and prediction.  Of the mean its channels' averages are taken off.
    """
    if threads is not None:
        set_threads(threads)
    device = device_of(None, gpu).device
    write = WRITERS.get(os.path.splitext(output_file)[1].lower())
    if write is None:
        raise NetcliError(f"{output_file}: what is found is written to a file {', '.join(WRITERS)}")
    if write is write_hdf5:
        hdf5.require()
    check_writable(output_file)
    given, channels = preprocessing.arguments(net, "detect", allow_python)
    if channels != 3:
        raise NetcliError(f"detect reads images of 3 channels, and the net wants {channels}", place=Place(net))
    if given["mean"] is not None and given["mean"].ndim == 3:
        given["mean"] = given["mean"].mean(axis=(1, 2))
    if crop_mode == "list":
        run: Callable[[Detector], Any] = partial(Detector.detect_windows, images_windows=_windows(input_file))
    else:
        run = partial(Detector.detect_selective_search, image_fnames=_names(input_file))
    with building_on(device):
        detector = Detector(net, None, context_pad=context_pad, **given)
    load_all_weights(detector.engine, split_paths(weights))
    detections = run(detector)
    if not detections:
        raise DataError(f"{input_file}: no window was found in any image")
    write(output_file, detections)
    images = len({each["filename"] for each in detections})
    click.echo(f"{output_file}: {len(detections)} windows of {images} images")


def _windows(file: str) -> list[tuple[str, Any]]:
    """Images and their windows; raises DataError where an image is not there, or a window lies outside of it."""
    images = read_windows(file)
    for name, windows in images:
        size = image_size(name)
        for window in windows:
            if min(window[2:]) <= 0 or window[0] >= size[0] or window[1] >= size[1]:
                told = ", ".join(f"{corner:g}" for corner in window)
                raise DataError(f"{file}: the window {told} lies outside of {name}, {size_text(size)}")
    return images


def _names(path: str) -> list[str]:
    """Image files; raises DataError where one is not there."""
    try:
        names = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"can't be read: {getattr(fault, 'strerror', None) or fault}", place=Place(path)) from None
    if not names:
        raise DataError("names no image", place=Place(path))
    for name in names:
        image_size(name)
    return names
