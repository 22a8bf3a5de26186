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
CHANGING = {"fill", "sort", "partition", "put"}  # methods, in place
FROM_HOST = {"array", "asarray", "ascontiguousarray", "asfortranarray", "asanyarray"}
# What a card can't record: CuPy waits for the card to tell the size of a result, or calls cuBLAS, which it refuses.
WAITING = {
    *("nonzero", "flatnonzero", "argwhere", "extract", "compress", "trim_zeros", "bincount", "histogram"),
    *(
        "unique",
        "unique_all",
        "unique_counts",
        "unique_inverse",
        "unique_values",
        "intersect1d",
        "setdiff1d",
        "union1d",
    ),
}
PRODUCTS = {"dot", "matmul", "inner", "vdot", "tensordot", "einsum", "asfortranarray"}


class RefusedError(RuntimeError):
    """What a card can't record."""


class Recording:
    """What is asked for while it lasts, to be done later; what a card can't record is refused meanwhile.

    Nothing that is there changes while it lasts, as on a card.  New arrays are made, though, for their shapes.
    """

    def __init__(self):
        self.steps = None

    def do(self, step):
        """Change something, now or later."""
        if self.steps is None:
            step()
        else:
            self.steps.append(step)

    def keep(self, step):
        if self.steps is not None:
            self.steps.append(step)

    def refuse(self, what):
        if self.steps is not None:
            raise RefusedError(f"{what} while a card records")


recording = Recording()


def host(array):
    """NumPy's array of the same memory."""
    return object.__getattribute__(array, "_array")


def _again(result, call):
    """Let a recording put what a call gives where its first result is."""
    if recording.steps is None:
        return
    if isinstance(result, tuple | list):
        arrays = [each for each in result if isinstance(each, DeviceArray)]
        if arrays:
            recording.keep(lambda: [_put(host(to), each) for to, each in zip(arrays, call(), strict=True)])
    elif isinstance(result, DeviceArray):
        recording.keep(lambda: _put(host(result), call()))


def _put(to, value):
    if isinstance(value, np.ndarray) and np.may_share_memory(to, value):  # a view of it
        return
    to[...] = value


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


def _refuse_call(name, args):
    if name in WAITING or (name == "where" and len(args) == 1):
        recording.refuse(f"{name} waits for the card")
    if name in PRODUCTS:
        recording.refuse(f"{name} calls cuBLAS")


def _refuse_key(key, value=None):
    """Of a subscript, and of what is put there."""
    for each in key if isinstance(key, tuple) else (key,):
        if isinstance(each, list):
            recording.refuse("an array of the host is brought")
        if isinstance(each, np.ndarray) and each.dtype == bool and (value is None or np.ndim(value)):
            recording.refuse("a mask waits for the card")


def _function(call, from_host=False):
    @functools.wraps(call)
    def checked(*args, **options):
        _refuse_call(getattr(call, "__name__", ""), args)
        if isinstance(call, np.ufunc) and "where" in options:
            raise TypeError("CuPy's ufuncs take no where")
        brings = from_host and not isinstance(args[0], DeviceArray)
        if brings and np.ndim(args[0]):  # a number is filled in
            recording.refuse("an array of the host is brought")
        given = args if brings else [_unwrapped(each) for each in args]
        out = options.get("out")
        options = {name: _unwrapped(value) for name, value in options.items()}
        is_method = isinstance(getattr(call, "__self__", None), np.ndarray)
        if out is not None or call is np.copyto or (is_method and call.__name__ in CHANGING):
            recording.do(lambda: call(*given, **options))
            return out
        result = _wrapped(call(*given, **options))
        _again(result, lambda: call(*given, **options))
        return result

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
        if name in ("get", "set", "tolist", "item", "tobytes"):
            recording.refuse(f"{name} meets the host")
        if name == "get":
            return lambda **options: self._array.copy()
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
        array, key = self._array, _unwrapped(key)
        _refuse_key(key)
        result = _wrapped(array[key])
        _again(result, lambda: array[key])
        return result

    def __setitem__(self, key, value):
        array, key, value = self._array, _unwrapped(key), _unwrapped(value)
        _refuse_key(key, value)

        def put():
            array[key] = value

        recording.do(put)

    def __len__(self):
        return len(self._array)

    def __iter__(self):
        return (_wrapped(each) for each in self._array)

    def __bool__(self):
        recording.refuse("a value is read")
        return bool(self._array)

    def __float__(self):
        recording.refuse("a value is read")
        return float(self._array)

    def __int__(self):
        recording.refuse("a value is read")
        return int(self._array)

    def __index__(self):
        recording.refuse("a value is read")
        return operator.index(self._array)

    def __repr__(self):
        return f"DeviceArray({self._array!r})"


class Flags:
    """What CuPy's flags tell."""

    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


def _operators():
    def operation(method, name=""):
        def call(self, *other):
            _refuse_call(name, other)
            array, other = self._array, [_unwrapped(each) for each in other]
            value = getattr(array, method)(*other)
            if value is NotImplemented:
                return value
            result = _wrapped(value)
            _again(result, lambda: getattr(array, method)(*other))
            return result

        setattr(DeviceArray, method, call)

    def change(method):
        def call(self, other):
            array, other = self._array, _unwrapped(other)
            recording.do(lambda: getattr(array, method)(other))
            return self

        setattr(DeviceArray, method, call)

    for name in (
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    ):
        operation(f"__{name}__", name)
        operation(f"__r{name}__", name)
        change(f"__i{name}__")
    for name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert"):
        operation(f"__{name}__")


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
