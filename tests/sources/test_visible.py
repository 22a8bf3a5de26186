import numpy as np
import pytest

from databases import make_images
from netcli.sources.visible import as_bytes, in_colours


def test_bytes_stay_and_floats_are_stretched():
    image = make_images(1)[0]
    assert as_bytes(image) is image
    values = np.array([[[-2.0, 0, 2, np.nan, np.inf]]], np.float32)
    np.testing.assert_array_equal(as_bytes(values), [[[0, 128, 255, 0, 255]]])


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_numbers_that_are_all_one(value):
    assert as_bytes(np.full((1, 2, 2), value, np.float32)).max() == 0


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (4, 3), (7, 1)])
def test_channels_that_are_colours(channels, shown):
    image = make_images(1, (channels, 2, 2))[0]
    np.testing.assert_array_equal(in_colours(image), image[:shown])
