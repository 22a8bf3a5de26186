"""Arrays for the tests of oneDNN's bodies."""

import numpy as np
import pytest

from netcli.arrays.device import CPU
from netcli.arrays.layout import count_of, view
from netcli.arrays.onednn import library
from netcli.arrays.unsupported import Unsupported

F4 = np.float32


def there():
    try:
        library.library()
    except Unsupported:
        return False
    return True


needs_onednn = pytest.mark.skipif(not there(), reason="oneDNN can't be loaded here")


def array(shape, seed=0):
    """Random numbers in the blobs' order."""
    out = view(CPU.empty(count_of(shape), F4), shape, channels_last=True)
    out[...] = np.random.default_rng(seed + 7919 * len(shape) + sum(shape)).standard_normal(shape)
    return out


def parameter(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(F4)


def orders(a):
    """The same numbers in every order an array may have."""
    yield a.copy(order="K")
    yield a.copy(order="C")
    yield a.copy(order="F")
    unaligned = np.empty(a.nbytes + 1, np.uint8)[1:].view(F4).reshape(a.shape)
    sparse = np.zeros([2 * size for size in a.shape], F4)[tuple(slice(None, None, 2) for _ in a.shape)]
    backwards = np.empty(a.shape, F4)[tuple(slice(None, None, -1) for _ in a.shape)]
    for out in (unaligned, sparse, backwards):
        out[...] = a
        yield out


def close(got, want, tolerance=2e-5):
    scale = max(float(np.abs(want).max()), 1e-3)
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * scale)
