"""Caffe's main program: train, test, time and device_query, with its flags, lines and exit statuses."""

from __future__ import annotations

import contextlib
import re
import signal
import time as clock
from collections.abc import Sequence

from netcli.arrays.cuda.card import Card
from netcli.arrays.device import CPU, Device
from netcli.arrays.threads import set_threads
from netcli.cli.caffe_tools.call import Call
from netcli.cli.caffe_tools.gflags import Flag
from netcli.cli.solver_run import begin, hold_prefix, read_found, read_solver_to_train, say_device, settle_weights
from netcli.cli.target import PHASES
from netcli.cli.time import Times, measure
from netcli.errors import NetcliError, suggestion
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.training.caffe_log import CaffeLog
from netcli.training.cards import all_cards, card_or_cpu
from netcli.training.choices import Choice
from netcli.training.guard import Guard
from netcli.training.precision import ops_of
from netcli.training.scores import outputs_of, score
from netcli.training.signals import EFFECTS, Signals
from netcli.training.snapshot import Snapshots
from netcli.training.weights import load_all_weights, split_paths

FLAGS = (
    Flag("solver", "", "train: the solver prototxt.", "train SOLVER"),
    Flag("model", "", "test, time: the net prototxt.", "test NET, time NET"),
    Flag("snapshot", "", "train: the solver state to go on from.", "train --resume STATE"),
    Flag("weights", "", "train, test: caffemodels to begin with, with commas between them.", "--weights FILE[,...]"),
    Flag("iterations", 50, "test, time: batches, or rounds.", "--iterations N"),
    Flag("phase", "", "time: TRAIN or TEST; TRAIN unless given.", "time --phase PHASE"),
    Flag("level", 0, "Level of the net's state.", "--level N"),
    Flag("stage", "", "Stages of the net's state, with commas between them.", "--stage NAME[,...]"),
    Flag("gpu", "", "A GPU's number.  Of several, with commas between them, or all, the first computes.", "--gpu ID"),
    Flag("sigint_effect", "stop", "train: what SIGINT does: stop, snapshot or none.", "train --sigint-effect"),
    Flag("sighup_effect", "snapshot", "train: what SIGHUP does: stop, snapshot or none.", "train --sighup-effect"),
    # Ours, which Caffe does not have.
    Flag("allow_python", False, "Let Python layers of the net run their code.", "--allow-python"),
    Flag("engine", "auto", "auto, or plain for NumPy's bodies only.", "--engine NAME"),
    Flag("threads", 0, "Threads that compute; 0: all cores.", "--threads N"),
)


def brew(call: Call) -> int:
    """Do the action that the only word names."""
    (name,) = call.words
    action = ACTIONS.get(name)
    if action is None:
        raise NetcliError(
            f"unknown action '{name}'{suggestion(name, ACTIONS)}; the actions are {', '.join(ACTIONS)}, "
            "and -help names the other programs"
        )
    return action(call)


def train(call: Call) -> int:
    """Train as a solver says; 0 at the end, also where SIGINT or SIGHUP has stopped it, and 143 after SIGTERM."""
    flags = call.flags
    solver = _needed(call, "solver", "train")
    if flags.text("snapshot") and flags.text("weights"):
        raise NetcliError("give -snapshot to go on from it or -weights to begin with them, not both")
    effects = {name.upper(): _effect(call, name) for name in ("sigint", "sighup")}
    document = read_solver_to_train(solver, level=flags.number("level"), stages=_stages(call))
    param = document.message
    device = _device(call)
    asks = param.HasField("solver_mode") and param.solver_mode == param.GPU
    if asks and not call.flags.text("gpu"):
        device = card_or_cpu("solver_mode: GPU", [param.device_id])
    say_device(call.log, device)
    weights = settle_weights(document, [text] if (text := flags.text("weights")) else [], resume="-snapshot")
    path = flags.text("snapshot")
    state = read_found(path, weights="-weights", resume="-snapshot") if path else None
    with contextlib.ExitStack() as stack:
        alone = hold_prefix(stack, document, must=False)
        session, run = begin(
            stack,
            document,
            call.log,
            weights=weights if state is None else [],
            state=state,
            engine=_engine(call),
            device=device,
            threads=_threads(call),
            allow_python=_allow_python(call),
        )
        # A loss that is no number ends no run of Caffe's; a script may count on its last snapshot.
        run.add(
            [Guard(session.rebuild, stop=False), Signals(effects), CaffeLog(call.log), Snapshots(param, alone=alone)]
        )
        call.log.say("caffe.cpp:248", "Starting Optimization")
        run.train()
    return 128 + signal.SIGTERM if run.stopped == "SIGTERM" else 0


