import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.arrays import random

MASK = 2**64 - 1


def philox(counter, key):
    """Philox4x64-10, from the paper's description."""
    c, k = list(counter), list(key)
    for _ in range(10):
        low, high = c[0] * 0xD2E7470EE14C6C93, c[2] * 0xCA5A826395121157
        c = [(high >> 64) ^ c[1] ^ k[0], high & MASK, (low >> 64) ^ c[3] ^ k[1], low & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def test_the_reference_gives_the_papers_known_answer():
    """Of kat_vectors in Random123, the authors' library: counter and key zero."""
    want = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox([0] * 4, [0] * 2) == want


@given(st.integers(-(2**63), 2**64 - 1), st.integers(0, 2**40), st.integers(0, 2**32))
def test_block_i_is_a_function_of_key_and_i(seed, major, i):
    key = [int(word) for word in random._key(seed, "crop")]
    words = random.words(seed, "crop", major, i, 1)
    assert [int(word) for word in words[0]] == philox([i + 1, 0, major, 1], key)


@given(st.integers(0, 100), st.integers(1, 40), st.integers(1, 3))
def test_a_range_is_a_part_of_the_whole(first, count, blocks):
    whole = random.words(5, "noise", 7, 0, first + count, blocks)
    np.testing.assert_array_equal(random.words(5, "noise", 7, first, count, blocks), whole[first:])


@pytest.mark.parametrize("other", [(6, "noise", 7), (5, "crop", 7), (5, "noise", 8), (-5, "noise", 7)])
def test_seed_purpose_and_major_all_matter(other):
    assert (random.words(5, "noise", 7, 0, 10) != random.words(*other, 0, 10)).all()


def test_a_seed_is_any_whole_number():
    assert (random.words(2**64 + 5, "a", 0, 0, 3) == random.words(5, "a", 0, 0, 3)).all()
    assert (random.words(-5, "a", 0, 0, 3) == random.words(2**64 - 5, "a", 0, 0, 3)).all()


def test_streams_differ_from_words_and_from_each_other():
    drawn = [random.stream(5, "fill a", *index).integers(0, 2**63, 8) for index in ((), (1,), (2,), (1, 1))]
    drawn.append(random.words(5, "fill a", 0, 0, 2).reshape(-1) >> 1)
    assert len({tuple(d) for d in drawn}) == 5
    np.testing.assert_array_equal(drawn[1], random.stream(5, "fill a", 1).integers(0, 2**63, 8))


@given(st.integers(1, 2**32 - 1))
def test_below_stays_below(limit):
    words = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    drawn = random.below(words, limit)
    assert drawn[0] == 0
    assert [int(d) for d in drawn] == [(int(word) >> 32) * limit >> 32 for word in words]
    assert drawn.max() == limit - 1


def test_below_and_unit_are_even():
    words = random.words(1, "even", 0, 0, 5000).reshape(-1)
    counts = np.bincount(random.below(words, 7).astype(int), minlength=7)
    expected = words.size / 7
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi square of 6: 30 is passed once in 25,000
    drawn = random.unit(words)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 5 / np.sqrt(12 * words.size)
    assert random.unit(np.array([2**64 - 1], np.uint64))[0] < 1


@given(st.integers(0, 300), st.integers(0, 3))
def test_a_permutation_has_each_number_once(count, major):
    drawn = random.permutation(3, "shuffle", major, count)
    assert sorted(drawn) == list(range(count))


def test_permutations_differ_from_epoch_to_epoch():
    first, second = (random.permutation(3, "shuffle", epoch, 100) for epoch in range(2))
    assert (first != second).any()
    assert (first != np.arange(100)).any()


def test_new_seeds_are_new():
    assert random.new_seed() != random.new_seed()
    assert 0 <= random.new_seed() < 2**63
