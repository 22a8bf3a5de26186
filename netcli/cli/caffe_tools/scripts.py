"""Caffe's Python scripts, with the options of their own, each over the command of netcli that does the same."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from netcli.arrays.cuda.device import CudaDevice
from netcli.training.cards import card_or_cpu

_log = logging.getLogger("netcli")


@dataclass(frozen=True)
class Option:
    """An option of a script.

    now      what netcli's command calls it; empty where it has none
    default  what is passed on where it is not given; None: nothing
    beside   the file it means by default, from the script's own folder
    switch   it takes no value
    """

    name: str
    now: str
    words: str
    default: str | None = None
    beside: str | None = None
    switch: bool = False


@dataclass(frozen=True)
class Script:
    """A script: what it does, the words it takes, its options, and the file of our command.

    ours: from the words and the options that are words of ours, the words that our command takes.
    """

    what: str
    module: str
    words: tuple[str, ...]
    options: tuple[Option, ...] = ()
    ours: Callable[[list[str], dict[str, str]], list[str]] = lambda words, _: words


_MODELS = "../models/bvlc_reference_caffenet/"
_IMAGE_OPTIONS = (
    Option("model_def", "NET", "The net's prototxt.", beside=_MODELS + "deploy.prototxt"),
    Option("pretrained_model", "--weights", "Its caffemodel.", beside=_MODELS + "bvlc_reference_caffenet.caffemodel"),
    Option("gpu", "--gpu", "Let the first card compute.", switch=True),
    Option(
        "mean_file", "--mean-file", "The mean to take off; '' for none.", beside="caffe/imagenet/ilsvrc_2012_mean.npy"
    ),
    Option("input_scale", "--input-scale", "Factor of pixels after the mean is taken off."),
    Option("raw_scale", "--raw-scale", "Factor of pixels, which are 0 to 1, before it; 255 unless given."),
    Option("channel_swap", "--channel-swap", "Order of the channels, from RGB.", default="2,1,0"),
)


def _net_first(words: list[str], named: dict[str, str]) -> list[str]:
    return [named["model_def"], *words]


def _logs_first(words: list[str], _: dict[str, str]) -> list[str]:
    chart, picture, *logs = words
    return ["--chart", chart, *logs, picture]


SCRIPTS = {
    "classify": Script(
        "Tells the classes of images.",
        "classify",
        ("input_file", "output_file"),
        (
            *_IMAGE_OPTIONS,
            Option("center_only", "--center-only", "One crop from the centre instead of ten.", switch=True),
            Option("images_dim", "--images-dim", "Height and width of images before they are cropped; 256,256."),
            Option("ext", "--ext", "What names of images in a folder end with; jpg."),
        ),
        _net_first,
    ),
    "detect": Script(
        "Tells the classes of windows in images.",
        "detect",
        ("input_file", "output_file"),
        (
            *_IMAGE_OPTIONS,
            Option("crop_mode", "--crop-mode", "list or selective_search.", default="selective_search"),
            Option("context_pad", "--context-pad", "Pixels of what is around a window; 16."),
        ),
        _net_first,
    ),
    "draw_net": Script(
        "Draws a net.",
        "draw_net",
        ("input_net_proto_file", "output_image_file"),
        (
            Option("rankdir", "--rankdir", "LR, RL, TB or BT: where the graph runs to."),
            Option("phase", "--phase", "TRAIN, TEST or ALL."),
            Option("display_lrm", "--display-lrm", "Show the learning rate multipliers.", switch=True),
        ),
    ),
    "parse_log": Script(
        "Writes the numbers of a training log as tables.",
        "parse_log",
        ("logfile_path", "output_dir"),
        (
            Option("verbose", "", "Changes nothing: what was written is always told.", switch=True),
            Option("delimiter", "--delimiter", "Between columns."),
        ),
    ),
    "plot_training_log": Script(
        "Draws one of the charts 0 to 7 of training logs.",
        "plot_log",
        ("chart_type", "path_to_png", "path_to_log..."),
        (),
        _logs_first,
    ),
}


def run(name: str, arguments: Sequence[str], folder: str) -> int:
    """Run a script's command; folder: where the script itself is said to lie.  Raises what the command raises."""
    script = SCRIPTS[name]
    parser = _parser(name, script)
    given = vars(parser.parse_args(list(arguments)))
    words = [word for each in script.words for word in _listed(given[each.removesuffix("...")])]
    ours: list[str] = []
    named: dict[str, str] = {}
    for option in script.options:
        value = given[option.name]
        if option.name == "gpu":
            card = card_or_cpu("--gpu", [0]) if value else None
            ours += [f"--gpu={card.number}"] if isinstance(card, CudaDevice) else []
        elif option.switch:
            ours += [option.now] if value and option.now else []
        else:
            text = _settled(parser, option, value, folder)
            named |= {option.name: text}
            if option.now.startswith("--") and (text or option.name == "channel_swap"):
                ours.append(f"{option.now}={text}")
    command: click.Command = importlib.import_module(f"netcli.cli.{script.module}").command
    status = command.main([*ours, *script.ours(words, named)], prog_name=name, standalone_mode=False)
    return status or 0


def _settled(parser: argparse.ArgumentParser, option: Option, value: str | None, folder: str) -> str:
    """What an option is set to: as given, or by default."""
    if value is not None or option.beside is None:
        return (option.default or "") if value is None else value
    path = os.path.join(folder, option.beside)
    if folder and os.path.exists(path):
        return path
    if option.name != "mean_file":
        parser.error(f"--{option.name} is needed, for {path} is not there")
    _log.warning("no mean is taken off; Caffe's own default, %s, is not there: --mean_file names one", option.beside)
    return ""


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _parser(name: str, script: Script) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(name, description=script.what)
    for word in script.words:
        parser.add_argument(word.removesuffix("..."), nargs="+" if word.endswith("...") else None)
    for option in script.options:
        words = option.words + (f"  [netcli: {option.now}]" if option.now else "")
        if option.switch:
            parser.add_argument(f"--{option.name}", action="store_true", help=words)
        else:
            parser.add_argument(f"--{option.name}", help=words.replace("%", "%%"))
    return parser
