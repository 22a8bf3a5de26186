"""Net: pycaffe's view of a net of ours.

Same behaviour as Caffe's _caffe.cpp and pycaffe.py.
"""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from netcli.layers.base import TEST, TRAIN
from netcli.layers.memory_data import MemoryData
from netcli.net import Net as EngineNet
from netcli.prototxt import read_net
from netcli.pycaffe.blob import Blob, BlobVec, layer_view
from netcli.pycaffe.mode import next_seed
from netcli.pycaffe.untouched import Untouched
from netcli.snapshots import read_weights

Callback = Callable[[int], Any]


class Net:
    """A net read from a prototxt, whose blobs, parameters and layers a program may look at and change at any time.

    network_file  prototxt
    phase         TRAIN or TEST
    level, stages of the net's state, beside its own
    weights       a caffemodel to begin with

    The old form `Net(network_file, weights, phase)` is taken too.  Its Python layers may run their code: the program
    that asks for them is code already.  Raises NetcliError, with file and line, and whatever a Python layer raises.

    blobs, params, layer_dict, top_names, bottom_names and blob_loss_weights are ordered as the net is.
    Until a program looks at the data of a convolution's filters they are kept ready: forward is faster so long.
    """

    _untouched: Untouched | None = None  # None: of a solver, which writes to the parameters

    def __init__(
        self,
        network_file: str | os.PathLike[str],
        phase: int | str | os.PathLike[str],
        level: int | None = None,
        stages: Iterable[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        if isinstance(phase, (str, os.PathLike)):
            if level is None:
                raise TypeError("Net(network_file, weights, phase) needs its phase, caffe.TRAIN or caffe.TEST")
            weights, phase, level = phase, level, None
        if phase not in (TRAIN, TEST):
            raise ValueError(f"phase is caffe.TRAIN ({TRAIN}) or caffe.TEST ({TEST}), got {phase!r}")
        engine = EngineNet(
            read_net(os.fspath(network_file)),
            int(phase),
            level=0 if level is None else int(level),
            stages=tuple(stages or ()),
            seed=next_seed(),
            allow_python=True,
            keep_blobs=True,
            gradients=True,
        )
        self._take(engine)
        self._untouched = Untouched(engine)
        if weights is not None:
            self.copy_from(weights)

    def _take(self, engine: EngineNet) -> None:
        """Show this net."""
        self.engine = engine
        self._before_forward: list[Callback] = []
        self._after_forward: list[Callback] = []
        self._before_backward: list[Callback] = []
        self._after_backward: list[Callback] = []
        # Reading threads hold the net, so that without this a net which is forgotten would never end.
        weakref.finalize(self, engine.close)

    @classmethod
    def of(cls, engine: EngineNet) -> Net:
        """The view of a net that is there already."""
        net = cls.__new__(cls)
        net._take(engine)
        return net

    # -- what there is

    @property
    def name(self) -> str:
        return self.engine.name

    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        return OrderedDict((name, Blob(blob)) for name, blob in self.engine.blobs.items())

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

    # -- running

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Run layers `start` to `end` (names, included; None: the first, the last).

        kwargs  an array for each input, or none: they stay as they are
        blobs   names of blobs to return beside the outputs, or beside the tops of `end`

        Returns their data by name: the net's own arrays, which the next pass writes over.
        """
        first = 0 if start is None else self._layer_index(start)
        last = len(self.layers) - 1 if end is None else self._layer_index(end)
        wanted = self.outputs if end is None else self.top_names[end]
        self._set("inputs", self.inputs, kwargs, lambda name: self.blobs[name].data)
        self._forward(first, last)
        return {name: self._blob(name).data for name in {*wanted, *(blobs or ())}}

    def backward(
        self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Run layers `start` down to `end` backward (names, included; None: the last, the first).

        kwargs  a diff for each output, or none: they stay as they are, a loss's at its loss_weight
        diffs   names of blobs to return beside the inputs, or beside the bottoms of `end`

        Returns their diffs by name, as `forward` does.  Gradients of parameters are added to those there are.
        """
        first = len(self.layers) - 1 if start is None else self._layer_index(start)
        last = 0 if end is None else self._layer_index(end)
        wanted = self.inputs if end is None else self.bottom_names[end]
        self._set("outputs", self.outputs, kwargs, lambda name: self.blobs[name].diff)
        self._backward(first, last)
        return {name: self._blob(name).diff for name in {*wanted, *(diffs or ())}}

    def _layer_index(self, name: str) -> int:
        try:
            return self.engine.layer_names.index(name)
        except ValueError:
            raise ValueError(f"the net has no layer '{name}'") from None

    def _blob(self, name: str) -> Blob:
        if name not in self.blobs:
            raise KeyError(f"the net has no blob '{name}'")
        return self.blobs[name]

    @staticmethod
    def _set(what: str, names: Sequence[str], arrays: Mapping[str, Any], place: Callable[[str], Any]) -> None:
        """Put the arrays of a call, one for each name, where they belong; all are compared before."""
        if arrays and set(arrays) != set(names):
            raise ValueError(f"got arrays for {sorted(arrays)}; the net's {what} are {sorted(names)}")
        for name, array in arrays.items():
            here, there = place(name).shape, np.shape(array)
            if here and (not there or there[0] != here[0]):
                raise ValueError(f"'{name}' takes {here}, got {there}: another batch size; reshape the blob first")
        for name, array in arrays.items():
            place(name)[...] = array

    @property
    def _is_watched(self) -> bool:
        """Whether somebody wants to be called between layers."""
        return bool(self._before_forward or self._after_forward or self._before_backward or self._after_backward)

    def train_forward(self) -> float:
        """The forward of a solver's own iteration, of all layers; returns the loss."""
        if self._is_watched:
            return self._forward(0, len(self.layers) - 1)
        self.engine.join()
        return self.engine.forward()

    def train_backward(self) -> None:
        """And its backward."""
        if self._is_watched:
            self._backward(len(self.layers) - 1, 0)
        else:
            self.engine.backward()

    def _forward(self, start: int, end: int) -> float:
        """Run layers by their numbers; returns the loss."""
        engine = self.engine
        engine.part()
        if self._untouched is not None:
            self._untouched.tell()
        if self._before_forward or self._after_forward:
            loss = 0.0
            for i in range(start, end + 1):
                _call(self._before_forward, i)
                loss += engine.forward(i, i)
                _call(self._after_forward, i)
        else:
            loss = engine.forward(start, end)
        if end < len(engine.layers) - 1:
            engine.context.passes.value += 1  # a part of the net draws anew in each pass, too
        return loss

    def _backward(self, start: int, end: int) -> None:
        self.engine.part()
        if not (self._before_backward or self._after_backward):
            self.engine.backward(start, end)
            return
        for i in range(start, end - 1, -1):
            _call(self._before_backward, i)
            self.engine.backward(i, i)
            _call(self._after_backward, i)

    def before_forward(self, run: Callback) -> None:
        """Call `run` with a layer's number before its forward, in every pass."""
        self._before_forward.append(run)

    def after_forward(self, run: Callback) -> None:
        """The same after its forward."""
        self._after_forward.append(run)

    def before_backward(self, run: Callback) -> None:
        """The same before its backward."""
        self._before_backward.append(run)

    def after_backward(self, run: Callback) -> None:
        """The same after its backward."""
        self._after_backward.append(run)

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Run any number of items through the net, in its batches; the last is filled up with zeros.

        kwargs  for each input an array of all items; returns for each output, and each of `blobs`, that of all
        """
        found: dict[str, list[Any]] = {}
        for batch in self._batch(kwargs):
            _append(found, self.forward(blobs=blobs, **batch))
        return _joined(found, len(next(iter(kwargs.values()))))

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same forward and then backward in each batch.

        kwargs  arrays for the inputs, and diffs for the outputs; returns blobs and diffs
        """
        found: tuple[dict[str, list[Any]], dict[str, list[Any]]] = ({}, {})
        for batch in self._batch(kwargs):
            given = {name: array for name, array in batch.items() if name in self.inputs}
            _append(found[0], self.forward(blobs=blobs, **given))
            given = {name: array for name, array in batch.items() if name in self.outputs}
            _append(found[1], self.backward(diffs=diffs, **given))
        count = len(next(iter(kwargs.values())))
        return _joined(found[0], count), _joined(found[1], count)

    def _batch(self, arrays: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The arrays' items in batches of the net's size, the last filled up with zeros."""
        counts = {len(array) for array in arrays.values()}
        if len(counts) != 1:
            raise ValueError(f"takes arrays of one length for all names, got {sorted(counts) or 'none'}")
        size = next(iter(self.blobs.values())).shape[0]
        (count,) = counts
        for start in range(0, count, size):
            batch = {}
            for name, array in arrays.items():
                items = np.asarray(array[start : start + size])
                missing = size - len(items)
                batch[name] = np.concatenate([items, np.zeros((missing, *items.shape[1:]))]) if missing else items
            yield batch

    def reshape(self) -> None:
        """Let every layer follow the shapes that the program has given to blobs; `forward` does so by itself."""
        self.engine.reshape()

    def set_input_arrays(self, data: Any, labels: Any) -> None:
        """Give the net's MemoryData layer, its first, images (n, C, H, W) and labels (n,), n a multiple of its batch.

        They are read as they are at each forward, not copied.
        """
        layer = self.engine.layers[0]
        if not isinstance(layer, MemoryData):
            raise TypeError(f"set_input_arrays wants a net whose first layer is MemoryData, and it is {layer.type}")
        layer.set_arrays(data, labels)

    _set_input_arrays = set_input_arrays

    # -- parameters

    def clear_param_diffs(self) -> None:
        """Make the gradients of all parameters zero."""
        self.engine.clear_diffs()

    def copy_from(self, weights: str | os.PathLike[str]) -> None:
        """Take the weights of a caffemodel, binary or HDF5, for the layers of the same names.

        Raises SnapshotError where shapes differ.
        """
        self.engine.load(read_weights(os.fspath(weights)))

    load_hdf5 = copy_from

    def share_with(self, other: Net) -> None:
        """Look at the other net's parameters from now on, in the layers of the same names."""
        self.engine.share_with(other.engine)
        for net in (self, other):
            if net._untouched is not None:
                net._untouched.is_shared = True

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a binary caffemodel."""
        self.engine.save(os.fspath(path), hdf5=False)

    def save_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Write a caffemodel in HDF5."""
        self.engine.save(os.fspath(path), hdf5=True)


def _call(callbacks: Sequence[Callback], layer: int) -> None:
    for run in callbacks:
        run(layer)


def _append(found: dict[str, list[Any]], arrays: Mapping[str, Any]) -> None:
    for name, array in arrays.items():
        found.setdefault(name, []).append(np.atleast_1d(array).copy())


def _joined(found: Mapping[str, list[Any]], count: int) -> dict[str, Any]:
    """The batches' arrays as one, without what was filled up."""
    return {name: np.concatenate(arrays)[:count] for name, arrays in found.items()}
