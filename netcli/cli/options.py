"""Options that several commands have in common: which net is built, and what computes it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from netcli.arrays.threads import set_data_threads
from netcli.augment.views import Views


def _stages(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:  # noqa: ARG001
    return tuple(stage for part in text.split(",") if (stage := part.strip()))


def _card(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:  # noqa: ARG001
    if text is None or re.fullmatch(r"\d{1,4}", text):
        return None if text is None else int(text)
    raise click.BadParameter(f"{text!r} is not the number of one card, such as 0; several can't share a net yet")


def _with_caffe(ctx: click.Context, param: click.Parameter, allowed: bool) -> bool:  # noqa: ARG001
    """Let `import caffe` in users' layers, most of which were written for pycaffe, be our own."""
    if allowed:
        from netcli.pycaffe import install_as_caffe  # for those who ask for it

        install_as_caffe()
    return allowed


def _scales(ctx: click.Context, param: click.Parameter, text: str) -> tuple[int, ...]:  # noqa: ARG001
    if not re.fullmatch(r"([1-9]\d{0,4}(,[1-9]\d{0,4})*)?", text):
        raise click.BadParameter(f"{text!r} is not a list of lengths in pixels, such as 256,288")
    return tuple(int(part) for part in text.split(",") if part)


def views_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that are the fields of Views; the command gets them as its argument `views`."""

    @functools.wraps(command)
    def packed(ten_crop: bool, whole: bool, scales: tuple[int, ...], **others: Any) -> None:
        if ten_crop and whole:
            raise click.UsageError("--ten-crop and --whole exclude each other")
        command(views=Views(ten_crop, whole, scales), **others)

    function: Callable[..., None] = packed
    for option in (
        click.option(
            "--scales",
            default="",
            metavar="S[,...]",
            callback=_scales,
            help="Bring the short side to each of these lengths, and average over them too.",
        ),
        click.option(
            "--whole",
            is_flag=True,
            help="Average over the places of the whole image, and its mirror image, by a fully convolutional net "
            "(convert-fc makes one).",
        ),
        click.option(
            "--ten-crop",
            is_flag=True,
            help="Average the probabilities of ten crops: the corners and the middle, and these mirrored.",
        ),
    ):
        function = option(function)
    return function


level_option = click.option("--level", type=int, help="Level of the net's state.")
stage_option = click.option(
    "--stage", "stages", default="", metavar="NAME[,...]", callback=_stages, help="Stages of the net's state."
)
engine_option = click.option(
    "--engine", type=click.Choice(["auto", "plain"]), default="auto", help="plain: NumPy's bodies only."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["f32", "tf32", "bf16"]),
    help="bf16: convolutions and inner products multiply bfloat16 numbers.  tf32: a card rounds what it multiplies to "
    "10 bits of fraction.  Default: the solver's, or f32, on a card tf32.",
)
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")


def _data_threads(ctx: click.Context, param: click.Parameter, count: int | None) -> None:  # noqa: ARG001
    set_data_threads(count)


data_threads_option = click.option(
    "--data-threads",
    type=click.IntRange(min=1),
    expose_value=False,
    callback=_data_threads,
    help="That decode and transform images.  Default: the data layer's threads, or as many as compute.",
)
gpu_option = click.option(
    "--gpu", metavar="ID", callback=_card, help="The card that computes, from 0.  Default: the solver's, or the CPU."
)
python_option = click.option(
    "--allow-python", is_flag=True, callback=_with_caffe, help="Let Python layers of the net run their code."
)
