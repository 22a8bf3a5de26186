"""proto/caffe.proto: BVLC Caffe's to the number, forks' by name, every field explained, and alone in its pool."""

import importlib.util
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from netcli.prototxt import schema
from netcli.prototxt.forks import FORK_LAYERS

ROOT = Path(__file__).resolve().parents[2]
PROTO = (ROOT / "proto" / "caffe.proto").read_text()
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus" / "prototxt.tar.xz"
GOLDEN_FORKS = SHARED / "golden" / "forks"
BVLC = json.loads((Path(__file__).parent / "bvlc_fields.json").read_text())  # facts from its descriptor, at 9b891540

TYPES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}
LABELS = {1: "optional", 2: "required", 3: "repeated"}


def all_messages():
    """Every message of the schema, nested ones too, as (name without package, DescriptorProto)."""

    def walk(messages, prefix):
        for message in messages:
            yield prefix + message.name, message
            yield from walk(message.nested_type, f"{prefix}{message.name}.")

    yield from walk(schema._file.message_type, "")


MESSAGES = dict(all_messages())
ENUMS = {enum.name: enum for enum in schema._file.enum_type} | {
    f"{name}.{enum.name}": enum for name, message in MESSAGES.items() for enum in message.enum_type
}


def facts(field):
    """A field as bvlc_fields.json has it: "5 repeated float packed", "2 optional bool = true"."""
    type_name = field.type_name.removeprefix(".caffe.") or TYPES[field.type]
    packed = " packed" if field.options.packed else ""
    default = f" = {field.default_value}" if field.HasField("default_value") else ""
    return f"{field.number} {LABELS[field.label]} {type_name}{packed}{default}"


@pytest.mark.parametrize("message", BVLC["messages"])
def test_every_field_of_bvlc_caffe_is_as_it_is_there(message):
    ours = {field.name: facts(field) for field in MESSAGES[message].field}
    assert {name: ours.get(name) for name in BVLC["messages"][message]} == BVLC["messages"][message]


@pytest.mark.parametrize("enum", BVLC["enums"])
def test_every_enum_value_of_bvlc_caffe_has_its_number(enum):
    ours = {value.name: value.number for value in ENUMS[enum].value}
    assert BVLC["enums"][enum].items() <= ours.items()


def test_a_field_that_is_not_of_bvlc_caffe_is_of_a_fork_or_has_a_number_of_ours():
    for name, message in MESSAGES.items():
        for field in message.field:
            assert not 19000 <= field.number <= 19999
            if field.name in BVLC["messages"].get(name, ()):
                assert schema.origin(name, field.name) is None, f"{name}.{field.name} is BVLC Caffe's"
            elif schema.origin(name, field.name) is None and name in BVLC["messages"]:
                assert 11000 <= field.number <= 18999, f"{name}.{field.name} has no origin, nor a number of ours"
            elif name in BVLC["messages"]:
                assert not 11000 <= field.number <= 18999, f"{name}.{field.name} has a number of ours"


def test_a_message_that_is_not_of_bvlc_caffe_is_of_a_fork_or_known_as_ours():
    added = {name for name in MESSAGES if name not in BVLC["messages"] and schema.origin(name) is None}
    assert added == {
        "AffineParameter",
        "BlurParameter",
        "ColorJitterParameter",
        "ColorStatistics",
        "CutoutParameter",
        "JPEGParameter",
        "MixParameter",
        "MixedSource",
        "PCAJitterParameter",
        "RunState",
        "CarriedState",
        "ChosenWay",
        "SourcePosition",
        "DetectNetGroundTruthParameter.ClassMapping",
    }


def test_every_field_message_and_enum_has_a_comment():
    bare, above = [], ""
    for number, line in enumerate(PROTO.splitlines(), 1):
        declaration = re.match(r"\s*(optional|required|repeated|message|enum) ", line)
        text = re.sub(r"^\W*(\[[^]]*\])?", "", line.partition("//")[2] or above)
        if declaration and not text.strip():
            bare.append(f"{number}: {line}")
        above = line if line.lstrip().startswith("//") else ""
    assert not bare


def test_every_fork_that_a_comment_or_the_layers_name_is_introduced():
    introduced = set(re.findall(r"\[([^]]+)\] [\w-]+/[\w-]+", PROTO))
    named = {fork for forks in re.findall(r"// \[([A-Z a-z,&-]+)\]", PROTO) for fork in forks.split(", ")} - {"Name"}
    in_layers = {fork for forks in FORK_LAYERS.values() for fork in forks.split(", ")}
    assert named <= introduced
    assert in_layers <= introduced
    assert introduced - {"ENet", "DenseNet", "pynetbuilder"} == in_layers  # these three brought fields, no layer


