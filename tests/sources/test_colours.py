import numpy as np
import pytest

from netcli.sources.colours import BITS, PARTS, PNG_BITS, PNG_PARTS, grey_of, rgb_of_cmyk

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("png", [True, False])
def test_grey_is_the_weighted_sum_within_a_level(png):
    wanted = PIXELS @ np.array([0.299, 0.587, 0.114])
    grey = grey_of(PIXELS, png=png)
    assert grey.dtype == np.uint8
    assert np.abs(grey - wanted).max() < (1.01 if png else 0.51)  # the one is cut off, the other rounded


@pytest.mark.parametrize("png", [True, False])
def test_grey_stays_grey(png):
    grey = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(grey_of(np.stack([grey] * 3, axis=-1), png=png), grey)
    assert sum(PARTS) == 1 << BITS
    assert sum(PNG_PARTS) == 1 << PNG_BITS


def test_ink_takes_light_away():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [123, 142, 66, 0], [255, 128, 0, 55]]], np.uint8)
    wanted = [[255, 255, 255], [1, 255, 255], [0, 0, 0], [133, 114, 190], [1, 100, 200]]  # OpenCV's: never full ink
    np.testing.assert_array_equal(rgb_of_cmyk(inks)[0], wanted)
