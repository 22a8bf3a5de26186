"""CuPy, as far as a program can tell without a card: its functions over arrays that NumPy's are not mixed with.

What CuPy lacks or refuses is refused here: functions and methods it does not have (`cupy_names.txt`), arrays of NumPy
among its own, `where=` of its ufuncs, and turning an array into NumPy's without saying so.
"""

import functools
import operator
from pathlib import Path

import numpy as np

_lines = Path(__file__).with_name("cupy_names.txt").read_text().splitlines()
_split = _lines.index("# ndarray")
FUNCTIONS = frozenset(_lines[1:_split])
METHODS = frozenset(_lines[_split + 1 :])
VALUES = {"newaxis": None, "inf": np.inf, "nan": np.nan, "pi": np.pi, "e": np.e}
FROM_HOST = {"array", "asarray", "ascontiguousarray", "asfortranarray", "asanyarray"}


def host(array):
    """NumPy's array of the same memory."""
    return object.__getattribute__(array, "_array")


def _unwrapped(value):
    if isinstance(value, DeviceArray):
        return host(value)
    if isinstance(value, np.ndarray):
        raise TypeError("CuPy takes no array of NumPy here")
    if isinstance(value, tuple | list):
        return type(value)(map(_unwrapped, value))
    if isinstance(value, slice):
        return slice(*map(_unwrapped, (value.start, value.stop, value.step)))
    return value


def _wrapped(value):
    if isinstance(value, np.ndarray):
        return DeviceArray(value)
    if isinstance(value, np.generic):  # CuPy's reductions give arrays without axes
        return DeviceArray(np.array(value))
    if isinstance(value, tuple | list):
        return type(value)(map(_wrapped, value))
    return value


def _function(call, from_host=False):
    @functools.wraps(call)
    def checked(*args, **options):
        if isinstance(call, np.ufunc) and "where" in options:
            raise TypeError("CuPy's ufuncs take no where")
        taken = (lambda x: x) if from_host and not isinstance(args[0], DeviceArray) else _unwrapped
        out = options.get("out")
        result = call(*map(taken, args), **{name: _unwrapped(value) for name, value in options.items()})
        return out if out is not None else _wrapped(result)

    return checked


class DeviceArray:
    """An array of the card."""

    __slots__ = ("_array",)
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array):
        self._array = array

    def pointer(self):
        return self._array.ctypes.data

    def __array__(self, *args, **options):
        raise TypeError("CuPy turns no array into NumPy's without being asked")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__":
            raise TypeError(f"CuPy's ufuncs have no {method} here")
        out = options.pop("out", None)
        if out is not None:
            options["out"] = out[0]
        return _function(ufunc)(*inputs, **options)

    def __array_function__(self, function, types, args, options):
        return getattr(_XP, function.__name__)(*args, **options)

    def __getattr__(self, name):
        if name not in METHODS or name in ("data",):
            raise AttributeError(f"CuPy's arrays have no {name} here")
        if name == "get":
            return lambda: self._array.copy()
        if name == "set":
            return self._set
        value = getattr(self._array, name)
        if name == "flags":
            return Flags(value)
        if name in ("tolist", "item", "tobytes"):
            return value
        return _function(value) if callable(value) and not isinstance(value, np.dtype) else _wrapped(value)

    def _set(self, values):
        if not isinstance(values, np.ndarray) or values.shape != self._array.shape or values.dtype != self._array.dtype:
            raise ValueError("set takes an array of NumPy of the same shape and type")
        self._array[...] = values

    def __getitem__(self, key):
        return _wrapped(self._array[_unwrapped(key)])

    def __setitem__(self, key, value):
        self._array[_unwrapped(key)] = _unwrapped(value)

    def __len__(self):
        return len(self._array)

    def __iter__(self):
        return (_wrapped(each) for each in self._array)

    def __bool__(self):
        return bool(self._array)

    def __float__(self):
        return float(self._array)

    def __int__(self):
        return int(self._array)

    def __index__(self):
        return operator.index(self._array)

    def __repr__(self):
        return f"DeviceArray({self._array!r})"


class Flags:
    """What CuPy's flags tell."""

    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


def _operators():
    both = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift"]
    for name in both:
        for form in (name, f"r{name}"):
            method = f"__{form}__"

            def call(self, other, method=method):
                result = getattr(self._array, method)(_unwrapped(other))
                return result if result is NotImplemented else _wrapped(result)

            setattr(DeviceArray, method, call)

        def change(self, other, method=f"__i{name}__"):
            self._array = getattr(self._array, method)(_unwrapped(other))
            return self

        setattr(DeviceArray, f"__i{name}__", change)
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):

        def compare(self, other, method=f"__{name}__"):
            return _wrapped(getattr(self._array, method)(_unwrapped(other)))

        setattr(DeviceArray, f"__{name}__", compare)
    for name in ("neg", "pos", "abs", "invert"):

        def one(self, method=f"__{name}__"):
            return _wrapped(getattr(self._array, method)())

        setattr(DeviceArray, f"__{name}__", one)


_operators()


class _Module:
    """The functions."""

    ndarray = DeviceArray

    def __getattr__(self, name):
        if name in VALUES:
            return VALUES[name]
        if name in ("ogrid", "mgrid"):
            return _Grid(getattr(np, name))
        if name == "asnumpy":
            return lambda array: host(array).copy()
        if name not in FUNCTIONS:
            raise AttributeError(f"CuPy has no {name}")
        value = getattr(np, name)
        if isinstance(value, type) or not callable(value):
            return value
        return _function(value, name in FROM_HOST)


class _Grid:
    def __init__(self, grid):
        self._grid = grid

    def __getitem__(self, key):
        return _wrapped(self._grid[key])


_XP = _Module()


def __getattr__(name):
    return getattr(_XP, name)
