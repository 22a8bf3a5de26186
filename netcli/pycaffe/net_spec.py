"""Nets written as Python programs: `n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20)`.

`layers`, which programs call L, makes a layer of any type by calling its name with its bottoms and settings; what it
gives back are its tops, the bottoms of further layers.  `params`, called P, has the values of enums:
`P.Pooling.MAX`.  A `NetSpec` names tops by the attributes they are assigned to, and its `to_proto()` is the net;
without one, `to_proto(*tops)` is the net that makes these tops, with names made for them.  All messages are those of
`netcli.prototxt.schema`.

Beyond pycaffe's: a setting goes to the message that netcli's layer of this type reads where pycaffe knows none (for
Deconvolution, convolution_param); a misspelt one is told with its layer; a net may be of any depth; and NetSpec has
the methods that SSD gave it.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from netcli.errors import suggestion
from netcli.layers.registry import layer_types
from netcli.prototxt import hints, schema
from netcli.prototxt.forks import FORK_LAYERS
from netcli.pycaffe.assign import assign_proto

__all__ = [
    "Function",
    "Layers",
    "NetSpec",
    "Parameters",
    "Top",
    "assign_proto",
    "layers",
    "param_name_dict",
    "params",
    "to_proto",
    "uncamel",
]

Names = dict[Any, str]  # of tops, and of layers without any
Made = dict["Function", Any]  # LayerParameter of each, in the net's order


def uncamel(s: str) -> str:
    """The name in small letters, _ before each capital that a small one follows: `InnerProduct` to `inner_product`."""
    return re.sub(r"(?<=.)(?=[A-Z][^A-Z])", "_", s).lower()


def param_name_dict() -> dict[str, str]:
    """Message -> field of LayerParameter, without Parameter and _param at their ends: InnerProduct -> inner_product.

    The messages are named after the layer types that have settings of their own, and a few after something else.
    """
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in schema.LayerParameter.DESCRIPTOR.fields
        if field.name.endswith("_param")
    }


@functools.cache
def _settings(type_name: str) -> Any:
    """The field of LayerParameter, as its descriptor, that has the settings of a layer type; None: it has no own."""
    own = param_name_dict().get(type_name)
    cls = layer_types().get(type_name)
    name = f"{own}_param" if own is not None else cls.param_field if cls is not None else None
    return schema.LayerParameter.DESCRIPTOR.fields_by_name[name] if name is not None else None


class Top:
    """One output of a layer: the `n`th of `fn`."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """The NetParameter with all layers that this top needs."""
        return to_proto(self)

    def _to_proto(self, layers: Made, names: Names, autonames: Counter[str]) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """A layer to be: its type, its bottoms and its settings.

    type_name  as in a prototxt
    inputs     the Tops it reads
    params     its settings: fields of the type's own message or, else, of LayerParameter, each as `assign_proto`
               takes it; beside them `ntop`, how many tops it has (1), and `in_place` (False), whether these are its
               bottoms, which are taken out
    tops       the Tops it has

    Raises TypeError for a bottom that is no Top.
    """

    def __init__(self, type_name: str, inputs: Iterable[Any], params: dict[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = tuple(_top(each, f"{type_name} input {index}") for index, each in enumerate(inputs))
        self.params = params
        self.ntop: int = params.pop("ntop", 1)
        self.in_place: bool = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _to_proto(self, layers: Made, names: Names, autonames: Counter[str]) -> None:
        """Enter this layer in `layers`, after those it reads from."""
        pending: list[Function] = [self]
        waiting = set()
        while pending:
            fn = pending[-1]
            missing = [top.fn for top in fn.inputs if top.fn not in layers]
            if missing and fn in waiting:
                raise ValueError(f"a layer of type {fn.type_name} reads what is made from its own top")
            waiting.add(fn)
            pending.extend(reversed(missing))
            if not missing:
                pending.pop()
            if not missing and fn not in layers:
                layers[fn] = fn._layer(layers, names, autonames)

    def _layer(self, layers: Made, names: Names, autonames: Counter[str]) -> Any:
        layer = schema.LayerParameter(type=self.type_name)
        layer.bottom.extend(layers[top.fn].top[top.n] for top in self.inputs)
        if self.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(_name(top, self, names, autonames) for top in self.tops)
        layer.name = _name(self.tops[0] if self.tops else self, self, names, autonames)
        try:
            for name, value in self.params.items():
                _assign(layer, self.type_name, name, value)
        except (AttributeError, TypeError, ValueError) as fault:
            raise type(fault)(f"layer '{layer.name}' ({self.type_name}): {fault}") from None
        return layer


def _top(value: Any, what: str) -> Top:
    if not isinstance(value, Top):
        raise TypeError(f"{what} is not a Top (type is {type(value)})")
    return value


def _function(value: Any, what: str) -> Function:
    """The layer of a top, or that has none."""
    return value if isinstance(value, Function) else _top(value, what).fn


def _name(named: Top | Function, fn: Function, names: Names, autonames: Counter[str]) -> str:
    """The name of a top or layer; where it has none it gets its type's with the next number that is free."""
    while named not in names:
        autonames[fn.type_name] += 1
        name = f"{fn.type_name}{autonames[fn.type_name]}"
        if name not in names.values():
            names[named] = name
    return names[named]


