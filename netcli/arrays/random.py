"""Random draws that depend on what they are for, not on who asks first.

Every draw is keyed by (seed, purpose, iteration or epoch, index): the same on any number of
threads, after a resume, and on a GPU, which can compute the same function.  The generator is
Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): block i of a
stream is a function of the key and of i alone, so any block can be had without those before it.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Any

import numpy as np

WORDS = 4  # 64-bit words in a block
# Philox's: the golden ratio and the root of 3 less 1, as fractions of 2**64
KEY_STEPS = np.array([0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B], np.uint64)


def new_seed() -> int:
    """A seed for a run that was given none: 63 random bits of the system's."""
    return secrets.randbits(63)


def _key(seed: int, purpose: str) -> Any:
    seed %= 2**64
    digest = hashlib.blake2b(purpose.encode(), digest_size=8, key=seed.to_bytes(8, "little")).digest()
    return np.array([seed, int.from_bytes(digest, "little")], np.uint64)


def stream(seed: int, purpose: str, index: int = 0, major: int = 0) -> np.random.Generator:
    """A generator of its own for one purpose, such as one filler; major: the iteration or epoch."""
    counter = np.array([0, index, major, 0], np.uint64)  # the last word is 1 in `words`, so the two never meet
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose), counter=counter))


def words(seed: int, purpose: str, major: int, first: int, count: int, blocks: int = 1) -> Any:
    """Random 64-bit words for `count` items from number `first` on: (count, 4 * blocks) uint64.

    major: the iteration or epoch.  Item i has the blocks i*blocks .. (i+1)*blocks-1 of the stream
    (seed, purpose, major), whatever range it is asked for in.
    """
    # NumPy steps the 256-bit counter before each block, so block i is made from counter i + 1.
    counter = np.array([first * blocks, 0, major, 1], np.uint64)
    bits = np.random.Philox(key=_key(seed, purpose), counter=counter)
    return bits.random_raw(count * blocks * WORDS).reshape(count, blocks * WORDS)


@functools.lru_cache(maxsize=64)
def round_keys(seed: int, purpose: str) -> Any:
    """The keys of Philox's ten rounds for (seed, purpose), (10, 2) uint64, for who draws `words` himself."""
    steps = np.arange(10, dtype=np.uint64)[:, None] * KEY_STEPS
    return steps + _key(seed, purpose)


def permutation(seed: int, purpose: str, major: int, count: int) -> Any:
    """0 .. count-1 in random order: by the rank of their words, so the same from every version of NumPy."""
    drawn = words(seed, purpose, major, 0, -(-count // WORDS)).reshape(-1)[:count]
    return np.argsort(drawn, kind="stable")


def below(word: Any, limit: Any) -> Any:
    """Whole numbers 0 .. limit-1 from 64-bit words, by the high part of word * limit; limit < 2**32."""
    return ((word >> np.uint64(32)) * np.asarray(limit, np.uint64)) >> np.uint64(32)


def unit(word: Any) -> Any:
    """Doubles in [0, 1) from the upper 53 bits of 64-bit words."""
    return (word >> np.uint64(11)) * 2.0**-53
