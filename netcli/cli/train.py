"""`netcli train`: train a net as a solver prototxt says."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from netcli.arrays.cuda.device import CudaDevice
from netcli.cli.options import (
    data_threads_option,
    engine_option,
    gpu_option,
    level_option,
    precision_option,
    python_option,
    stage_option,
    threads_option,
)
from netcli.cli.screen import Screen
from netcli.cli.solver_run import (
    Found,
    begin,
    hold_prefix,
    read_found,
    read_solver_to_train,
    say_device,
    settle_weights,
)
from netcli.errors import NetcliError
from netcli.prototxt.lines import Document
from netcli.snapshots import newest_state
from netcli.snapshots.atomic import check_writable
from netcli.training import run_folder
from netcli.training.caffe_log import CaffeLog
from netcli.training.cards import device_of
from netcli.training.curve import Curve
from netcli.training.durations import duration
from netcli.training.guard import Guard
from netcli.training.journal import Journal
from netcli.training.metrics import Metrics
from netcli.training.profile import Profile
from netcli.training.progress import Progress
from netcli.training.run_folder import RunFolder
from netcli.training.signals import EFFECTS, Signals
from netcli.training.snapshot import Snapshots
from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")
NEWEST = "newest"
TRACED = (10, 14)  # iterations, the first and the last


@click.command(short_help="Train a net as a solver prototxt says.")
@click.argument("solver", required=False, metavar="SOLVER")
@click.option("--weights", multiple=True, metavar="FILE[,...]", help="Begin with the weights of caffemodels.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=NEWEST,
    metavar="[STATE]",
    help="Go on from a .solverstate, with its number of threads; without STATE from the newest whole one behind "
    "snapshot_prefix.",
)
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Change a field of the solver.")
@level_option
@stage_option
@engine_option
@precision_option
@threads_option
@data_threads_option
@gpu_option
@click.option("--deterministic", is_flag=True, help="The same bits from a card each time, at some cost.")
@python_option
@click.option("--sigint-effect", type=click.Choice(EFFECTS), default="stop", show_default=True)
@click.option("--sighup-effect", type=click.Choice(EFFECTS), default="snapshot", show_default=True)
@click.option("--nan-effect", type=click.Choice(["stop", "warn"]), default="stop", show_default=True)
@click.option(
    "--profile",
    metavar="FILE",
    help="Write a trace of some iterations, for Perfetto or chrome://tracing; on a card these are not replayed, "
    "and the layers have NVTX ranges too.",
)
@click.option(
    "--profile-iterations",
    type=(click.IntRange(min=0), click.IntRange(min=0)),
    metavar="FIRST LAST",
    help=f"Which, counted from 0 where this run begins.  Default: {TRACED[0]} {TRACED[1]}.",
)
@click.option("--run-dir", type=click.Path(path_type=Path), help="Default: runs/NAME-N, a new one.")
@click.option("--log-to-stderr", is_flag=True, help="Caffe's log lines there too, in place of progress.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; warnings and faults alone.")
def command(
    solver: str | None,
    weights: Sequence[str],
    resume: str | None,
    assignments: Sequence[str],
    level: int | None,
    stages: tuple[str, ...],
    engine: str,
    precision: str | None,
    gpu: int | None,
    deterministic: bool,
    threads: int | None,
    allow_python: bool,
    sigint_effect: str,
    sighup_effect: str,
    nan_effect: str,
    profile: str | None,
    profile_iterations: tuple[int, int] | None,
    run_dir: Path | None,
    log_to_stderr: bool,
    quiet: bool,
) -> None:
    """Train the net of a SOLVER prototxt.

    Snapshots go where its snapshot_prefix says; log, metrics and learning curve to a run folder.
    ctrl-C stops with a snapshot, from which --resume goes on to the same numbers.
    """
    if solver is None and resume not in (None, NEWEST):  # `train --resume SOLVER` gives the solver to --resume
        solver, resume = resume, NEWEST
    if solver is None:
        raise click.UsageError("Missing argument 'SOLVER'.")
    if profile_iterations is not None and profile is None:
        raise click.UsageError("--profile-iterations is for --profile FILE.")
    first, last = profile_iterations or TRACED
    if first > last:
        raise click.UsageError("--profile-iterations takes the first and the last, which is not before it.")
    if profile is not None:
        check_writable(profile)
    document = read_solver_to_train(solver, assignments=assignments, level=level, stages=stages)
    paths = _weights(document, weights, resume)
    state = _state(document, resume)
    journal = Journal(to_stderr=log_to_stderr)
    chosen = device_of(document, gpu, engine)
    if isinstance(chosen.device, CudaDevice):
        chosen.device.deterministic = deterministic
    say_device(journal, chosen.device)
    with contextlib.ExitStack() as stack:
        screen = Screen(quiet=quiet or log_to_stderr)
        stack.callback(screen.close)
        param = document.message
        if chosen.in_words:
            screen.say(chosen.in_words)
        hold_prefix(stack, document, must=True)
        if state is not None:
            screen.say(f"going on from {state.path}, iteration {state.content.iteration}")
        session, run = begin(
            stack,
            document,
            journal,
            weights=paths,
            state=state,
            engine=engine,
            precision=precision,
            device=chosen.device,
            threads=threads,
            allow_python=allow_python,
        )
        if profile is not None:
            traced = Profile(profile, first, last, said=screen.say)
            traced.check(run)
            run.add([traced])
        name = session.net.name or Path(solver).stem
        folder = run_folder.given(run_dir) if run_dir else run_folder.next_free(name)
        folder.write(["netcli", *sys.argv[1:]], session.texts())
        snapshots = Snapshots(param)
        run.add(
            [
                Guard(session.rebuild, stop=nan_effect == "stop"),
                Signals({"SIGINT": sigint_effect, "SIGHUP": sighup_effect}),
                CaffeLog(journal),
                Metrics(folder.metrics),
                Curve(folder.metrics, folder.curve),
                Progress(screen),
                snapshots,
            ]
        )
        journal.open(folder.log)
        stack.callback(journal.close)
        journal.say("caffe.cpp:248", "Starting Optimization")
        started = time.perf_counter()
        try:
            run.train()
        except NetcliError as fault:
            journal.say("netcli", str(fault))
            raise
        _report(screen, run, snapshots, folder, time.perf_counter() - started, resumed=state is not None)
    if run.stopped is not None:
        raise click.exceptions.Exit(128 + signal.Signals[run.stopped])


def _weights(document: Document, given: Sequence[str], resume: str | None) -> list[str]:
    """The caffemodels to begin with; none where a run is resumed."""
    if given and resume is not None:
        raise NetcliError("give --weights to begin with weights or --resume to go on from a snapshot, not both")
    paths = settle_weights(document, given)
    return paths if resume is None else []


def _state(document: Document, resume: str | None) -> Found | None:
    prefix = document.message.snapshot_prefix
    if resume is None:
        newest = newest_state(prefix)
        if newest is not None:
            _log.warning(
                "%s is of an earlier run; --resume without a file goes on from it until this run has a snapshot", newest
            )
        return None
    if resume != NEWEST:
        return read_found(resume)
    newest = newest_state(prefix)
    if newest is None:
        raise NetcliError(f"there is no whole snapshot {prefix}_iter_N.solverstate to go on from; leave --resume out")
    return read_found(newest)


def _report(
    screen: Screen, run: Trainer, snapshots: Snapshots, folder: RunFolder, seconds: float, resumed: bool
) -> None:
    """The last lines: what came of it, and where it is."""
    screen.clear()
    done = run.iteration - run.first
    if done == 0 and run.stopped is None:
        screen.say(f"nothing left to train: iteration {run.iteration} of max_iter {run.max_iter}")
    elif run.stopped is None:
        screen.say(f"trained {done} iterations in {duration(seconds)}, loss {run.smoothed_loss:.4g}")
    else:
        hint = "; --resume goes on" if snapshots.paths is not None or (resumed and done == 0) else ""
        screen.say(f"stopped by {run.stopped} at iteration {run.iteration} of {run.max_iter}{hint}")
    if snapshots.paths is not None:
        screen.say(f"  weights  {snapshots.paths[0]}")
        screen.say(f"  state    {snapshots.paths[1]}")
    screen.say(f"  log      {folder.log}")
    if folder.curve.exists():  # not without a number that could be drawn
        screen.say(f"  curve    {folder.curve}")