def _assign(layer: Any, type_name: str, name: str, value: Any) -> None:
    """Set a setting where it belongs: in the type's own message or, else, in the layer's."""
    own = _settings(type_name)
    in_layer = name in layer.DESCRIPTOR.fields_by_name
    in_own = own is not None and name in own.message_type.fields_by_name
    if in_layer and (name.endswith("param") or not in_own):
        assign_proto(layer, name, value)
    elif in_own:
        assign_proto(getattr(layer, own.name), name, value)
    else:
        raise AttributeError(_unknown(layer, type_name, name))


def _unknown(layer: Any, type_name: str, name: str) -> str:
    """The fault of a setting that neither the type's own message nor LayerParameter has."""
    own = _settings(type_name)
    if own is None and type_name not in layer_types() and type_name not in FORK_LAYERS:
        return f"there is no layer type '{type_name}'{suggestion(type_name, dir(layers))}"
    messages = [layer.DESCRIPTOR] if own is None else [own.message_type, layer.DESCRIPTOR]
    faults = [hints.unknown_field(name, [(message, 0)]) for message in messages]
    return next((fault for fault in faults if ";" in fault), faults[0])


def to_proto(*tops: Top | Function) -> Any:
    """The NetParameter with all layers that these tops need; each is named after its layer's type, with a number.

    Raises TypeError for what is no Top, and for settings what `assign_proto` raises.
    """
    return _net({}, [_function(each, f"to_proto input {index}") for index, each in enumerate(tops)])


def _net(names: Names, functions: Iterable[Function]) -> Any:
    layers: Made = OrderedDict()
    autonames: Counter[str] = Counter()
    for fn in functions:
        fn._to_proto(layers, names, autonames)
    return schema.NetParameter(layer=layers.values())


class UnknownTopError(AttributeError, KeyError):
    """A name that a NetSpec has no top of; pycaffe raises KeyError."""

    __str__ = AttributeError.__str__


class NetSpec:
    """Tops by their names, as attributes or items; a layer without tops has its name here as well.

    A layer is named after its first top.  `tops` is the dict of all, in the order of their first assignment.
    """

    tops: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name != "tops" and name in self.tops:
            return self.tops[name]
        if name in _OF_SSD:
            return functools.partial(_OF_SSD[name], self)
        raise UnknownTopError(f"the net has no top '{name}'{suggestion(name, self.__dict__.get('tops', ()))}")

    def __delattr__(self, name: str) -> None:
        if name not in self.tops:
            self.__getattr__(name)
        del self.tops[name]

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __getitem__(self, item: str) -> Any:
        return self.__getattr__(item)

    def __delitem__(self, key: str) -> None:
        delattr(self, key)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.tops]

    def to_proto(self) -> Any:
        """The NetParameter with all layers that these tops need.

        Raises TypeError for an attribute that is no top, and for settings what `assign_proto` raises.
        """
        functions = [_function(value, f"'{name}' of the net") for name, value in self.tops.items()]
        return _net({value: name for name, value in self.tops.items()}, functions)


def _keys(net: NetSpec) -> list[str]:
    return list(net.tops)


def _vals(net: NetSpec) -> list[Any]:
    return list(net.tops.values())


def _update(net: NetSpec, name: str, params: dict[str, Any]) -> None:
    """Change settings of the layer that makes the top `name`."""
    _function(net[name], f"'{name}' of the net").params.update(params)


# What SSD's programs call; not methods, for a net may have tops of these names.
_OF_SSD: dict[str, Callable[..., Any]] = {"keys": _keys, "vals": _vals, "update": _update}


class Layers:
    """What makes layers: an attribute for each layer type, to be called with its bottoms and its settings.

    Gives back the one top, the tuple of them where `ntop` is above 1, or the Function itself where it is 0.  A type
    that netcli does not know is taken too, as in pycaffe; it is the net that can't be built.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(f"there is no layer type '{name}'")
        return functools.partial(_make, name)

    def __dir__(self) -> list[str]:
        return sorted({*layer_types(), *FORK_LAYERS})


def _make(type_name: str, /, *args: Any, **kwargs: Any) -> Any:
    fn = Function(type_name, args, kwargs)
    if fn.ntop == 1:
        return fn.tops[0]
    return fn.tops if fn.tops else fn


class Parameters:
    """The values of enums: `params.Pooling.MAX` is `MAX` of message PoolingParameter."""

    def __getattr__(self, name: str) -> Any:
        try:
            return _Values(schema.message_class(f"{name}Parameter"))
        except KeyError:
            raise AttributeError(f"there is no message {name}Parameter{suggestion(name, dir(self))}") from None

    def __dir__(self) -> list[str]:
        return [
            name.removesuffix("Parameter")
            for name in schema.message_names()
            if name.endswith("Parameter") and schema.message_class(name).DESCRIPTOR.enum_types
        ]


class _Values:
    """The values of the enums inside of a message, as attributes."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(self._message, name)
        except AttributeError:
            message = self._message.DESCRIPTOR
            raise AttributeError(f"{message.name} has no value {name}{suggestion(name, dir(self))}") from None

    def __dir__(self) -> list[str]:
        return list(self._message.DESCRIPTOR.enum_values_by_name)


layers = Layers()
params = Parameters()
