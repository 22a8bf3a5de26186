"""Parameters: which layer owns each, with which multipliers, and which layers look at another's.

Parameters of equal `param { name }` are one; the first layer that has the name owns it.  Same rules as
Caffe's Net::AppendParam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.base import Layer
from netcli.net.graph import placed
from netcli.prototxt import schema
from netcli.prototxt.lines import Document


@dataclass
class Parameter:
    """A parameter as the solver sees it; those that look at it are not listed again.

    name   its `param { name }`; empty where it has none
    layer  the layer that owns it, index its number there
    """

    blob: Blob
    name: str
    layer: str
    index: int
    lr_mult: float
    decay_mult: float
    has_lr_mult: bool = False  # said in the prototxt, by the owner or by one that shares it
    has_decay_mult: bool = False


def multipliers(layer: Layer) -> list[tuple[float, float]]:
    """(lr_mult, decay_mult) of each of a layer's parameters as its own `param` fields say; statistics have lr_mult 0.

    As in Caffe theirs is the usual decay, which moves no statistic, but is in the histories of some solvers.
    """
    return [(0.0 if layer.statistics else spec.lr_mult, spec.decay_mult) for spec in _specs(layer)]


def _specs(layer: Layer) -> Sequence[schema.ParamSpec]:
    given = list(layer.param.param)
    return given + [schema.ParamSpec()] * (len(layer.blobs) - len(given))


def share_parameters(layers: Sequence[Layer], documents: Sequence[Document]) -> list[Parameter]:
    """Let parameters of one name look at one memory; returns the owned ones, in Caffe's order."""
    owned: list[Parameter] = []
    named: dict[str, Parameter] = {}
    for layer, document in zip(layers, documents, strict=True):
        with placed(document):
            if len(layer.param.param) > len(layer.blobs):
                raise ShapeError(
                    f"has {len(layer.param.param)} param fields for {len(layer.blobs)} parameter"
                    + "s" * (len(layer.blobs) != 1),
                    field="param",
                )
            for index, (spec, (lr_mult, decay_mult)) in enumerate(zip(_specs(layer), multipliers(layer), strict=True)):
                blob = layer.blobs[index]
                owner = named.get(spec.name) if spec.name else None
                if owner is not None:
                    _share(spec, blob, owner)
                    continue
                parameter = Parameter(blob, spec.name, layer.name, index, lr_mult, decay_mult)
                parameter.has_lr_mult = spec.HasField("lr_mult")
                parameter.has_decay_mult = spec.HasField("decay_mult")
                owned.append(parameter)
                if spec.name:
                    named[spec.name] = parameter
    return owned


def _share(spec: schema.ParamSpec, blob: Blob, owner: Parameter) -> None:
    """Let `blob` look at the owner's memory; its multipliers, where given, must be the owner's."""
    permissive = spec.share_mode == schema.ParamSpec.PERMISSIVE
    if blob.count != owner.blob.count if permissive else blob.shape != owner.blob.shape:
        raise ShapeError(
            f"can't share parameter '{spec.name}' {owner.blob.shape} of layer '{owner.layer}': its own is {blob.shape}"
            + (", of another count" if permissive else "; share_mode: PERMISSIVE would compare counts alone"),
            field="param.name",
        )
    for multiplier in ("lr_mult", "decay_mult"):
        if not spec.HasField(multiplier):
            continue
        value, said = getattr(spec, multiplier), f"has_{multiplier}"
        if getattr(owner, said) and getattr(owner, multiplier) != value:
            raise ShapeError(
                f"gives the shared parameter '{spec.name}' {multiplier} {value:g}, "
                f"but layer '{owner.layer}' gives it {getattr(owner, multiplier):g}",
                field=f"param.{multiplier}",
            )
        setattr(owner, multiplier, value)
        setattr(owner, said, True)
    blob.share_data(owner.blob)
    blob.share_diff(owner.blob)


def share_trained(layers: Sequence[Layer], documents: Sequence[Document], other: Sequence[Layer]) -> set[int]:
    """Let each layer's parameters look at the data of the layer of its name in `other`; returns which layers do.

    What a test net does with the training net's parameters; diffs stay apart.
    """
    theirs: dict[str, Layer] = {}
    for layer in other:
        theirs.setdefault(layer.name, layer)
    shared: set[int] = set()
    for i, (layer, document) in enumerate(zip(layers, documents, strict=True)):
        source = theirs.pop(layer.name, None)
        if source is None:
            continue
        here, there = [b.shape for b in layer.blobs], [b.shape for b in source.blobs]
        if here != there:
            with placed(document):
                raise ShapeError(f"has parameters {here} here and {there} in the net it shares them with")
        here_on, there_on = layer.context.device, source.context.device
        if layer.blobs and here_on is not there_on:
            with placed(document):
                raise NetcliError(f"can't look at parameters on {there_on.title} from {here_on.title}")
        for blob, their in zip(layer.blobs, source.blobs, strict=True):
            blob.share_data(their)
            shared.add(i)
    return shared
