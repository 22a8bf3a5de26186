import math
import struct

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.prototxt import parse, schema, to_text
from netcli.prototxt.write import float_text
from prototxt.messages import assert_lines_match, filled

FILES = ["NetParameter", "SolverParameter", "LayerParameter"]
NAMES = st.one_of(st.sampled_from(schema.message_names()), st.sampled_from(FILES))
MESSAGES = NAMES.flatmap(lambda name: filled(schema.message_class(name).DESCRIPTOR))


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_what_is_written_is_read_back(message):
    text = to_text(message)
    if not text:  # nothing is set: no file has that
        return
    document = parse(text, type(message), "written.prototxt")
    assert document.message == message
    assert document.message.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)
    assert_lines_match(document)
    assert text_format.Parse(text, type(message)()) == message  # protobuf's own parser reads the same


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_what_protobuf_writes_is_read(message):
    text = text_format.MessageToString(message)
    if text:
        assert parse(text, type(message)).message == message


def test_layout():
    net = schema.NetParameter(name="small")
    layer = net.layer.add(name="pool1", type="Pooling", bottom=["conv1"], top=["pool1"])
    layer.param.add(lr_mult=1).decay_mult = 0
    layer.pooling_param.pool = schema.PoolingParameter.AVE
    layer.pooling_param.kernel_size = 3
    layer.transform_param.mean_value.extend([104, 116.5, 122.67])
    assert to_text(net) == (
        'name: "small"\n'
        "layer {\n"
        '  name: "pool1"\n'
        '  type: "Pooling"\n'
        '  bottom: "conv1"\n'
        '  top: "pool1"\n'
        "  param {\n"
        "    lr_mult: 1\n"
        "    decay_mult: 0\n"
        "  }\n"
        "  transform_param {\n"
        "    mean_value: 104\n"
        "    mean_value: 116.5\n"
        "    mean_value: 122.67\n"
        "  }\n"
        "  pooling_param {\n"
        "    pool: AVE\n"
        "    kernel_size: 3\n"
        "  }\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (5e-4, "0.0005"),
        (1e-8, "1e-08"),
        (1 / 256, "0.00390625"),
        (227.0, "227"),
        (16777216.0, "16777216"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (1.401298464324817e-45, "1.4013e-45"),
        (-0.0, "-0"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_floats_are_short(value, text):
    (stored,) = struct.unpack("f", struct.pack("f", value))
    assert float_text(stored) == text


def test_strings_stay_readable():
    net = schema.NetParameter(name='été "网络" C:\\data\n\x01')
    assert to_text(net) == 'name: "été \\"网络\\" C:\\\\data\\n\\001"\n'
    assert parse(to_text(net), schema.NetParameter).message == net
