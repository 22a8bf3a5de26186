"""What there is in a net, as pycaffe shows it."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from functools import cached_property
from typing import Any

from netcli.net import Net as EngineNet
from netcli.pycaffe.blob import Blob, BlobVec, blob_for_host, layer_view


class NetView:
    """Names, blobs, parameters and layers of a net that is there already; for inheriting.

    blobs, params, layer_dict, top_names, bottom_names and blob_loss_weights are ordered as the net is.
    """

    def __init__(self, engine: EngineNet) -> None:
        self.engine = engine
        # Reading threads hold the net, so that without this a net which is forgotten would never end.
        weakref.finalize(self, engine.close)

    @property
    def name(self) -> str:
        return self.engine.name

    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        return OrderedDict((name, blob_for_host(blob)) for name, blob in self.engine.blobs.items())

    @cached_property
    def layers(self) -> list[Any]:
        """Each layer's `type` and `blobs`; of a Python layer the user's own object."""
        return [layer_view(layer) for layer in self.engine.layers]

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Any]:
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """The parameters of each layer that has any."""
        return OrderedDict((name, BlobVec(blobs)) for name, blobs in self.engine.params.items())

    @property
    def inputs(self) -> list[str]:
        return list(self.engine.inputs)

    @property
    def outputs(self) -> list[str]:
        return list(self.engine.outputs)

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict(zip(self._layer_names, self.engine.top_names, strict=True))

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict(zip(self._layer_names, self.engine.bottom_names, strict=True))

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        weights = self.engine.loss_weights
        return OrderedDict((name, weights.get(name, 0.0)) for name in self.engine.blobs)

    # Programs use these too, for pycaffe's own Python code did.

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    @property
    def _layer_names(self) -> list[str]:
        return list(self.engine.layer_names)

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blobs(self) -> list[Blob]:
        return list(self.blobs.values())

    @property
    def _inputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.inputs]

    @property
    def _outputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.outputs]

    def _top_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self.engine.top_names[layer]]

    def _bottom_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self.engine.bottom_names[layer]]