def test(call: Call) -> int:
    """Tell the outputs of each batch, and their means."""
    say = call.log.say
    model, weights = _needed(call, "model", "test"), _needed(call, "weights", "test")
    iterations = _iterations(call)
    device = _device(call)
    say("caffe.cpp:284", "Use CPU." if device is CPU else f"Use GPU with device ID {_numbers(call)[0]}")
    net = _net(call, model, TEST, device, iterations)
    try:
        load_all_weights(net, split_paths([weights]))
        say("caffe.cpp:290", f"Running for {iterations} iterations.")

        def tell(batch: int) -> bool:
            if batch:
                for output in outputs_of(net):
                    say("caffe.cpp:313", f"Batch {batch - 1}, {output.name} = {output.value:g}")
            return True

        means = score(net, iterations, tell)
        tell(iterations)
        assert means is not None  # `tell` stops nothing
        say("caffe.cpp:318", f"Loss: {means.loss:g}")
        for output in means.outputs:
            say("caffe.cpp:330", str(output))
    finally:
        net.close()
    return 0


def time(call: Call) -> int:
    """Tell how long each layer takes forward and backward, on the average."""
    say = call.log.say
    model = _needed(call, "model", "time")
    phase = call.flags.text("phase") or PHASES[TRAIN]
    if phase not in PHASES:
        raise NetcliError(f"-phase is TRAIN or TEST, and not '{phase}'")
    iterations = _iterations(call)
    device = _device(call)
    say("caffe.cpp:352", "Use CPU." if device is CPU else f"Use GPU with device ID {_numbers(call)[0]}")
    net = _net(call, model, PHASES.index(phase), device)
    try:
        say("caffe.cpp:360", "Performing Forward")
        say("caffe.cpp:365", f"Initial loss: {net.forward():g}")
        say("caffe.cpp:366", "Performing Backward")
        net.clear_diffs()
        net.backward()
        say("caffe.cpp:374", "*** Benchmark begins ***")
        say("caffe.cpp:375", f"Testing for {iterations} iterations.")
        start = clock.perf_counter()
        rounds = []
        for number in range(1, iterations + 1):
            rounds.append(measure(net, 1))
            took = rounds[-1].forward_pass + rounds[-1].backward_pass
            say("caffe.cpp:403", f"Iteration: {number} forward-backward time: {1e3 * took:g} ms.")
        _tell_times(call, net, rounds, clock.perf_counter() - start)
    finally:
        net.close()
    return 0


def device_query(call: Call) -> int:
    """Tell of the cards that -gpu names."""
    say = call.log.say
    say("caffe.cpp:138", f"Querying GPUs {call.flags.text('gpu')}")
    for number in _numbers(call):
        card = Card(number)
        free, total = card.memory
        say("common.cpp:180", f"Device id:                     {number}")
        say("common.cpp:181", f"Major revision number:         {card.capability[0]}")
        say("common.cpp:182", f"Minor revision number:         {card.capability[1]}")
        say("common.cpp:183", f"Name:                          {card.model}")
        say("common.cpp:184", f"Total global memory:           {total}")
        say("netcli", f"Free global memory:            {free}")
        say("common.cpp:203", f"Number of multiprocessors:     {card.processors}")
    return 0


