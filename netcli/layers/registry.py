"""The table of layer types: every module of this package is read once, and enters its own."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from netcli import layers
from netcli.errors import NetcliError, suggestion
from netcli.layers.base import LAYERS, Layer
from netcli.prototxt.forks import FORK_LAYERS


@functools.cache
def layer_types() -> dict[str, type[Layer]]:
    """Every layer type by its name in prototxts."""
    for module in pkgutil.iter_modules(layers.__path__):
        importlib.import_module(f"{layers.__name__}.{module.name}")
    return LAYERS


def layer_class(type_name: str) -> type[Layer]:
    """The class of a layer type; raises NetcliError that tells whose it is, or the nearest known name."""
    types = layer_types()
    if type_name in types:
        return types[type_name]
    if not type_name:
        raise NetcliError('has no type; it needs one, such as type: "Convolution"', field="type")
    *others, fork = FORK_LAYERS.get(type_name, "").split(", ")
    if not fork:
        raise NetcliError(f"there is no layer type '{type_name}'{suggestion(type_name, types)}", field="type")
    whose = f"from {', '.join(others)} or {fork}" if others else f"{fork}'s"
    raise NetcliError(f"layer type '{type_name}' is {whose}, which netcli does not have yet", field="type")
