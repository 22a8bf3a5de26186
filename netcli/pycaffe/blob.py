"""Blobs and layers of a net as pycaffe shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from netcli.blob import Blob as EngineBlob
from netcli.layers.base import Layer as EngineLayer
from netcli.layers.python import Python
from netcli.layers.python_blob import PythonBlob as Blob
from netcli.layers.python_blob import blob_for_host


class BlobVec(Sequence[Blob]):
    """The parameters of a layer: `net.params["conv1"][0].data`."""

    def __init__(self, blobs: Sequence[EngineBlob]) -> None:
        self._blobs = [blob_for_host(blob) for blob in blobs]

    @overload
    def __getitem__(self, at: int) -> Blob: ...
    @overload
    def __getitem__(self, at: slice) -> list[Blob]: ...
    def __getitem__(self, at: int | slice) -> Blob | list[Blob]:
        return self._blobs[at]

    def __len__(self) -> int:
        return len(self._blobs)

    def __iter__(self) -> Iterator[Blob]:
        return iter(self._blobs)

    def __repr__(self) -> str:
        return repr(self._blobs)


class LayerView:
    """A layer of the net: its type and its parameters.

    Of a Python layer `net.layers[i]` is the user's own object instead.
    """

    def __init__(self, layer: EngineLayer) -> None:
        self.type: str = layer.type
        self.blobs = BlobVec(layer.blobs)

    def __repr__(self) -> str:
        return f"<{self.type} layer, {len(self.blobs)} parameters>"


def layer_view(layer: EngineLayer) -> Any:
    """What a program gets of a layer."""
    return layer.user if isinstance(layer, Python) else LayerView(layer)


__all__ = ["Blob", "BlobVec", "LayerView", "blob_for_host", "layer_view"]
