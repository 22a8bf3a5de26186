import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.sources.record_keys import key_form, name_in, renumbered


@pytest.mark.parametrize(
    ("key", "form", "name"),
    [
        (b"00000007_cats/a_b.jpg", "a number of 8 digits, _ and a name", b"cats/a_b.jpg"),
        (b"00042", "a number of 5 digits", b""),
        (b"cat.jpg", "no number first", b"cat.jpg"),
        (b"7_", "no number first", b"7_"),
        (b"\xff\n1", "no number first", b"\xff\n1"),
    ],
)
def test_forms_and_names(key, form, name):
    assert (key_form(key), name_in(key)) == (form, name)


@given(st.binary(min_size=1, max_size=20), st.integers(0, 10**9))
def test_a_new_number_keeps_the_name_and_sorts_by_it(key, number):
    total = 10**9 + 1
    new = renumbered(key, number, total)
    assert new.startswith(b"%010d" % number)
    assert name_in(new) == name_in(key) or b"_" not in new
    assert renumbered(key, number, total) < renumbered(key, number + 1, total + 1)


def test_eight_digits_unless_more_are_needed():
    assert renumbered(b"3_a", 5, 100_000_000) == b"00000005_a"
    assert renumbered(b"3_a", 5, 100_000_001) == b"000000005_a"
