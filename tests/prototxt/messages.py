"""Random messages of the schema, for property tests; and how lines are held against a message."""

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

SCALARS = {
    Field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    Field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    Field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    Field.CPPTYPE_FLOAT: st.floats(width=32, allow_nan=False),
    Field.CPPTYPE_DOUBLE: st.floats(allow_nan=False),
    Field.CPPTYPE_BOOL: st.booleans(),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BYTES = st.binary(max_size=12)


def values(field):
    """Values of a scalar field."""
    if field.type == Field.TYPE_BYTES:
        return BYTES
    if field.cpp_type == Field.CPPTYPE_STRING:
        return TEXTS
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return SCALARS[field.cpp_type]


@st.composite
def filled(draw, descriptor, depth=3):
    """A message of this type with some fields set, and messages in it so many levels deep."""
    message = GetMessageClass(descriptor)()
    any_field = st.sampled_from(list(descriptor.fields))
    fields = draw(st.lists(any_field, min_size=1, max_size=5, unique_by=lambda field: field.number))
    for field in {*fields, *(field for field in descriptor.fields if field.is_required)}:
        count = draw(st.integers(1, 3)) if field.is_repeated else 1
        if field.message_type is not None:
            for _ in range(count if depth else 0):
                inner = draw(filled(field.message_type, depth - 1))
                if field.is_repeated:
                    getattr(message, field.name).add().CopyFrom(inner)
                else:
                    getattr(message, field.name).CopyFrom(inner)
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(values(field)) for _ in range(count))
        else:
            setattr(message, field.name, draw(values(field)))
    return message


def assert_lines_match(document):
    """There is one entry of lines for every value of the message, and for nothing else."""
    held = {field.name: value if field.is_repeated else [value] for field, value in document.message.ListFields()}
    lines = {name: entries for name, entries in document.lines.fields.items() if entries}
    assert {name: len(entries) for name, entries in lines.items()} == {name: len(v) for name, v in held.items()}
    for name in held:
        if document.message.DESCRIPTOR.fields_by_name[name].message_type is not None:
            for value, entry in zip(held[name], lines[name], strict=True):
                assert_lines_match(type(document)(value, entry))
