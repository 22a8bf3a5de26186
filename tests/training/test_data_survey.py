from contextlib import nullcontext

import numpy as np
import pytest

from databases import make_images
from netcli.errors import DataError
from netcli.net.label_range import LabelRange
from netcli.training.data_survey import Looked, look, pairs_of


class Given:
    """A source of images in memory, of which an int stands for one that is broken."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def records(self):  # as a layer has it
        return self

    def fetch(self, epoch, index):
        if self.images[index] is None:
            raise DataError(f"page of {index}")
        return index

    def decode(self, fetched, need):
        if isinstance(self.images[fetched], int):
            raise DataError(f"image {fetched}")
        return self.images[fetched], self.labels[fetched]

    def name(self, epoch, index):
        return f"number {index}"


def look_at(images, labels, ranges=(), sample=None):
    told = []
    found = look("set", Given(images, labels), ranges, sample, 2, lambda total: nullcontext(told.append))
    assert told == ([found.looked_at] if found.looked_at else [])
    return found


@pytest.mark.parametrize("ignored", [frozenset(), frozenset([255])])
def test_labels_against_what_each_layer_takes(ignored):
    ranges = [LabelRange(5, ignored, "loss", "x"), LabelRange(4, frozenset([255]), "accuracy", "x")]
    found = look_at(make_images(6), [0, 0, 0, 2, 4, 255], ranges)
    assert found.classes == 4
    assert found.out_of_range == ({4: 1} if ignored else {4: 1, 255: 1})
    assert found.empty == [1, 3]
    assert found.imbalance == 3


def test_without_a_net_gaps_are_empty():
    found = look_at(make_images(3), [0, 3, 3])
    assert (found.classes, found.out_of_range, found.empty) == (None, {}, [1, 2])


def test_broken_records_are_passed_over():
    images = [*make_images(4)]
    images[0], images[2] = None, 1
    images[3] = np.full((1, 2, 2), np.nan, np.float32)
    found = look_at(images, [0, 7, 0, 0])
    assert found.broken == ["page of 0", "image 2", "number 3 has values that are nan or infinite"]
    assert (found.looked_at, found.numbers, found.labels, found.named(0)) == (4, [1], [7], "number 1")
    nothing = look_at([None], [0])
    assert (nothing.imbalance, nothing.empty, dict(nothing.shapes)) == (None, [], {})


def test_moments_are_by_channels_and_a_sample_is_spread():
    images = [*make_images(3), *make_images(2, (1, 4, 4))]
    found = look_at(images, range(5))
    np.testing.assert_allclose(found.moments[3].mean, np.mean(images[:3], (0, 2, 3)))
    np.testing.assert_allclose(found.moments[1].std, np.std(images[3:], (0, 2, 3)))
    assert look_at(images, range(5), sample=3).numbers == [0, 2, 4]


def test_pairs_know_their_sets():
    images = make_images(3)
    first, second = look_at(images[[0, 1, 0]], [0, 1, 2]), look_at(images[[2, 1]], [0, 1])
    found = [(pair.first, pair.second, pair.exact) for pair in pairs_of([first, second], 0.97)]
    assert found == [((0, 0), (0, 2), True), ((0, 1), (1, 1), True)]
    assert isinstance(first, Looked)
