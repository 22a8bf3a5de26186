import numpy as np
import pytest

from databases import make_images
from netcli.sources.contact_sheet import GAP, TEXT, as_bytes, contact_sheet


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_small_images_are_seen_pixel_by_pixel(channels):
    image = make_images(1, (channels, 4, 4))[0]
    sheet = contact_sheet([image] * 3, ["a", "b", "c"], 2, cell=16)
    assert sheet.shape == (3, GAP + 2 * (16 + GAP + TEXT), GAP + 2 * (16 + GAP))
    wanted = np.broadcast_to(image, (3, 4, 4)) if channels == 1 else image[:3]
    np.testing.assert_array_equal(sheet[:, GAP : GAP + 16 : 4, GAP : GAP + 16 : 4], wanted)
    assert (sheet[:, GAP + 16 + GAP + TEXT :, GAP + 16 + GAP :] == 255).all()  # no fourth image
    assert (sheet[:, GAP + 17 : GAP + 16 + TEXT, : 16 + GAP] < 160).any()  # its caption


@pytest.mark.parametrize("shape", [(3, 100, 3), (1, 1, 1), (3, 1, 900), (5, 7, 7)])
def test_any_shape_fits(shape):
    assert contact_sheet([make_images(1, shape)[0]], ["a caption that is too long for its image"], 9, 32).shape == (
        3,
        GAP + 32 + GAP + TEXT,
        GAP + 32 + GAP,
    )


def test_floats_are_stretched():
    values = np.array([[[-2.0, 0, 2, np.nan, np.inf]]], np.float32)
    np.testing.assert_array_equal(as_bytes(values), [[[0, 128, 255, 0, 255]]])
    assert as_bytes(np.full((1, 2, 2), 7.0, np.float32)).max() == 0
