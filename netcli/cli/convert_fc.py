"""`netcli convert-fc`: a net with its inner products recast as convolutions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import BinaryIO

import click

from netcli.arrays.layout import size_text
from netcli.cli.options import level_option, python_option, stage_option
from netcli.cli.target import input_option, with_inputs
from netcli.errors import NetcliError, Place
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.net.recast import KEPT, Recast, filters_of, recast, recast_document, window_fields
from netcli.prototxt import Document, parse, read_text, schema, to_text, upgrade_net
from netcli.prototxt.edit import Edits, spans
from netcli.snapshots import atomic_write, check_writable
from netcli.training.weights import load_all_weights, split_paths


@click.command(short_help="Recast a net's inner products as convolutions.")
@click.argument("net", metavar="NET")
@click.argument("weights", metavar="WEIGHTS")
@click.argument("out_net", metavar="OUT_NET")
@click.argument("out_weights", metavar="OUT_WEIGHTS")
@input_option
@level_option
@stage_option
@python_option
def command(
    net: str,
    weights: str,
    out_net: str,
    out_weights: str,
    inputs: Sequence[tuple[str, list[int]]],
    level: int | None,
    stages: tuple[str, ...],
    allow_python: bool,
) -> None:
    """Write NET, and its WEIGHTS (a caffemodel), with every inner product recast as a convolution.

    On images of the old size the new net gives the old results, with an axis of height and one of width behind the
    classes.  A larger image it treats as if the old net went over it: there is a result for each place.  test --whole
    and predict --whole average these.

    Layers, blobs and parameters keep their names, and the prototxt its comments.  A Flatten or Reshape before an inner
    product goes.  The layers are those of the TEST phase; others stay.
    """
    if os.path.realpath(out_net) == os.path.realpath(out_weights):
        raise NetcliError("can't hold both the net and its weights", place=Place(out_net))
    for path in (out_net, out_weights):
        if any(os.path.exists(given) and os.path.realpath(path) == os.path.realpath(given) for given in (net, weights)):
            raise NetcliError("is to be read, and can't be written too", place=Place(path))
        check_writable(path)
    text = read_text(net)
    document = upgrade_net(parse(text, schema.NetParameter, net))
    state = {"level": level, "stages": stages, "allow_python": allow_python, "gradients": False}
    planned = Net(with_inputs(document, inputs), TEST, dry=True, **state)  # type: ignore[arg-type]
    with contextlib.closing(planned):
        what = recast(document, planned)
    new = recast_document(document, what)
    old = Net(with_inputs(document, inputs), TEST, **state)  # type: ignore[arg-type]
    with contextlib.closing(old):
        load_all_weights(old, split_paths([weights]))
        _write_weights(old, Net(with_inputs(new, inputs), TEST, **state), document, what, out_weights)  # type: ignore[arg-type]
    written = _text(text, document, new, what)
    if written is None:
        click.echo(f"{net}: is of an old form, so that its comments are not kept", err=True)
        written = to_text(new.message)

    def write(stream: BinaryIO) -> None:
        stream.write(written.encode("utf-8", "surrogateescape"))

    atomic_write(out_net, write)
    for number, kernel in what.kernels.items():
        layer = new.message.layer[number - sum(each < number for each in what.removed)]
        click.echo(f"{layer.name}: {layer.convolution_param.num_output} filters of {size_text(kernel)}")
    for number in what.removed:
        click.echo(f"{document.message.layer[number].name}: left out, as nothing is flattened any more")
    click.echo(f"{out_net}, {out_weights}")


def _write_weights(old: Net, new: Net, document: Document, what: Recast, path: str) -> None:
    """Save the weights of the old net in the form of the new one's."""
    try:
        kernels = {document.message.layer[number].name: kernel for number, kernel in what.kernels.items()}
        layers = {layer.name: layer for layer in reversed(old.layers)}
        for layer in new.layers:
            for index, blob in enumerate(layer.blobs):
                source = layers[layer.name]
                recast_here = index == 0 and layer.name in kernels
                blob.data[...] = filters_of(source, kernels[layer.name]) if recast_here else source.blobs[index].data
        new.save(path)
    finally:
        new.close()


def _text(text: str, document: Document, new: Document, what: Recast) -> str | None:
    """The net's text with what changes in it, and all else as it is; None where its layers are of an old form."""
    edits = Edits(text)
    layers = [span for span in spans(text) if span.name == "layer"]
    before = len(document.message.layer) - len(layers)  # Input layers that the upgrade has put in
    names = [text[name.value + 1 : name.end - 1] for layer in layers for name in layer.named("name")]
    if names != [layer.name for layer in document.message.layer][before:]:
        return None
    for number, layer in enumerate(layers, before):
        if number in what.removed:
            edits.remove(layer)
            continue
        for bottom in layer.named("bottom"):
            name = text[bottom.value + 1 : bottom.end - 1]
            if what.bottom(name) != name:
                edits.put(bottom, f'"{what.bottom(name)}"')
        if number in what.kernels:
            edits.put(layer.named("type")[0], '"Convolution"')
            (param,) = layer.named("inner_product_param")
            edits.rename(param, "convolution_param")
            for span in param.fields:
                if span.name not in KEPT:
                    edits.remove(span)
            window = [f"{name}: {size}" for name, size in window_fields(what.kernels[number])]
            edits.add_behind(param.named("num_output")[0], window)
    done = edits.done()
    return done if upgrade_net(parse(done, schema.NetParameter), tell=False).message == new.message else None
