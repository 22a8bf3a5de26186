from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databases import make_images, make_list, make_lmdb
from netcli.errors import DataError
from netcli.sources.record_set import open_records
from netcli.sources.record_survey import bytes_on_disk, spread, survey


@given(st.integers(1, 200), st.integers(1, 250))
def test_a_sample_is_evenly_spread(total, wanted):
    found = list(spread(total, wanted))
    assert len(found) == min(total, wanted)
    assert found[0] == 0
    assert len(found) == 1 or found[-1] == total - 1
    steps = [b - a for a, b in pairwise(found)]
    assert not steps or max(steps) - min(steps) <= 1
    assert min(steps, default=1) >= 1
    assert spread(total, None) == range(total)


def test_some_records_of_a_database(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(9), [5] * 9)
    records = open_records(path)
    told = []
    found = survey(records, [0, 4], told.append)
    assert (found.looked_at, told) == (2, [1, 2])
    assert (dict(found.forms), dict(found.labels)) == ({"bytes": 2}, {5: 2})
    assert found.value_bytes == found.least_bytes + found.most_bytes
    records.close()
    assert bytes_on_disk(path) >= 9 * 90


def test_a_list_gives_records_as_a_database_does(tmp_path):
    images = make_images(3)
    for records in (open_records(make_list(tmp_path, images)), open_records(make_lmdb(tmp_path / "db", images))):
        decoded = [records.decode(records.fetch(i)) for i in range(len(records))]
        np.testing.assert_array_equal([image for image, _ in decoded], images)
        assert [label for _, label in decoded] == [0, 1, 2]
        assert "2" in records.name(records.fetch(2))
        records.close()
    gray = open_records(str(tmp_path / "list.txt"), gray=True)
    assert gray.decode(0)[0].shape == (1, 6, 5)
    with pytest.raises(DataError, match="there is no database"):
        open_records(str(tmp_path / "none"))
