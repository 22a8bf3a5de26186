"""scale, mean_file, crop_size and mirror of data parameters moved to transform_param, in V1 layers."""

from __future__ import annotations

from typing import Any

from netcli.prototxt import schema
from netcli.prototxt.lines import Document
from netcli.prototxt.upgrade.moving import inside, is_set, move

FIELDS = ("scale", "mean_file", "crop_size", "mirror")
PARAMETER = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}


def needs_transform_upgrade(net: Any) -> bool:
    """Whether a V1 data layer gives a transformation in its own parameter."""
    return any(_old_fields(layer) for layer in net.layers)


def upgrade_transform(document: Document) -> None:
    """Move them."""
    for layer in document.children("layers"):
        for name in _old_fields(layer.message):
            move(inside(layer, _parameter(layer.message)), name, inside(layer, "transform_param"))


def _parameter(layer: Any) -> str:
    return PARAMETER.get(schema.V1LayerParameter.LayerType.Name(layer.type), "")


def _old_fields(layer: Any) -> list[str]:
    parameter = _parameter(layer)
    return [name for name in FIELDS if parameter and is_set(getattr(layer, parameter), name)]
