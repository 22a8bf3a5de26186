"""Caffe's other programs, each over the command of netcli that does the same."""

from __future__ import annotations

import re

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.device import CPU, Device
from netcli.cli import compute_mean, convert_images
from netcli.cli import extract_features as ours
from netcli.cli.caffe_tools.call import Call, run_ours
from netcli.cli.caffe_tools.gflags import Flag
from netcli.cli.upgrade import upgraded, write
from netcli.errors import NetcliError, Place
from netcli.training.cards import card_or_cpu

CONVERT_IMAGESET = (
    Flag("gray", False, "Store one channel instead of three.", "--gray"),
    Flag("shuffle", False, "Write the records in random order.", "--shuffle"),
    Flag("backend", "lmdb", "The kind of database: lmdb or leveldb.", "--backend NAME"),
    Flag("resize_width", 0, "Pixels; 0 leaves images as they are.", "--resize-width N"),
    Flag("resize_height", 0, "Pixels; 0 leaves images as they are.", "--resize-height N"),
    Flag("check_size", False, "Refuse images of different sizes.", "--check-size"),
    Flag("encoded", False, "Store image files instead of their pixels.", "--encoded"),
    Flag("encode_type", "", "The kind of file to store, such as png or jpg.", "--encode-type NAME"),
)
COMPUTE_IMAGE_MEAN = (Flag("backend", "lmdb", "The kind of database: lmdb or leveldb.", "--backend NAME"),)


def options(call: Call, flags: tuple[Flag, ...]) -> list[str]:
    """Flags that are not at their defaults, as options of the command that does the same."""
    found = []
    for flag in flags:
        value, option = call.flags.values[flag.name], flag.now.split()[0]
        if value != flag.default:
            found += [option] if isinstance(value, bool) else [option, str(value)]
    return found


def convert_imageset(call: Call) -> int:
    """Make a database of listed images; those that can't be read are left out, as Caffe leaves them out."""
    flags: tuple[Flag, ...] = CONVERT_IMAGESET
    if min(call.flags.number("resize_width"), call.flags.number("resize_height")) <= 0:  # Caffe wants both
        flags = tuple(flag for flag in flags if not flag.name.startswith("resize_"))
    arguments = [*options(call, flags), "--skip-unreadable", "--", *call.words]
    for line in run_ours(convert_images.command, arguments):
        call.log.say("convert_imageset.cpp:153", line)
    return 0


def compute_image_mean(call: Call) -> int:
    """Write the mean image of a database, and tell the mean of each channel."""
    lines = run_ours(compute_mean.command, [*options(call, COMPUTE_IMAGE_MEAN), "--", *call.words])
    if len(call.words) > 1:
        call.log.say("compute_image_mean.cpp:108", f"Write to {call.words[1]}")
    call.log.say("compute_image_mean.cpp:114", f"Number of channels: {len(lines)}")
    for channel, line in enumerate(lines):
        value = line.partition(": ")[2]
        call.log.say("compute_image_mean.cpp:119", f"mean_value channel [{channel}]: {value}")
    return 0


def extract_features(call: Call) -> int:
    """Store what blobs of a net hold in databases."""
    weights, net, blobs, databases, batches, backend, *device = call.words
    names, folders = blobs.split(","), databases.split(",")
    if len(names) != len(folders):
        raise NetcliError(f"there are {len(names)} blobs, {blobs}, for {len(folders)} databases, {databases}")
    if not batches.isdecimal():
        raise NetcliError(f"the number of batches is a whole one, and not '{batches}'")
    card: Device = CPU
    if device[:1] == ["GPU"]:
        if not (number := (device[1:] or ["0"])[0]).isdecimal():
            raise NetcliError(f"the number of a GPU is a whole one, and not '{number}'")
        card = card_or_cpu("GPU", [int(number)])
    # Those of its lines that are to be seen are errors in name, for only they go to stderr.
    if isinstance(card, CudaDevice):
        call.log.say("extract_features.cpp:59", "Using GPU", "E")
    else:
        why = ", since the GPU can't be used" if device[:1] == ["GPU"] else ""
        call.log.say("extract_features.cpp:62", f"Using CPU{why}", "E")
    pairs = [f"--blob={name}={folder}" for name, folder in zip(names, folders, strict=True)]
    gpu = [f"--gpu={card.number}"] if isinstance(card, CudaDevice) else []
    arguments = [*pairs, *gpu, f"--weights={weights}", f"--batches={batches}", f"--backend={backend}", "--", net]
    call.log.say("extract_features.cpp:133", "Extracting Features", "E")
    for line in run_ours(ours.command, arguments):
        if told := re.search(r": (\d+) records of '(.*)', ", line):
            text = f"Extracted features of {told[1]} query images for feature blob {told[2]}"
            call.log.say("extract_features.cpp:176", text, "E")
    call.log.say("extract_features.cpp:181", "Successfully extracted the features!", "E")
    return 0


def upgrade(call: Call, kind: str, is_text: bool) -> int:
    """Write a net or solver in today's form, from a file of one kind alone; 2 where it is of another."""
    source, target = call.words
    where = f"upgrade_{kind}_proto_{'text' if is_text else 'binary'}.cpp"
    found = upgraded(source)
    if (found.kind, found.is_text) != (kind, is_text):
        form = "text" if found.is_text else "binary"
        raise NetcliError(f"is a {found.kind} in {form} form; `netcli upgrade` takes any", place=Place(source))
    if not found.was_old:
        call.log.say(f"{where}:43", f"File already in latest proto format: {source}", "E")
    write(found, target)
    call.log.say(
        f"{where}:{49 if is_text else 48}",
        f"Wrote upgraded {kind.title()}Parameter {'text' if is_text else 'binary'} proto to {target}",
    )
    return 0
