"""`netcli predict`: the classes of images by a trained net."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from netcli.arrays.layout import size_text
from netcli.arrays.resize import resize
from netcli.arrays.threads import set_threads
from netcli.augment.views import SIZES, Viewer, Views
from netcli.cli.image_net import input_of_images, output_of_scores
from netcli.cli.options import engine_option, gpu_option, precision_option, python_option, threads_option, views_options
from netcli.cli.ranking import best, check_labels, read_labels, tell
from netcli.errors import NetcliError, Place
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.net.rules import net_state, select_layers
from netcli.prototxt import find_file, read_net, schema
from netcli.snapshots import read_blob
from netcli.sources.image_file import read_image
from netcli.training.cards import device_of
from netcli.training.finite import finite
from netcli.training.precision import ops_of
from netcli.training.view_scores import ViewScores
from netcli.training.weights import load_all_weights, split_paths


@click.command(short_help="Tell the classes of images.")
@click.argument("net", metavar="NET")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--weights", multiple=True, required=True, metavar="FILE[,...]", help="Caffemodels, one after another.")
@click.option("--labels", metavar="FILE", help="The classes' names, one a line.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes told for each image.")
@click.option("--transform", "like", metavar="NET", help="Scale, mean and crop of the data layer of this training net.")
@click.option("--scale", type=float, help="Factor of pixels, after the mean is taken off; e.g. 0.00390625.")
@click.option("--mean-file", metavar="FILE", help="A mean image (.binaryproto), of the size before the crop.")
@click.option("--mean-value", metavar="B,G,R", help="A mean for each channel, or one for all.")
@click.option("--resize", "size", metavar="HxW", help="Before the crop.  Default: the mean's size, or the input's.")
@views_options
@click.option("--output", metavar="BLOB", help="Default: prob where there is one, else the last output.")
@engine_option
@precision_option
@threads_option
@gpu_option
@python_option
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object for each image.")
def command(
    net: str,
    images: Sequence[str],
    weights: Sequence[str],
    labels: str | None,
    top: int,
    like: str | None,
    scale: float | None,
    mean_file: str | None,
    mean_value: str | None,
    size: str | None,
    views: Views,
    output: str | None,
    engine: str,
    precision: str | None,
    gpu: int | None,
    threads: int | None,
    allow_python: bool,
    as_json: bool,
) -> None:
    """Print the likeliest classes of each IMAGE by NET, a net with an Input layer (a "deploy" prototxt).

    An image is resized, cropped in the middle to the net's input, the mean is taken off, and it is scaled:
    by the options here, or as the data layer of the training net does that --transform names.  With --ten-crop, --whole
    or --scales the net's output is the mean over several views; --whole leaves an image as large as it is but for
    --resize and --scales.
    """
    if threads is not None:
        set_threads(threads)
    param = _transform_param(like, scale, mean_file, mean_value)
    names = read_labels(labels)
    ops = ops_of(None, engine, precision, device=device_of(None, gpu, engine).device)
    model = Net(read_net(net), TEST, ops=ops, allow_python=allow_python, constant=True)
    try:
        preparation = Preparation(model, net, param, size, views)
        blob = output_of_scores(model, net, output, "predict")
        check_labels(names, labels, (*model.blobs[blob].shape, 1)[1])
        load_all_weights(model, split_paths(weights))
        results = []
        batch = model.blobs[preparation.input].shape[0]
        run = ViewScores(model, preparation.input, {blob: False})
        for first in range(0, len(images), batch):
            some = images[first : first + batch]
            rows = run(map(preparation, some), preparation.viewer)[blob]
            for path, scores in zip(some, rows, strict=True):
                results.append({"image": path, "classes": best(scores, names, top)})
                if not as_json:
                    tell(results[-1])
    finally:
        model.close()
    if as_json:
        click.echo(json.dumps(finite(results), allow_nan=False))


class Preparation:
    """How image files become the net's input: called with one's path, it gives the image for `viewer`.

    input: the input's name
    """

    def __init__(self, net: Net, path: str, param: Any, size: str | None, views: Views) -> None:
        self.input = input_of_images(net, path, "predict")
        _, channels, height, width = net.blobs[self.input].shape
        if channels not in (1, 3):
            raise NetcliError(f"input '{self.input}' has {channels} channels; images have 1 or 3", place=Place(path))
        self._color = channels == 3
        mean = _mean_image(param)
        own = views.scales or any(param.HasField(name) for name in SIZES)  # what brings images to a size by itself
        self._size: tuple[int, int] | None = None
        if size:
            self._size = _parse_size(size)
        elif not own and not views.whole:
            self._size = mean.shape[1:] if mean is not None else (height, width)
        if views.ten and self._size == (height, width):
            raise NetcliError(
                f"ten crops of {height}x{width} are cut out of larger images; --resize or --scales gives their size"
            )
        for name in ("crop_size", "crop_h", "crop_w"):
            param.ClearField(name)
        if not views.whole:
            param.crop_h, param.crop_w = height, width
        self.viewer = Viewer(param, views, mean)
        if self._size is not None and not views.scales:
            self.viewer.check((channels, *self._size))  # before the weights are read

    def __call__(self, path: str) -> Any:
        """(C, H, W) uint8; raises DataError."""
        image = read_image(path, color=self._color)
        return image if self._size is None else resize(image, *self._size)


def _transform_param(like: str | None, scale: float | None, mean_file: str | None, mean_value: str | None) -> Any:
    """The transform of the data layer of `like`, where one is given, and what the options change in it."""
    param = schema.TransformationParameter()
    if like is not None:
        param.CopyFrom(_transform_of(like))
    param.ClearField("mirror")
    if scale is not None:
        param.scale = scale
    if mean_file is not None or mean_value is not None:
        param.ClearField("mean_file")
        param.ClearField("mean_value")
    if mean_file is not None:
        param.mean_file = mean_file
    if mean_value is not None:
        try:
            param.mean_value.extend(float(value) for value in mean_value.split(","))
        except ValueError:
            raise click.BadParameter(f"{mean_value!r} is not a list of numbers", param_hint="--mean-value") from None
    return param


def _transform_of(path: str) -> Any:
    """The transform_param of the layer that brings the test data into a net."""
    document = read_net(path)
    selected = select_layers(document, net_state(document.message, TEST))
    for layer in selected.children("layer"):
        if not layer.message.bottom and layer.message.HasField("transform_param"):
            param = schema.TransformationParameter()
            param.CopyFrom(layer.message.transform_param)
            if param.HasField("mean_file"):
                param.mean_file = find_file(param.mean_file, layer.lines)
            return param
    raise NetcliError("has no data layer with a transform_param in its TEST phase", place=Place(path))


def _mean_image(param: Any) -> Any:
    """The mean image (C, H, W), or None."""
    if not param.HasField("mean_file"):
        return None
    mean = read_blob(param.mean_file, "mean file")
    if mean.ndim == 4 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim != 3:
        raise NetcliError(
            f"holds an array of {size_text(mean.shape)}; a mean image is CxHxW or 1xCxHxW", place=Place(param.mean_file)
        )
    return mean


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not match or int(match[1]) < 1 or (match[2] and int(match[2]) < 1):
        raise click.BadParameter(f"{text!r} is not HxW, such as 256x256", param_hint="--resize")
    return int(match[1]), int(match[2] or match[1])
