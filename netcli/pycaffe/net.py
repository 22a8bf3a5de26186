"""Net: pycaffe's view of a net of ours.

Same behaviour as Caffe's _caffe.cpp and pycaffe.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from netcli.blob import Blob as EngineBlob
from netcli.layers.base import TEST, TRAIN
from netcli.layers.memory_data import MemoryData
from netcli.net import Net as EngineNet
from netcli.prototxt import read_net
from netcli.pycaffe import mode
from netcli.pycaffe.batches import Gathered, in_batches
from netcli.pycaffe.blob import Blob
from netcli.pycaffe.net_view import NetView
from netcli.pycaffe.passes import Callback, Passes
from netcli.pycaffe.untouched import Untouched
from netcli.snapshots import read_weights
from netcli.training.precision import ops_of


class Net(NetView):
    """A net read from a prototxt, whose blobs, parameters and layers a program may look at and change at any time.

    network_file  prototxt
    phase         TRAIN or TEST
    level, stages of the net's state, beside its own
    weights       a caffemodel to begin with

    The old form `Net(network_file, weights, phase)` is taken too.  Its Python layers may run their code: the program
    that asks for them is code already.  Raises NetcliError, with file and line, and whatever a Python layer raises.

    Until a program looks at the data of a convolution's filters they are kept ready: forward is faster so long.
    It computes where `set_mode_gpu` and `set_device` said when it was built, and may be used by any thread.
    """

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
        device = mode.device()
        with device.current(), device.turn:
            engine = EngineNet(
                read_net(os.fspath(network_file)),
                int(phase),
                level=0 if level is None else int(level),
                stages=tuple(stages or ()),
                ops=ops_of(None, "auto", device=device),
                seed=mode.next_seed(),
                allow_python=True,
                keep_blobs=True,
                gradients=True,
            )
        self._take(engine)
        self._passes.untouched = Untouched(engine)
        if weights is not None:
            self.copy_from(weights)

    def _take(self, engine: EngineNet) -> None:
        """Show this net."""
        super().__init__(engine)
        self._passes = Passes(engine)

    @classmethod
    def of(cls, engine: EngineNet) -> Net:
        """The view of a net that is there already."""
        net = cls.__new__(cls)
        net._take(engine)
        return net

    @contextmanager
    def _current(self) -> Iterator[None]:
        """What any thread may ask the net's device for work in."""
        device = self.engine.context.device
        with device.current(), device.turn:
            yield

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
        self._set("inputs", self.inputs, kwargs, EngineBlob.mirror_data)
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
        self._set("outputs", self.outputs, kwargs, EngineBlob.mirror_diff)
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

    def _set(
        self, what: str, names: Sequence[str], arrays: Mapping[str, Any], look: Callable[[EngineBlob, bool], Any]
    ) -> None:
        """Put the arrays of a call, one for each name, where they belong; all are compared before."""
        if arrays and set(arrays) != set(names):
            raise ValueError(f"got arrays for {sorted(arrays)}; the net's {what} are {sorted(names)}")
        blobs = self.engine.blobs
        for name, array in arrays.items():
            here, there = blobs[name].shape, np.shape(array)
            if here and (not there or there[0] != here[0]):
                raise ValueError(f"'{name}' takes {here}, got {there}: another batch size; reshape the blob first")
        for name, array in arrays.items():
            look(blobs[name], np.shape(array) == blobs[name].shape)[...] = array

    def _forward(self, start: int, end: int) -> float:
        """Run layers by their numbers; returns the loss."""
        return self._passes.forward(start, end)

    def _backward(self, start: int, end: int) -> None:
        self._passes.backward(start, end)

    def train_forward(self) -> float:
        """The forward of a solver's own iteration; see `Passes`."""
        return self._passes.train_forward()

    def train_backward(self) -> None:
        """And its backward."""
        self._passes.train_backward()

    def before_forward(self, run: Callback) -> None:
        """Call `run` with a layer's number before its forward, in every pass."""
        self._passes.before_forward.append(run)

    def after_forward(self, run: Callback) -> None:
        """The same after its forward."""
        self._passes.after_forward.append(run)

    def before_backward(self, run: Callback) -> None:
        """The same before its backward."""
        self._passes.before_backward.append(run)

    def after_backward(self, run: Callback) -> None:
        """The same after its backward."""
        self._passes.after_backward.append(run)

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        """Run any number of items through the net, in its batches; the last is filled up with zeros.

        kwargs  for each input an array of all items; returns for each output, and each of `blobs`, that of all
        """
        found = Gathered()
        for batch in in_batches(kwargs, self._batch_size):
            found.add(self.forward(blobs=blobs, **batch))
        return found.joined(len(next(iter(kwargs.values()))))

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same forward and then backward in each batch.

        kwargs  arrays for the inputs, and diffs for the outputs; returns blobs and diffs
        """
        found, found_diffs = Gathered(), Gathered()
        for batch in in_batches(kwargs, self._batch_size):
            given = {name: array for name, array in batch.items() if name in self.inputs}
            found.add(self.forward(blobs=blobs, **given))
            given = {name: array for name, array in batch.items() if name in self.outputs}
            found_diffs.add(self.backward(diffs=diffs, **given))
        count = len(next(iter(kwargs.values())))
        return found.joined(count), found_diffs.joined(count)

    @property
    def _batch_size(self) -> int:
        return next(iter(self.engine.blobs.values())).shape[0]

    def reshape(self) -> None:
        """Let every layer follow the shapes that the program has given to blobs; `forward` does so by itself."""
        with self._current():
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
        with self._current():
            self.engine.clear_diffs()

    def copy_from(self, weights: str | os.PathLike[str]) -> None:
        """Take the weights of a caffemodel, binary or HDF5, for the layers of the same names.

        Raises SnapshotError where shapes differ.
        """
        found = read_weights(os.fspath(weights))
        with self._current():
            self.engine.load(found)

    load_hdf5 = copy_from

    def share_with(self, other: Net) -> None:
        """Look at the other net's parameters from now on, in the layers of the same names.

        Raises NetcliError where the two compute on different devices.
        """
        with self._current():
            self.engine.share_with(other.engine)
        for net in (self, other):
            if net._passes.untouched is not None:
                net._passes.untouched.is_shared = True

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a binary caffemodel."""
        with self._current():
            self.engine.save(os.fspath(path), hdf5=False)

    def save_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Write a caffemodel in HDF5."""
        with self._current():
            self.engine.save(os.fspath(path), hdf5=True)
