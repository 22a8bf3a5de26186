import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from netcli.prototxt import schema
from netcli.snapshots import wire

SIZES = {wire.FIXED32: 4, wire.FIXED64: 8}


@st.composite
def messages(draw):
    """(number, kind, content) of some fields of every kind, and their bytes."""
    found, message = [], b""
    for _ in range(draw(st.integers(0, 6))):
        number, kind = draw(st.integers(1, 2**29 - 1)), draw(st.sampled_from([wire.VARINT, wire.BYTES, *SIZES]))
        if kind == wire.VARINT:
            content = wire.put_varint(draw(st.integers(0, 2**64 - 1)))
        else:
            size = SIZES.get(kind)
            content = draw(st.binary(min_size=size or 0, max_size=200 if size is None else size))
        start = wire.put_bytes(number, len(content)) if kind == wire.BYTES else wire.put_tag(number, kind)
        found.append((number, kind, content))
        message += start + content
    return found, message


def read(message):
    return [(number, kind, bytes(content)) for number, kind, content in wire.fields(memoryview(message))]


@given(st.integers(0, 2**64 - 1))
def test_a_varint_there_and_back(value):
    assert wire.varint(memoryview(wire.put_varint(value))) == value


@given(messages())
def test_fields_there_and_back(made):
    found, message = made
    assert read(message) == found


@given(messages(), st.data())
def test_a_message_cut_off_gives_its_first_fields_and_is_told_unless_it_ends_with_one(made, data):
    found, message = made
    cut = message[: data.draw(st.integers(0, len(message)))]
    got = []
    try:
        for number, kind, content in wire.fields(memoryview(cut)):
            got.append((number, kind, bytes(content)))
    except wire.TruncatedError:
        assert len(got) < len(found)
    else:
        assert len(cut) == len(message) or read(message[len(cut) :]) == found[len(got) :]
    assert got == found[: len(got)]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_packed_numbers_there_and_back(numbers):
    assert wire.varints(memoryview(b"".join(map(wire.put_varint, numbers)))) == numbers


@given(st.integers(-(2**31), 2**31 - 1), st.text(max_size=20), st.lists(st.integers(0, 2**63 - 1), max_size=5))
def test_fields_are_those_that_protobuf_writes(count, name, sizes):
    message = schema.SolverState(iter=count, learned_net=name, history=[{"shape": {"dim": sizes}}])
    (_, _, iteration), (_, _, learned_net), (_, _, blob) = wire.fields(memoryview(message.SerializeToString()))
    assert wire.varint(iteration) == count % 2**64
    assert bytes(learned_net).decode() == name
    ((number, _, shape),) = wire.fields(blob)
    assert number == 7
    assert [dim for _, _, dims in wire.fields(shape) for dim in wire.varints(dims)] == sizes


@given(st.binary(max_size=60))
def test_what_protobuf_takes_is_read(content):
    """Groups aside, which no version of Caffe's files has."""
    try:
        schema.BlobShape.FromString(content)
    except DecodeError:
        return
    try:
        read(content)
    except wire.WireError as fault:
        assert "has the kind" in str(fault)  # noqa: PT017 - only where protobuf takes it


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
