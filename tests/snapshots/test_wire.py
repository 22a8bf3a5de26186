import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.snapshots import wire


@given(st.integers(0, 2**64 - 1))
def test_a_varint_there_and_back(value):
    assert wire.varint(memoryview(wire.put_varint(value))) == value


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), st.binary(max_size=200)), max_size=5))
def test_fields_there_and_back(given_fields):
    message = b"".join(wire.put_bytes(number, len(value)) + value for number, value in given_fields)
    assert [(n, bytes(v)) for n, kind, v in wire.fields(memoryview(message)) if kind == wire.BYTES] == given_fields


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    try:
        for _, _, value in wire.fields(memoryview(content)):
            assert len(value) <= len(content)
    except wire.WireError:
        pass


def test_a_varint_without_an_end():
    with pytest.raises(wire.WireError, match="longer than ten bytes"):
        wire.varint(memoryview(b"\xff" * 11 + b"\x01"))
