"""A layer written by the user, in Python.

Same verbs and attributes as pycaffe's (python_layer.hpp, _caffe.cpp).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Layer, layer
from netcli.layers.python_blob import PythonBlob, PythonBlobs, blob_for_host
from netcli.layers.users_code import check_methods, class_of, load_module

log = logging.getLogger("netcli")


class PythonLayer:
    """A base for users' layers; a class that has the methods needs none.

    A layer has `setup(bottom, top)`, called once, `reshape(bottom, top)`, called behind it and before every forward,
    `forward(bottom, top)`, and `backward(top, propagate_down, bottom)` where it has a gradient.  bottom and top are
    lists of `PythonBlob`.  Forward writes every `top[i].data`; backward writes `bottom[i].diff` where
    propagate_down[i], and adds (+=) to `self.blobs[i].diff`.

    blobs      the parameters, made in setup: `self.blobs.add_blob(20, 500)`; their first values are set there too
    param_str  of python_param; phase: 0 in TRAIN, 1 in TEST.  Both are there from setup on.
    """

    type = "Python"
    blobs: PythonBlobs
    param_str: str
    phase: int

    def __init__(self, param: Any = None) -> None:
        """param: LayerParameter."""


@layer("Python", param="python_param")
class Python(Layer):
    """What a class of the user's computes; see `PythonLayer` for what that has and gets.

    bottom  x...  any number, of any shape
    top     y...  any number, of the shapes it gives them, in forward too; may be the bottoms themselves
    blobs   those it makes
    param   module     needed: found in the current folder, on PYTHONPATH, or beside the net's file
            layer      needed: a class in it
            param_str  default ""; the class finds it in self.param_str
            share_in_parallel  changes nothing: there is one layer for one net

    Runs only where the net allows it (`--allow-python`), for the class may do whatever a program may.

    What it looks at is held C-contiguous (`Blob.show_data`), which costs the layers beside it a copy.  The diff of a
    bottom is zero before backward; in Caffe it holds what the last pass left.  Random draws and the position
    in data are the class's own affair: a resumed run repeats those only if the class sees to it.

    On a card it gets mirrors on the host (Note [Mirrors] in arrays/mirror.py), as programs do; a class with an
    attribute `device = "gpu"` gets the card's own arrays, CuPy's, with the card's stream as the current one.  Behind
    CuPy's `with stream`, and its `get` of an array that is not contiguous, the default stream is current, which waits
    for nothing that the net has asked for: a class that needs them makes the card's current again by its `use()`.

    errors  the class's own exceptions go on as they are, with their traceback; the log says which layer it was
    """

    bottoms = (0, None)
    tops = (0, None)
    in_place = True
    replays = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.p
        for name in ("module", "layer"):
            if not getattr(p, name):
                raise NetcliError(f"needs {name}", field="python_param")
        if not self.context.allow_python:
            raise NetcliError(
                f"the net wants to run the Python module '{p.module}'; give --allow-python if you trust its code",
                field="python_param.module",
            )
        with self._users("import"):
            module = load_module(p.module, self.context.folder)
        cls = class_of(module, p.layer)
        check_methods(cls, ["setup"])
        with self._users("__init__"):
            self.user: Any = cls(self.param) if issubclass(cls, PythonLayer) else cls()
        self._ran = False
        on_device = getattr(cls, "device", "") == "gpu"
        self._shown = PythonBlob if on_device else blob_for_host
        # What a class asks a card for by itself must not come between what others ask for.
        self._aside = nullcontext if on_device else self.context.device.aside
        self.user.blobs = PythonBlobs(self._add)
        self.user.param_str = p.param_str
        self.user.phase = self.phase
        self._call("setup", bottom, top)
        check_methods(cls, ["reshape", "forward"])  # backward is asked for where a gradient is

    def _add(self, shape: Shape) -> PythonBlob:
        if self._ran:
            raise RuntimeError("add_blob goes in setup: the solver has taken its list of parameters by now")
        return self._shown(self.add_blob(shape))

    def fill(self) -> None:
        """The class's setup has given the parameters their first values."""

    @contextmanager
    def _users(self, what: str) -> Iterator[None]:
        """Faults of the user's code inside get the layer named beside them."""
        try:
            yield
        except NetcliError:
            raise
        except Exception as fault:
            log.error(
                "layer '%s' (Python): %s of %s.%s raised %s",
                self.name,
                what,
                self.p.module,
                self.p.layer,
                type(fault).__name__,
            )
            raise

    def _call(self, verb: str, first: Sequence[Blob], last: Sequence[Blob], *between: Any) -> None:
        """Call a verb with blobs, and what comes between them."""
        shown = {id(blob): self._shown(blob) for blob in (*first, *last)}  # one for one that is bottom and top
        # CuPy's `get` and streams of the class's own may leave another stream current than the card's.
        with self._users(verb), self._aside(), self.context.device.current():
            getattr(self.user, verb)([shown[id(blob)] for blob in first], *between, [shown[id(blob)] for blob in last])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._call("reshape", bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._ran = True
        # As Caffe before every forward: layers that read data find there what comes next, and its shape.
        self.reshape(bottom, top)
        self._call("forward", bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not hasattr(self.user, "backward"):
            raise NetcliError(
                f"class '{self.p.layer}' of module '{self.p.module}' has no method backward, and the net wants its "
                "gradient; give it one, or give propagate_down: false for each bottom",
                field="python_param.layer",
            )
        # What it does not write is no gradient, and not what the memory held before.
        given = {id(blob.diff_buffer) for blob in top}
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted and id(blob.diff_buffer) not in given:
                blob.clear_diff()
        self._call("backward", top, bottom, list(propagate_down))
        for i, parameter in enumerate(self.blobs):
            if not self.learns(i):  # of which the class knows nothing
                parameter.clear_diff()
