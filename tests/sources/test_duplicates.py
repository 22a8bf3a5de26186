import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_images
from netcli.arrays.resize import resize
from netcli.sources import duplicates
from netcli.sources.duplicates import find_duplicates
from netcli.sources.fingerprint import Fingerprint, fingerprint, small
from netcli.sources.image_file import decode_image, encode_image


def photograph(seed, size=64):
    """Smooth and of strong contrasts, as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 6, 6), dtype=np.uint8)
    return resize(coarse, size, size)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40))
def test_the_small_image_is_the_means_of_its_parts(channels, height, width):
    image = make_images(1, (channels, height, width))[0]
    grey = image.astype(np.float64).mean(0)

    def part(size, i):
        start = i * size // 9
        return slice(start, max((i + 1) * size // 9, start + 1))

    wanted = [[grey[part(height, y), part(width, x)].mean() for x in range(9)] for y in range(9)]
    np.testing.assert_allclose(small(image), wanted, rtol=1e-5)


def test_the_digest_tells_sizes_and_types_apart():
    image = make_images(1, (1, 4, 6))[0]
    others = [image, image.reshape(1, 6, 4), image.astype(np.float32), image + np.uint8(1), image[:, ::-1]]
    assert len({fingerprint(each).digest for each in others}) == len(others)
    held = np.asfortranarray(image)
    assert fingerprint(held).digest == fingerprint(image).digest


@pytest.mark.parametrize(
    "change",
    [
        lambda x: decode_image(encode_image(x, "jpg")),
        lambda x: resize(x, 48, 52),
        lambda x: np.clip(x.astype(int) + 4, 0, 255).astype(np.uint8),
    ],
    ids=["encoded anew", "other size", "brighter"],
)
def test_changed_images_are_near_and_others_are_not(change):
    images = [photograph(seed) for seed in range(30)]
    found = find_duplicates([fingerprint(x) for x in [*images, *map(change, images)]])
    assert found.same == []
    assert found.near.tolist() == [[i, i + 30] for i in range(30)]


def test_equal_images_are_groups_and_count_once_for_near_ones():
    a, b = photograph(0), photograph(1)
    nearly = a.copy()
    nearly[:, 0, 0] ^= 1
    found = find_duplicates([fingerprint(x) for x in (a, b, a, nearly, b, a)])
    assert found.same == [[0, 2, 5], [1, 4]]
    assert found.near.tolist() == [[0, 3]]


def test_flat_images_are_near_by_their_grey():
    images = [np.full((3, 8, 8), value, np.uint8) for value in (0, 2, 100, 200)]
    assert find_duplicates([fingerprint(x) for x in images]).near.tolist() == [[0, 1]]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_for_any(count):
    found = find_duplicates([fingerprint(x) for x in make_images(count)])
    assert (found.same, len(found.near)) == ([], 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_all_pairs_are_found(count, seed):
    draw = np.random.default_rng(seed)
    bases = draw.integers(0, 1 << 16, (3, 8), dtype=np.uint16)
    prints = []
    for i in range(count):
        bits = np.unpackbits(bases[draw.integers(3)].view(np.uint8))
        bits[draw.choice(128, draw.integers(0, 4), replace=False)] ^= 1
        greys = np.full(81, draw.integers(0, 60), np.uint8)
        prints.append(Fingerprint(b"%d" % i, np.packbits(bits).view(np.uint16), greys))
    wanted = [
        [i, j]
        for i, j in itertools.combinations(range(count), 2)
        if np.unpackbits((prints[i].bits ^ prints[j].bits).view(np.uint8)).sum() <= duplicates.BITS
        and abs(int(prints[i].greys[0]) - int(prints[j].greys[0])) <= duplicates.BRIGHTNESS
    ]
    assert find_duplicates(prints).near.tolist() == wanted


def test_of_very_many_alike_each_is_compared_with_some(monkeypatch):
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 2)
    prints = [Fingerprint(b"%d" % i, np.zeros(8, np.uint16), np.zeros(81, np.uint8)) for i in range(6)]
    assert find_duplicates(prints).near.tolist() == [[i, j] for i in range(6) for j in (i + 1, i + 2) if j < 6]
