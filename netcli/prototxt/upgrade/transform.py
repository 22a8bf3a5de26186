"""scale, mean_file, crop_size and mirror of V1 layers' data parameters, moved to transform_param."""

from __future__ import annotations

from typing import Any

from netcli.prototxt import schema
from netcli.prototxt.lines import Document

FIELDS = ("scale", "mean_file", "crop_size", "mirror")
PARAMETERS = {
    schema.V1LayerParameter.DATA: "data_param",
    schema.V1LayerParameter.IMAGE_DATA: "image_data_param",
    schema.V1LayerParameter.WINDOW_DATA: "window_data_param",
}


def needs_transform_upgrade(net: Any) -> bool:
    """Whether a V1 data layer gives a transformation in its own parameter."""
    return any(_given(layer) for layer in net.layers)


def upgrade_transform(net: Document) -> None:
    """Move them; what transform_param says already gives way, as in Caffe."""
    for layer in net.children("layers"):
        for name in _given(layer.message):
            parameter = layer.sub(PARAMETERS[layer.message.type])
            parameter.move(name, layer.sub("transform_param", parameter.lines))


def _given(layer: Any) -> list[str]:
    """The fields of a V1 layer that are to be moved."""
    if layer.type not in PARAMETERS:
        return []
    parameter = getattr(layer, PARAMETERS[layer.type])
    return [name for name in FIELDS if parameter.HasField(name)]
