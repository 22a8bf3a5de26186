from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.sources.record_parts import Share, deal, part_sizes, read_share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("500", Share(count=500)),
        ("1", Share(count=1)),
        ("1.0", Share(fraction=1)),
        (".25", Share(fraction=0.25)),
        ("80%", Share(fraction=0.8)),
        ("rest", Share()),
        ("1.5", None),
        ("110%", None),
        ("-3", None),
        ("", None),
        ("half", None),
    ],
)
def test_shares(text, share):
    assert read_share(text) == share


@pytest.mark.parametrize(
    ("texts", "total", "sizes"),
    [
        (["0.9", "0.1"], 1000, [900, 100]),
        (["0.7", "0.2", "0.1"], 7, [5, 1, 1]),
        (["1/3", "1/3", "1/3"], 10, [4, 3, 3]),
        (["3", "rest"], 10, [3, 7]),
        (["0.5", "2"], 10, [5, 2]),
        (["0.1", "0.2"], 10, [1, 2]),
    ],
)
def test_sizes(texts, total, sizes):
    shares = [Share(fraction=1 / 3) if text == "1/3" else read_share(text) for text in texts]
    assert part_sizes(shares, total) == sizes


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["0.9", "2"], "the parts want 11 records of 10"),
        (["10", "rest"], "part 2 would have none of 10 records"),
        (["rest", "rest"], "2 parts are to have the rest; one may"),
        (["0.01", "0.9"], "part 1 would have none of 10 records"),
    ],
)
def test_sizes_that_can_not_be(texts, message):
    with pytest.raises(DataError, match=message):
        part_sizes([read_share(text) for text in texts], 10)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(0, 30), st.integers(0, 99), st.data())
def test_every_part_has_its_size_and_its_share_of_each_label(sizes, left_over, seed, data):
    total = sum(sizes) + left_over
    labels = data.draw(st.lists(st.integers(0, 4), min_size=total, max_size=total))
    parts = deal(sizes, total, seed, labels)
    assert [int((parts == p).sum()) for p in range(len(sizes))] == sizes
    assert int((parts == -1).sum()) == left_over
    bound = 1 if len(sizes) + bool(left_over) <= 2 else 2.5
    for label, count in Counter(labels).items():
        for p, size in enumerate(sizes):
            held = int(((parts == p) & (np.array(labels) == label)).sum())
            assert abs(held - size * count / total) <= bound


def test_the_seed_decides():
    first = deal([50, 50], 100, 1)
    assert (first == deal([50, 50], 100, 1)).all()
    assert (first != deal([50, 50], 100, 2)).any()
    assert (np.diff(first) != 0).sum() > 20  # not the first half and the second
