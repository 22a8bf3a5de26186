"""The grammar of the text format, and the line of every value."""

import pytest
from google.protobuf import text_format

from netcli.prototxt import parse, schema
from prototxt.messages import assert_lines_match


def layer(text):
    return parse(text, schema.LayerParameter, "layer.prototxt").message


@pytest.mark.parametrize(
    "text",
    [
        "convolution_param { num_output: 20 kernel_size: 5 kernel_size: 3 }",
        "convolution_param: { num_output: 20 kernel_size: [5, 3] }",
        "convolution_param < num_output: 20, kernel_size: 5; kernel_size: 3, >",
        "convolution_param:<num_output:20kernel_size:[5,3]>".replace("20k", "20 k"),
        "convolution_param { num_output: 0x14 kernel_size: 05 kernel_size: [3] kernel_size: [] };",
        "# comment { \nconvolution_param # {\n{ num_output:#\n\n20 kernel_size: 5\r\n\tkernel_size: 3 } # }",
    ],
)
def test_ways_to_write_a_block(text):
    assert layer(text) == schema.LayerParameter(convolution_param={"num_output": 20, "kernel_size": [5, 3]})


def test_lists_of_messages():
    message = layer("param [ { lr_mult: 1 }, < lr_mult: 2 > ] param { lr_mult: 3 } param: [{}] param []")
    assert [param.lr_mult for param in message.param] == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1", -1.0),
        ("- 1.5", -1.5),
        ("- # minus\n .5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("2.5E-1", 0.25),
        ("1.5f", 1.5),
        ("10F", 10.0),
        ("inf", float("inf")),
        ("-Infinity", float("-inf")),
        ("1e400", float("inf")),
        ("1e39", float("inf")),  # beyond float32
    ],
)
def test_floats(text, value):
    assert layer(f"loss_weight: {text}").loss_weight == [value]


def test_not_a_number():
    (value,) = layer("loss_weight: NaN").loss_weight
    assert value != value


@pytest.mark.parametrize("text", ["true", "True", "t", "1", "0x1", "01"])
def test_true(text):
    assert layer(f"propagate_down: {text}").propagate_down == [True]


@pytest.mark.parametrize("text", ["false", "False", "f", "0"])
def test_false(text):
    assert layer(f"propagate_down: {text}").propagate_down == [False]


@pytest.mark.parametrize(
    ("text", "value"), [("-0x10", -16), ("-010", -8), ("0", 0), ("- 7", -7), ("2147483647", 2**31 - 1)]
)
def test_whole_numbers(text, value):
    assert layer(f"softmax_param {{ axis: {text} }}").softmax_param.axis == value


def test_enums_by_name_and_number():
    assert layer("pooling_param { pool: AVE }") == layer("pooling_param { pool: 1 }")
    assert layer("phase: TEST").phase == schema.TEST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'single'", "single"),
        ('"it\'s"', "it's"),
        ("'a' \"b\"\n# comment\n'c'", "abc"),
        (r'"\a\b\f\n\r\t\v\\\'\"\?"', "\a\b\f\n\r\t\v\\'\"?"),
        (r'"\101\x42\u0043\U00000044"', "ABCD"),
        (r'"\303\251 \xc3\xa9 é"', "é é é"),
        ('"{ # }"', "{ # }"),
        ('""', ""),
    ],
)
def test_strings(text, value):
    assert layer(f"name: {text}").name == value


def test_bytes_need_be_no_text():
    assert parse(r'data: "\377\x00é"', schema.Datum).message.data == b"\xff\x00\xc3\xa9"


def test_of_a_list_of_devices_the_first_counts(caplog):
    document = parse("net: 'a'\ndevice_id: [3, 1]", schema.SolverParameter, "solver.prototxt")
    assert document.message.device_id == 3
    assert_lines_match(document)
    assert caplog.messages == ["solver.prototxt:2: of 2 values of device_id the first counts"]


NET = """# a comment
name: "lines"
layer {
  name: "conv1"
  type:
    "Convolution"
  bottom: "data" top: "conv1"
  param { lr_mult: 1 }
  param
  { lr_mult: 2
    decay_mult: 0 }
  convolution_param {
    kernel_size: [ 5,
      3 ]
    weight_filler { type: "multi
"""
NET = NET.replace('"multi\n', '"gaussian"\n      std: 0.1 } }\n}\nlayer { name: "relu1" }\n')


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("layer", 0), 3),
        (("layer", 0, "type"), 5),
        (("layer", 0, "bottom"), 7),
        (("layer", 0, "top"), 7),
        (("layer", 0, "param", 1), 9),
        (("layer", 0, "param", 1, "decay_mult"), 11),
        (("layer", 0, "convolution_param", "kernel_size", 1), 14),
        (("layer", 0, "convolution_param", "weight_filler", "std"), 16),
        (("layer", 0, "convolution_param", "num_output"), 12),  # is not there: the block it belongs to
        (("layer", 1, "name"), 18),
    ],
)
def test_every_value_has_its_line(path, line):
    document = parse(NET, schema.NetParameter, "lines.prototxt")
    assert_lines_match(document)
    assert str(document.lines.place(*path)) == f"lines.prototxt:{line}"


def test_a_fault_at_the_end_of_many_blanks_is_found():
    text = "name: 'x'" + " # \n" * 100_000 + "!"
    with pytest.raises(Exception, match=":100001: expected a field of NetParameter, found '!'"):
        parse(text, schema.NetParameter, "blanks.prototxt")


def test_floats_are_read_as_protobuf_reads_them():
    text = "loss_weight: [0.1, 3.4028235e38, 1.17549435e-38, 16777217, 0.3333333333333333]"
    assert layer(text) == text_format.Parse(text, schema.LayerParameter())