ACTIONS = {"train": train, "test": test, "device_query": device_query, "time": time}


def _tell_times(call: Call, net: Net, rounds: Sequence[Times], seconds: float) -> None:
    say = call.log.say

    def mean(values: Sequence[float]) -> str:
        return f"{1e3 * sum(values) / len(values):g} ms."

    say("caffe.cpp:406", "Average time per layer: ")
    for index, layer in enumerate(net.layers):
        say("caffe.cpp:409", f"{layer.name:>10}\tforward: {mean([each.forward[index] for each in rounds])}")
        say("caffe.cpp:412", f"{layer.name:>10}\tbackward: {mean([each.backward[index] for each in rounds])}")
    say("caffe.cpp:417", f"Average Forward pass: {mean([each.forward_pass for each in rounds])}")
    say("caffe.cpp:419", f"Average Backward pass: {mean([each.backward_pass for each in rounds])}")
    say("caffe.cpp:421", f"Average Forward-Backward: {1e3 * seconds / len(rounds):g} ms.")
    say("caffe.cpp:423", f"Total Time: {1e3 * seconds:g} ms.")
    say("caffe.cpp:424", "*** Benchmark ends ***")


def _net(call: Call, path: str, phase: int, device: Device, batches: int = 0) -> Net:
    """The net of a file, with gradients where it is not to be tested over some batches."""
    if (threads := _threads(call)) is not None:
        set_threads(threads)
    choice = Choice(read_net(path), path, path, phase, call.flags.number("level"), _stages(call), batches)
    ops = ops_of(None, _engine(call), device=device)
    return choice.build(ops=ops, seed=0, allow_python=_allow_python(call))


def _needed(call: Call, name: str, action: str) -> str:
    if not (value := call.flags.text(name)):
        raise NetcliError(f"{action} needs -{name}")
    return value


def _iterations(call: Call) -> int:
    if (iterations := call.flags.number("iterations")) < 1:
        raise NetcliError(f"-iterations is at least 1, got {iterations}")
    return iterations


def _effect(call: Call, name: str) -> str:
    effect = call.flags.text(f"{name}_effect")
    if effect not in EFFECTS:
        raise NetcliError(f"-{name}_effect is one of {', '.join(EFFECTS)}, and not '{effect}'")
    return effect


def _stages(call: Call) -> tuple[str, ...]:
    return tuple(stage for stage in call.flags.text("stage").split(",") if stage)


def _engine(call: Call) -> str:
    if (engine := call.flags.text("engine")) not in ("auto", "plain"):
        raise NetcliError(f"-engine is auto or plain, and not '{engine}'")
    return engine


def _threads(call: Call) -> int | None:
    if (threads := call.flags.number("threads")) < 0:
        raise NetcliError(f"-threads is at least 1, or 0 for all cores, got {threads}")
    return threads or None


def _allow_python(call: Call) -> bool:
    """Whether Python layers may run; what they import as caffe is then our own."""
    allowed = call.flags.is_on("allow_python")
    if allowed:
        from netcli.pycaffe import install_as_caffe  # for those who ask for it

        install_as_caffe()
    return allowed


def _numbers(call: Call) -> list[int]:
    """The cards that -gpu names."""
    text = call.flags.text("gpu")
    if text and not re.fullmatch(r"all|\d+(,\d+)*", text):
        raise NetcliError(f"-gpu takes numbers with commas between them, or all, and not '{text}'")
    return all_cards() if text == "all" else [int(number) for number in text.split(",") if number]


def _device(call: Call) -> Device:
    """What computes: the first card that -gpu names, where it can be used."""
    numbers = _numbers(call)
    if not numbers or _engine(call) == "plain":
        return CPU
    return card_or_cpu(f"-gpu {call.flags.text('gpu')}", numbers)
