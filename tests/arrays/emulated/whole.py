"""A card by its own code, netcli.arrays.cuda.card, over modules in the place of CuPy, cuBLASLt and cuDNN.

Kernels are those of the emulated card; one that is launched on another stream than the card's is a fault.
"""

import ctypes
import sys
from types import SimpleNamespace

import numpy as np

from arrays.emulated import cublaslt, cudnn, cupy, xp
from arrays.emulated.card import library
from netcli.arrays.cuda import card as cards
from netcli.arrays.cuda import source


class RawModule:
    """Of a text below kernels/."""

    def __init__(self, code, options):
        (self._file,) = (name for name in source.files() if source.text(name).code == code)
        standard, *self._options = options
        assert standard == "--std=c++17"

    def get_function(self, name):
        launch = getattr(library(self._file, tuple(self._options)), f"launch_{name}")

        def call(grid, block, arguments):
            assert isinstance(cupy.used[0], cupy.Stream), "a kernel is launched on the default stream"
            values = [np.uint64(each.pointer()) if isinstance(each, xp.DeviceArray) else each for each in arguments]
            assert all(isinstance(value, np.generic) for value in values)  # Python's numbers have CuPy's types
            held = [np.array(value) for value in values]
            pointers = (ctypes.c_void_p * len(held))(*(each.ctypes.data for each in held))

            def step():
                launch(min(*grid, 3), *block, pointers)
                return held, arguments  # which it keeps alive

            xp.recording.do(step)

        return call


class CuPy:
    """The functions of xp, and what cupy.py has."""

    RawModule = RawModule

    def __init__(self):
        self._module = cupy.module()

    def __getattr__(self, name):
        return getattr(self._module if hasattr(self._module, name) else xp, name)


def make(monkeypatch):
    """The card; what it stands on is there as long as the test."""
    module, products = CuPy(), cublaslt.Library()
    monkeypatch.setattr(
        xp.DeviceArray, "data", property(lambda array: SimpleNamespace(ptr=array.pointer())), raising=False
    )
    monkeypatch.setattr(xp.DeviceArray, "get", cupy.get, raising=False)
    monkeypatch.setattr(cards, "cupy", lambda: module)
    monkeypatch.setattr(cards, "ctypes", SimpleNamespace(CDLL=lambda name: products))
    monkeypatch.setitem(sys.modules, "cudnn", cudnn)
    return cards.Card(0)
