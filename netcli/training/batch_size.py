"""How many images a net has in a batch, and the same net with another number."""

from __future__ import annotations

from typing import Any

from netcli.net import Net
from netcli.prototxt.lines import Document


def batch_size(net: Net) -> int:
    """The images in a batch, as the first layer that brings any in says; 0: none does."""
    return next((top[0].shape[0] for bottom, top in zip(net.bottoms, net.tops, strict=True) if not bottom and top), 0)


def with_batch(document: Document, images: int) -> Document:
    """The net with so many images in each batch: of data layers the batch_size, of other sources the first axis."""
    message = type(document.message)()
    message.CopyFrom(document.message)
    for layer in message.layer:
        if layer.bottom:
            continue
        for field, value in layer.ListFields():
            if field.name.endswith("_param") and field.message_type and not field.is_repeated:
                _set_batch(value, images)
    return Document(message, document.lines)


def _set_batch(param: Any, images: int) -> None:
    fields = param.DESCRIPTOR.fields_by_name
    if "batch_size" in fields:
        param.batch_size = images
    for shape in param.shape if "shape" in fields else ():
        if shape.dim:
            shape.dim[0] = images
    if "num" in fields and param.num:
        param.num[:] = [images] * len(param.num)
