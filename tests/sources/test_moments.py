import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_images, make_lmdb
from netcli.sources.moments import Moments, moments_of
from netcli.sources.record_set import open_records


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=8), st.integers(1, 4), st.data())
def test_moments_of_parts_are_those_of_all(sizes, channels, data):
    images = [make_images(1, (channels, *size), seed=i)[0] for i, size in enumerate(sizes)]
    cut = data.draw(st.integers(0, len(images)))
    halves = [Moments(), Moments()]
    for i, image in enumerate(images):
        halves[i >= cut].add(Moments.of(image))
    halves[0].add(halves[1])
    pixels = np.concatenate([image.reshape(channels, -1) for image in images], axis=1).astype(np.float64)
    found = halves[0]
    assert (found.images, found.pixels, found.channels) == (len(images), pixels.shape[1], channels)
    np.testing.assert_allclose(found.mean, pixels.mean(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(pixels, bias=True).reshape(channels, -1), atol=1e-9)
    if len(set(sizes)) == 1:
        np.testing.assert_allclose(found.mean_image, np.mean(images, axis=0), rtol=1e-12, atol=1e-12)
    else:
        assert found.mean_image is None


def test_of_some_records_and_how_far_it_has_come(tmp_path):
    images = make_images(70)
    records = open_records(make_lmdb(tmp_path / "db", images))
    told = []
    found = moments_of(records, range(0, 70, 2), told=told.append)
    records.close()
    np.testing.assert_allclose(found.mean, images[::2].mean((0, 2, 3)), rtol=1e-12)
    assert told == [32, 35]