def test_origin_is_of_the_field_its_message_or_its_type():
    assert schema.origin("LayerParameter", "roi_pooling_param") == "Fast R-CNN"
    assert schema.origin("PermuteParameter", "order") == schema.origin("PermuteParameter") == "SSD, caffe-windows"
    assert schema.origin("AnnotatedDatum", "record_id") == "NVCaffe"
    assert schema.origin("LossParameter", "pre_fixed_normalizer") == "R-FCN"
    assert schema.origin("LayerParameter", "relu_param") is None
    assert schema.origin("RunState") is None
    with pytest.raises(KeyError):
        schema.origin("LayerParameter", "rol_pooling_param")


def test_netspec_can_find_a_layers_field_by_its_message():
    types = [f.message_type.name for f in schema.LayerParameter.DESCRIPTOR.fields if f.name.endswith("_param")]
    assert len(set(types)) == len(types)


def test_compiled_schema_is_of_the_present_proto():
    pytest.importorskip("grpc_tools", reason="grpcio-tools, which has protoc, is not installed")
    tool = ROOT / "tools" / "compile_schema.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_compiling_refuses_a_proto_with_a_fault(tmp_path, capfd):
    pytest.importorskip("grpc_tools", reason="grpcio-tools, which has protoc, is not installed")
    spec = importlib.util.spec_from_file_location("compile_schema", ROOT / "tools" / "compile_schema.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / "caffe.proto").write_text(
        'syntax = "proto2"; message A { optional int32 x = 1; optional int32 y = 1; }'
    )
    with pytest.raises(ValueError, match="does not compile"):
        tool.compile_schema(tmp_path / "caffe.proto")
    assert "already been used" in capfd.readouterr().err


def test_another_caffe_proto_in_the_process_does_not_clash():
    code = """
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        other = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
        message = other.message_type.add(name="NetParameter")
        message.field.add(name="nothing", number=1, label=1, type=5)
        pool = descriptor_pool.Default()
        pool.AddSerializedFile(other.SerializeToString())
        from netcli.prototxt import schema
        theirs = message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
        print([f.name for f in theirs.DESCRIPTOR.fields], schema.NetParameter(name="ours").name)
    """
    lines = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['nothing'] ours"


def test_a_name_that_is_no_message_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no message NetParameters"):
        _ = schema.NetParameters
    assert schema.NetParameter is schema.message_class("NetParameter")
    assert (schema.TRAIN, schema.TEST) == (0, 1)


SCALARS = {
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=4),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
}


@st.composite
def filled(draw, name, depth=2):
    """A message with some of its fields set, at most `depth` messages deep."""
    message = schema.message_class(name)()
    fields = list(MESSAGES[name].field)
    chosen = draw(st.lists(st.integers(0, len(fields) - 1), max_size=3, unique=True))
    for field in [f for i, f in enumerate(fields) if i in chosen or LABELS[f.label] == "required"]:
        kind, type_name = TYPES[field.type], field.type_name.removeprefix(".caffe.")
        if kind == "message" and depth == 0:
            continue
        if kind == "message":
            value = draw(filled(type_name, depth - 1))
        elif kind == "enum":
            value = draw(st.sampled_from([value.number for value in ENUMS[type_name].value]))
        else:
            value = draw(SCALARS[kind])
        if LABELS[field.label] == "repeated":
            getattr(message, field.name).extend([value])
        elif kind == "message":
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


@given(st.sampled_from(sorted(MESSAGES)).flatmap(filled))
def test_text_and_wire_give_back_what_was_written(message):
    assert type(message).FromString(message.SerializeToString()) == message
    assert text_format.Parse(text_format.MessageToString(message), type(message)()) == message


def is_read(text):
    """Whether a text is a net, a solver or a label map."""
    for name in ("LabelMap", "SolverParameter", "NetParameter"):  # the first two refuse a net at its first word
        try:
            text_format.Parse(text, schema.message_class(name)())
        except text_format.ParseError:
            continue
        return True
    return False


@pytest.mark.skipif(not CORPUS.is_file(), reason="the corpus of public prototxts is not beside the checkout")
def test_public_prototxts_are_read():
    with tarfile.open(fileobj=io.BytesIO(CORPUS.read_bytes()), mode="r:xz") as archive:
        texts = {m.name: archive.extractfile(m).read().decode() for m in archive.getmembers() if m.isfile()}
    read = {text: is_read(text) for text in set(texts.values())}  # some files are there more than once
    unread = [name for name, text in texts.items() if not read[text]]
    # TSN alone gives several devices, as a list; the field of BVLC Caffe holds one.
    assert all("device_id: [0,1,2,3]" in texts[name] for name in unread)
    assert len(texts) == 602
    assert len(unread) == 3


@pytest.mark.skipif(not GOLDEN_FORKS.is_dir(), reason="the forks' golden cases are not beside the checkout")
def test_golden_prototxts_of_forks_are_read_and_their_layers_known():
    paths = sorted(GOLDEN_FORKS.glob("*.npz"))
    assert len(paths) >= 200
    for path in paths:
        with np.load(path) as case:
            net = text_format.Parse(str(case["prototxt"]), schema.NetParameter())
        for layer in net.layer:
            if layer.name == "L" and layer.type not in FORK_LAYERS:
                assert layer.type == "InfogainLoss", path  # the one type that BVLC Caffe has too
