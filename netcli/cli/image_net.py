"""A net that takes images, and what is done to them before: as `predict`, `classify` and `detect` have it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from netcli.arrays.layout import size_text
from netcli.arrays.ops import Ops
from netcli.errors import DataError, NetcliError, Place
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import read_blob
from netcli.snapshots.blobproto import begins_with

NUMPY = b"\x93NUMPY"  # what a .npy file begins with
RGB_TO_BGR = (2, 1, 0)


def input_of_images(net: Net, path: str, command: str) -> str:
    """The net's one input, if it is of images (N, C, H, W); path: the net's file, for the sentence of another."""
    images = [name for name in net.inputs if len(net.blobs[name].shape) == 4]
    if len(net.inputs) != 1 or not images:
        found = ", ".join(f"'{name}' {net.blobs[name].shape}" for name in net.inputs) or "none"
        raise NetcliError(
            f"{command} wants a net with one input of images (N, C, H, W), and the inputs here are: {found}",
            place=Place(path),
        )
    return images[0]


def output_of_scores(net: Net, path: str, wanted: str | None, command: str) -> str:
    """The output that is wanted, or prob, or the last, if it has a row for each image of the input."""
    if not net.outputs:
        raise NetcliError("the net has no output", place=Place(path))
    name = wanted or ("prob" if "prob" in net.outputs else net.outputs[-1])
    if name not in net.outputs:
        outputs = ", ".join(f"'{output}'" for output in net.outputs)
        raise NetcliError(f"'{name}' is no output of the net; there are {outputs}", place=Place(path))
    images, shape = net.blobs[net.inputs[0]].shape[0], net.blobs[name].shape
    if shape[:1] != (images,):
        raise NetcliError(
            f"{command} wants scores for each of the {images} images of a batch, and output '{name}' is {shape}",
            place=Place(path),
        )
    return name


@dataclass(frozen=True)
class Preprocessing:
    """What Caffe's classify.py and detect.py do to images: options of the same names.

    mean_file: None or "": no mean
    channel_swap: None: RGB to BGR for three channels, nothing for others; (): nothing
    """

    mean_file: str | None = None
    input_scale: float | None = None
    raw_scale: float | None = 255.0
    channel_swap: Sequence[int] | None = None

    def arguments(self, path: str, command: str, allow_python: bool) -> tuple[dict[str, Any], int]:
        """What Classifier and Detector take, and how many channels the net does, whose file is at `path`.

        No weights are read, and no memory is taken for the net; raises NetcliError for what does not fit it.
        """
        # A program's own net may run any Python layer.  The command's may not, which this one finds out.
        net = Net(read_net(path, again=True), TEST, ops=Ops("plain"), allow_python=allow_python, dry=True)
        try:
            shape = net.blobs[input_of_images(net, path, command)].shape
            output_of_scores(net, path, net.outputs[0] if net.outputs else None, command)
        finally:
            net.close()
        given = {
            "mean": _read_mean(self.mean_file, shape[1]) if self.mean_file else None,
            "input_scale": self.input_scale,
            "raw_scale": self.raw_scale,
            "channel_swap": self._swap(shape[1]),
        }
        return given, shape[1]

    def _swap(self, channels: int) -> Sequence[int] | None:
        if self.channel_swap is None:
            return RGB_TO_BGR if channels == len(RGB_TO_BGR) else None
        if self.channel_swap and sorted(self.channel_swap) != list(range(channels)):
            order = ",".join(map(str, self.channel_swap))
            raise NetcliError(f"channel swap {order}: the net's input has the channels 0 to {channels - 1}, each once")
        return self.channel_swap or None


def _read_mean(path: str, channels: int) -> Any:
    """A mean in a .npy or .binaryproto file, (C,) or (C, H, W)."""
    mean = read_npy(path) if begins_with(path, NUMPY) else read_blob(path, "mean file")
    if mean.ndim == 4 and mean.shape[0] == 1:
        mean = mean[0]
    if mean.ndim not in (1, 3) or mean.shape[0] not in (1, channels) or not mean.size:
        raise NetcliError(
            f"holds an array of {size_text(mean.shape)}; a mean for {channels} channels is {channels}, "
            f"{channels}xHxW or 1x{channels}xHxW",
            place=Place(path),
        )
    return np.array(mean)


def read_npy(path: str) -> Any:
    """The array of numbers in a .npy file, left on the disk until it is looked at; raises DataError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as fault:
        raise DataError(f"can't be read: {fault.strerror or fault}", place=Place(path)) from None
    except (ValueError, EOFError):
        raise DataError("is not a .npy file of one array of numbers", place=Place(path)) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise DataError("is not a .npy file of one array of numbers", place=Place(path))
    return array


def _order(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, ...] | None:  # noqa: ARG001
    try:
        return None if text is None else tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of channels, such as 2,1,0") from None


def preprocessing_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that are Preprocessing's fields; the command gets them as its argument `preprocessing`."""

    @functools.wraps(command)
    def packed(
        mean_file: str | None,
        input_scale: float | None,
        raw_scale: float,
        channel_swap: tuple[int, ...] | None,
        **others: Any,
    ) -> None:
        command(preprocessing=Preprocessing(mean_file, input_scale, raw_scale, channel_swap), **others)

    function: Callable[..., None] = packed
    for option in (
        click.option(
            "--channel-swap",
            metavar="C,C,C",
            callback=_order,
            help="Order of the channels read.  Default: 2,1,0 (RGB to BGR) for three, '' as they are.",
        ),
        click.option("--input-scale", type=float, help="Factor after the mean is taken off."),
        click.option(
            "--raw-scale",
            type=float,
            default=255.0,
            show_default=True,
            help="Factor of pixels, which are in 0..1, before the mean is taken off.",
        ),
        click.option(
            "--mean-file",
            "--mean",
            "mean_file",
            metavar="FILE",
            help="A mean to take off, .npy or .binaryproto, in the net's channels.",
        ),
    ):
        function = option(function)
    return function
