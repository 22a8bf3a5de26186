"""The draws of kernels are those of `random.words`, to the last bit."""

import shutil

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from netcli.arrays import random
from netcli.arrays.cuda import source
from netcli.arrays.cuda.draws import Keys

TEXT = """
#include "grid.cuh"
#include "philox.cuh"

extern "C" __global__ void drawn(unsigned long long* words, const unsigned long long* keys, unsigned long long major,
                                 index_t first, index_t count) {
  ITEMS(i, count) {
    Words block = philox(first + i, major, keys);
    for (int word = 0; word < 4; ++word) words[4 * i + word] = block.at[word];
  }
}
"""


@pytest.fixture
def with_drawn(monkeypatch, tmp_path):
    """A folder of kernels with one that gives the words themselves."""
    folder = tmp_path / "kernels"
    shutil.copytree(source.FOLDER, folder)
    (folder / "drawn_for_test.cu").write_text(TEXT)
    monkeypatch.setattr(source, "FOLDER", folder)
    yield
    source.text.cache_clear()


@pytest.mark.usefixtures("with_drawn")
@pytest.mark.parametrize("seed", [0, 17, 2**63, -5])
@pytest.mark.parametrize(("major", "first"), [(0, 0), (3, 1), (2**40, 2**31 - 5)])
def test_words(seed, major, first):
    card = EmulatedCard()
    words, keys = card.empty(4 * 1000, np.uint64), Keys(card)
    kernel = card.kernel("drawn_for_test", "drawn", np.float32, items=1000, wide=2**31 * (first > 0))
    kernel(words, keys.array(seed, "noise"), major, first, 1000)
    np.testing.assert_array_equal(card.to_host(words).reshape(-1, 4), random.words(seed, "noise", major, first, 1000))


def test_keys_come_to_the_card_once():
    keys = Keys(EmulatedCard())
    assert keys.array(1, "a") is keys.array(1, "a")
    assert keys.array(1, "a") is not keys.array(1, "b")
