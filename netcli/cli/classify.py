"""`netcli classify`: the classes of images from ten crops of each, as Caffe's python/classify.py."""

from __future__ import annotations

import glob
import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import click
import numpy as np

from netcli.arrays.layout import size_text
from netcli.arrays.threads import set_threads
from netcli.cli.image_net import Preprocessing, preprocessing_options, read_npy
from netcli.cli.options import gpu_option, python_option, threads_option
from netcli.cli.ranking import best, check_labels, read_labels, tell
from netcli.errors import DataError, Place
from netcli.pycaffe.classifier import Classifier
from netcli.pycaffe.images import load_image
from netcli.pycaffe.mode import building_on
from netcli.snapshots import atomic_write, check_writable
from netcli.sources.image_file import image_size
from netcli.training.cards import device_of
from netcli.training.weights import load_all_weights, split_paths

SMALL = 0.25  # of an image's area: ten crops of less leave a part of it out

_log = logging.getLogger("netcli")


def _dims(ctx: click.Context, param: click.Parameter, text: str) -> tuple[int, int]:  # noqa: ARG001
    match = re.fullmatch(r"([1-9]\d*),([1-9]\d*)", text)
    if not match:
        raise click.BadParameter(f"{text!r} is not height,width, such as 256,256")
    return int(match[1]), int(match[2])


@click.command(short_help="Tell the classes of images from ten crops of each.")
@click.argument("net", metavar="NET")
@click.argument("input_file", metavar="INPUT")
@click.argument("output_file", metavar="OUTPUT")
@click.option("--weights", multiple=True, required=True, metavar="FILE[,...]", help="Caffemodels, one after another.")
@click.option("--center-only", is_flag=True, help="One crop from the centre instead of ten.")
@click.option(
    "--images-dim",
    "image_dims",
    default="256,256",
    metavar="H,W",
    callback=_dims,
    show_default=True,
    help="Size of images before they are cropped.",
)
@preprocessing_options
@click.option(
    "--ext", "extension", default="jpg", show_default=True, help="What the images' names in a folder end with."
)
@click.option("--labels", metavar="FILE", help="The classes' names, one a line.")
@click.option("--top", type=click.IntRange(min=0), default=5, show_default=True, help="Classes told for each image.")
@threads_option
@gpu_option
@python_option
def command(
    net: str,
    input_file: str,
    output_file: str,
    weights: Sequence[str],
    center_only: bool,
    image_dims: tuple[int, int],
    preprocessing: Preprocessing,
    extension: str,
    labels: str | None,
    top: int,
    threads: int | None,
    gpu: int | None,
    allow_python: bool,
) -> None:
    """Write the scores of each image of INPUT by NET, a net with an Input layer (a "deploy" prototxt), to OUTPUT.

    INPUT is an image file, a folder of them, which are taken by their names, or an array (N, H, W, K) in a .npy file.
    OUTPUT is a .npy file: (N, classes) float32, the mean of ten crops (corners and centre, and mirrored).  A name
    without .npy gets it.

    The numbers are those of Caffe's classify.py; predict gives those of its data layers, from one crop.
    """
    if threads is not None:
        set_threads(threads)
    output_file = output_file if output_file.endswith(".npy") else f"{output_file}.npy"
    device = device_of(None, gpu).device
    names = read_labels(labels)
    check_writable(output_file)
    given, channels = preprocessing.arguments(net, "classify", allow_python)
    images = _Images(input_file, extension, channels)
    with building_on(device):
        classifier = Classifier(net, None, image_dims, **given)
    _tell_of_small_crops(classifier)
    check_labels(names, labels, math.prod(classifier.engine.blobs[classifier.engine.outputs[0]].shape[1:]))
    load_all_weights(classifier.engine, split_paths(weights))
    scores: list[Any] = []
    for batch in classifier.predict_batches(images, not center_only):
        for row in batch:
            if top:
                tell({"image": images.names[len(scores)], "classes": best(row.ravel(), names, top)})
            scores.append(row)
    atomic_write(output_file, lambda stream: np.save(stream, np.stack(scores)))
    click.echo(f"{output_file}: {size_text((len(scores), *scores[0].shape))}")


def _tell_of_small_crops(classifier: Classifier) -> None:
    """Warn where all ten crops together show little of an image."""
    share = math.prod(classifier.crop_dims) / math.prod(classifier.image_dims)
    if share < SMALL:
        _log.warning(
            "a crop of %s is %.2g %% of an image of %s; --images-dim gives images another size before they are cropped",
            size_text(tuple(map(int, classifier.crop_dims))),
            100 * share,
            size_text(tuple(classifier.image_dims)),
        )


class _Images:
    """The images of INPUT, each read when it is its turn; that all are there is known before.

    names: of each, for the person who reads the screen
    """

    def __init__(self, path: str, extension: str, channels: int) -> None:
        self.array: Any = None
        self.color = channels == 3
        if path.endswith(".npy"):
            self.array = read_npy(path)
            if self.array.ndim != 4 or self.array.shape[3] != channels or not self.array.size:
                raise DataError(
                    f"holds an array of {size_text(self.array.shape)}; the net wants images (N, H, W, {channels})",
                    place=Place(path),
                )
            self.names = [f"{path}[{index}]" for index in range(len(self.array))]
            return
        if channels not in (1, 3):
            raise DataError(f"the net wants images of {channels} channels, and image files are read as 1 or 3")
        self.names = [path]
        if os.path.isdir(path):
            self.names = sorted(glob.glob(os.path.join(glob.escape(path), f"*.{glob.escape(extension)}")))
            if not self.names:
                raise DataError(f"{path} has no files *.{extension}; --ext names another ending")
        for name in self.names:
            image_size(name)

    def __iter__(self) -> Iterator[Any]:
        if self.array is not None:
            yield from self.array
        else:
            yield from (load_image(name, self.color) for name in self.names)
