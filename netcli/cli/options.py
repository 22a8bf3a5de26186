"""Options that several commands have in common: which net is built, and what computes it."""

from __future__ import annotations

import click

from netcli.errors import NetcliError


def _stages(ctx: click.Context, param: click.Parameter, text: str) -> tuple[str, ...]:  # noqa: ARG001
    return tuple(stage for part in text.split(",") if (stage := part.strip()))


def _no_gpu(ctx: click.Context, param: click.Parameter, value: str | None) -> None:  # noqa: ARG001
    if value is not None:
        raise NetcliError("this build of netcli has no GPU engine yet; leave --gpu out to run on the CPU")


def _with_caffe(ctx: click.Context, param: click.Parameter, allowed: bool) -> bool:  # noqa: ARG001
    """Let `import caffe` in users' layers, most of which were written for pycaffe, be our own."""
    if allowed:
        from netcli.pycaffe import install_as_caffe  # for those who ask for it

        install_as_caffe()
    return allowed


level_option = click.option("--level", type=int, help="Level of the net's state.")
stage_option = click.option(
    "--stage", "stages", default="", metavar="NAME[,...]", callback=_stages, help="Stages of the net's state."
)
engine_option = click.option(
    "--engine", type=click.Choice(["auto", "plain"]), default="auto", help="plain: NumPy's bodies only."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["f32", "bf16"]),
    help="bf16: convolutions and inner products multiply bfloat16 numbers.  Default: the solver's, or f32.",
)
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Default: all cores.")
gpu_option = click.option("--gpu", metavar="ID", expose_value=False, callback=_no_gpu, help="Not there yet.")
python_option = click.option(
    "--allow-python", is_flag=True, callback=_with_caffe, help="Let Python layers of the net run their code."
)
