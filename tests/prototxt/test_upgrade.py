"""Old nets in today's form: what Caffe makes of them, and every line where it was."""

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field
from hypothesis import given, settings

from netcli.errors import PrototxtError
from netcli.prototxt import Document, parse, read_net, schema, to_text, upgrade_net
from netcli.prototxt.upgrade.v0 import PARAMETERS
from netcli.prototxt.upgrade.v0 import TYPES as V0_TYPES
from netcli.prototxt.upgrade.v1 import PARAMS, layer_type
from prototxt.messages import assert_lines_match, filled

FILE = "old.prototxt"


def upgraded(text):
    """The upgraded net of a text, after a look at what holds for every upgrade."""
    document = parse(text, schema.NetParameter, FILE)
    before = to_text(document.message)
    new = upgrade_net(document)
    assert to_text(document.message) == before, "the document given was changed"
    assert_lines_match(document)
    assert_lines_match(new)
    assert_values_stand_there(new, text.split("\n"))
    assert upgrade_net(new) is new, "what is upgraded is not in today's form"
    without_lines = upgrade_net(Document(parse(text, schema.NetParameter).message))
    assert without_lines.message == new.message
    return new


def assert_values_stand_there(document, lines):
    """Names and numbers stand in the line that they are said to be from."""
    for field, held in document.message.ListFields():
        values = list(held) if field.is_repeated else [held]
        for value, place in zip(values, document.lines.fields[field.name], strict=True):
            if field.message_type is not None:
                assert_values_stand_there(Document(value, place), lines)
            elif field.cpp_type == Field.CPPTYPE_STRING and field.name != "type" and value != "input":
                assert f'"{value}"' in lines[place.line - 1]
            elif field.cpp_type in (Field.CPPTYPE_INT32, Field.CPPTYPE_UINT32, Field.CPPTYPE_INT64):
                assert str(value) in lines[place.line - 1]


def net_of(text):
    return parse(text, schema.NetParameter).message


# -- V0

V0 = """
name: "v0"
input: "image"
input_dim: 8
input_dim: 3
input_dim: 32
input_dim: 36
force_backward: true
layers {
  layer {
    name: "images"
    type: "images"
    source: "list.txt"
    batchsize: 5
    rand_skip: 6
    shuffle_images: true
    new_height: 40
    new_width: 41
    scale: 0.5
    meanfile: "mean.binaryproto"
    cropsize: 32
    mirror: true
  }
  top: "data"
  top: "label"
}
layers {
  layer {
    name: "pad1"
    type: "padding"
    pad: 2
  }
  bottom: "data"
  top: "pad1"
}
layers {
  layer {
    name: "conv1"
    type: "conv"
    num_output: 10
    biasterm: false
    weight_filler {
      type: "gaussian"
      std: 0.01
    }
    bias_filler { type: "constant" }
    kernelsize: 7
    group: 2
    stride: 3
    blobs_lr: 1
    blobs_lr: 2
    weight_decay: 1
    weight_decay: 0
  }
  bottom: "pad1"
  top: "conv1"
}
layers {
  layer {
    name: "pool1"
    type: "pool"
    pool: AVE
    pad: 1
    kernelsize: 4
    stride: 5
  }
  bottom: "conv1"
  top: "pool1"
}
layers {
  layer { name: "norm1" type: "lrn" local_size: 3
    alpha: 0.1
    beta: 0.2
    k: 2 }
  bottom: "pool1"
  top: "norm1"
}
layers {
  layer {
    name: "drop1"
    type: "dropout"
    dropout_ratio: 0.4
  }
  bottom: "norm1"
  top: "norm1"
}
layers {
  layer { name: "cat" type: "concat" concat_dim: 0 }
  bottom: "norm1"
  bottom: "image"
  top: "cat"
}
layers {
  layer {
    name: "ip1"
    type: "innerproduct"
    num_output: 12
    biasterm: true
    weight_filler { type: "xavier" }
    bias_filler { value: 0.5 }
  }
  bottom: "cat"
  top: "ip1"
}
layers {
  layer {
    name: "windows"
    type: "window_data"
    source: "windows.txt"
    batchsize: 9
    det_fg_threshold: 0.6
    det_bg_threshold: 0.4
    det_fg_fraction: 0.3
    det_context_pad: 16
    det_crop_mode: "square"
  }
  top: "window"
}
layers {
  layer { name: "records" type: "data" source: "train_lmdb" batchsize: 7 rand_skip: 11 }
  top: "record"
}
layers {
  layer { name: "h5" type: "hdf5_data" source: "files.txt" batchsize: 13 }
  top: "h5"
}
layers {
  layer { name: "gain" type: "infogain_loss" source: "h.binaryproto" }
  bottom: "ip1"
  bottom: "label"
}
layers {
  layer { name: "out" type: "hdf5_output"
    hdf5_output_param { file_name: "out.h5" } }
  bottom: "ip1"
  bottom: "label"
}
"""

V0_TODAY = """
name: "v0"
force_backward: true
layer { name: "input" type: "Input" top: "image" input_param { shape { dim: 8 dim: 3 dim: 32 dim: 36 } } }
layer { name: "images" type: "ImageData" top: "data" top: "label"
  transform_param { scale: 0.5 mean_file: "mean.binaryproto" crop_size: 32 mirror: true }
  image_data_param { source: "list.txt" batch_size: 5 rand_skip: 6 shuffle: true new_height: 40 new_width: 41 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 10 bias_term: false pad: 2 kernel_size: 7 group: 2 stride: 3
    weight_filler { type: "gaussian" std: 0.01 } bias_filler { type: "constant" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: AVE pad: 1 kernel_size: 4 stride: 5 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 3 alpha: 0.1 beta: 0.2 k: 2 } }
layer { name: "drop1" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.4 } }
layer { name: "cat" type: "Concat" bottom: "norm1" bottom: "image" top: "cat" concat_param { concat_dim: 0 } }
layer { name: "ip1" type: "InnerProduct" bottom: "cat" top: "ip1" inner_product_param { num_output: 12
  bias_term: true weight_filler { type: "xavier" } bias_filler { value: 0.5 } } }
layer { name: "windows" type: "WindowData" top: "window" window_data_param { source: "windows.txt" batch_size: 9
  fg_threshold: 0.6 bg_threshold: 0.4 fg_fraction: 0.3 context_pad: 16 crop_mode: "square" } }
layer { name: "records" type: "Data" top: "record" data_param { source: "train_lmdb" batch_size: 7 rand_skip: 11 } }
layer { name: "h5" type: "HDF5Data" top: "h5" hdf5_data_param { source: "files.txt" batch_size: 13 } }
layer { name: "gain" type: "InfogainLoss" bottom: "ip1" bottom: "label"
  infogain_loss_param { source: "h.binaryproto" } }
layer { name: "out" type: "HDF5Output" bottom: "ip1" bottom: "label" hdf5_output_param { file_name: "out.h5" } }
"""


def test_v0():
    assert to_text(upgraded(V0).message) == to_text(net_of(V0_TODAY))


@pytest.mark.parametrize(
    ("layer", "path", "holds"),
    [
        ("input", ("top",), 'input: "image"'),
        ("input", ("input_param", "shape", 0, "dim", 3), "input_dim: 36"),
        ("images", (), "layers {"),
        ("images", ("type",), 'type: "images"'),
        ("images", ("transform_param", "mirror"), "mirror: true"),
        ("conv1", ("bottom",), 'bottom: "data"'),  # where the padding layer reads it
        ("conv1", ("convolution_param", "pad"), "pad: 2"),
        ("conv1", ("convolution_param", "weight_filler", "std"), "std: 0.01"),
        ("conv1", ("param", 1), "blobs_lr: 2"),
        ("conv1", ("param", 1, "decay_mult"), "weight_decay: 0"),
        ("pool1", ("pooling_param", "pool"), "pool: AVE"),
        ("windows", ("window_data_param", "crop_mode"), "det_crop_mode"),
        ("out", ("hdf5_output_param",), "hdf5_output_param"),
    ],
)
def test_v0_lines(layer, path, holds):
    new = upgraded(V0)
    index = [each.name for each in new.message.layer].index(layer)
    place = new.lines.place("layer", index, *path)
    assert place.file == FILE
    assert holds in V0.split("\n")[place.line - 1]


@pytest.mark.parametrize("old", sorted(V0_TYPES))
def test_v0_types(old):
    (layer,) = upgraded(f'layers {{ layer {{ name: "x" type: "{old}" }} }}').message.layer
    assert layer.type in V1_TYPES.values()
    assert layer.type.lower() in {old.replace("_", ""), *SPELLED_OUT.get(old, "").split()}


SPELLED_OUT = {"conv": "convolution", "pool": "pooling", "images": "imagedata", "softmax_loss": "softmaxwithloss"}


def test_v0_settings_that_mean_nothing_are_left_out_with_a_warning(caplog):
    text = 'layers {\n layer { name: "a" type: "relu"\n num_output: 5 }\n include { phase: TEST }\n top: "a" }'
    new = upgrade_net(parse(text, schema.NetParameter, "left_out.prototxt"))
    assert to_text(new.message) == to_text(net_of('layer { name: "a" type: "ReLU" top: "a" }'))
    assert caplog.messages == [
        "left_out.prototxt:4: beside the inner 'layer' of a V0 layer, include says nothing; it is left out",
        "left_out.prototxt:3: a V0 layer of type 'relu' has no num_output; it is left out",
        "left_out.prototxt: upgraded from an old form (V0 layers); `netcli upgrade` rewrites the file",
    ]


def test_every_v0_setting_has_a_place_or_is_named_here():
    placed = {name for _, names in PARAMETERS.values() for name in names}
    others = {field.name for field in schema.V0LayerParameter.DESCRIPTOR.fields} - placed
    own = {"name", "type", "blobs", "blobs_lr", "weight_decay", "hdf5_output_param"}
    transform = {"scale", "meanfile", "cropsize", "mirror"}
    assert others == own | transform | {"new_num", "new_channels"}  # of a reshape layer that Caffe never had


def test_padding_before_pooling_and_a_blob_that_is_written_again():
    text = """
    layers { layer { name: "d" type: "data" } top: "x" }
    layers { layer { name: "p" type: "padding" } bottom: "x" top: "x" }
    layers { layer { name: "a" type: "pool" pad: 3 } bottom: "x" top: "x" }
    layers { layer { name: "b" type: "relu" } bottom: "x" top: "x" }
    """
    document = parse(text, schema.NetParameter, FILE)
    net = upgrade_net(document).message
    assert [layer.name for layer in net.layer] == ["d", "a", "b"]
    assert net.layer[1].pooling_param.HasField("pad")
    assert net.layer[1].pooling_param.pad == 0  # the padding layer's, though it says none


# -- V1

# All types of Caffe's V1 layers, with the names that its upgrade gives them; then those of forks.
V1_TYPES = {
    "NONE": "", "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData", "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "EXP": "Exp", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN", "POOLING": "Pooling", "POWER": "Power",
    "RELU": "ReLU", "SIGMOID": "Sigmoid", "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence", "SLICE": "Slice", "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split", "TANH": "TanH", "THRESHOLD": "Threshold", "WINDOW_DATA": "WindowData",
    "BATCH_NORM": "BatchNorm", "BN": "BN", "CROP": "Crop", "DICE_LOSS": "DiceCoefLoss",
    "ELTWISE_AFFINE": "EltwiseAffine", "INSANITY": "Insanity", "LOCAL": "Local",
    "MULTI_STAGE_MEANFIELD": "MultiStageMeanfield", "NORMALIZE": "Normalize", "PARSE_EVALUATE": "ParseEvaluate",
    "PARSE_OUTPUT": "ParseOutput", "RELU6": "ReLU6", "ROIPOOLING": "ROIPooling", "SELU": "SeLu",
    "SELU_DROPOUT": "SeLuDropout", "TRIPLET_LOSS": "TripletLoss",
}  # fmt: skip


def test_v1_types():
    names = [value.name for value in schema.V1LayerParameter.DESCRIPTOR.fields_by_name["type"].enum_type.values]
    assert {name: layer_type(name) for name in names} == {name: V1_TYPES[name] for name in names}
    assert len([name for name in names if name in V1_TYPES]) >= 40


V1 = """
name: "v1"
layers {
  name: "data"
  type: DATA
  top: "data"
  data_param {
    source: "lmdb"
    batch_size: 64
    scale: 0.5
    mean_file: "mean.binaryproto"
    crop_size: 28
    mirror: true
  }
  transform_param {
    crop_size: 27
    force_gray: true
  }
  include {
    phase: TRAIN
  }
}
layers {
  name: "conv"
  type: CONVOLUTION
  bottom: "data"
  top: "conv"
  blobs_lr: 1
  blobs_lr: 2
  weight_decay: 3
  param: "w"
  param: "b"
  param: "c"
  blob_share_mode: STRICT
  blob_share_mode: PERMISSIVE
  convolution_param {
    num_output: 6
    kernel_size: 5
  }
  exclude { stage: "deploy" }
}
layers {
  name: "loss"
  type: SOFTMAX_LOSS
  bottom: "conv"
  loss_weight: 7
  loss_param { ignore_label: 8 }
}
"""

V1_TODAY = """
name: "v1"
layer { name: "data" type: "Data" top: "data" include { phase: TRAIN }
  transform_param { scale: 0.5 mean_file: "mean.binaryproto" crop_size: 28 mirror: true force_gray: true }
  data_param { source: "lmdb" batch_size: 64 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { name: "w" share_mode: STRICT lr_mult: 1 decay_mult: 3 }
  param { name: "b" share_mode: PERMISSIVE lr_mult: 2 }
  param { name: "c" }
  exclude { stage: "deploy" } convolution_param { num_output: 6 kernel_size: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" loss_weight: 7 loss_param { ignore_label: 8 } }
"""


def test_v1():
    assert to_text(upgraded(V1).message) == to_text(net_of(V1_TODAY))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((0,), "layers {"),
        ((0, "type"), "DATA"),
        ((0, "transform_param"), "transform_param"),
        ((0, "transform_param", "crop_size"), "crop_size: 28"),
        ((0, "transform_param", "force_gray"), "force_gray"),
        ((0, "include", 0, "phase"), "TRAIN"),
        ((1, "param", 0), 'param: "w"'),
        ((1, "param", 0, "decay_mult"), "weight_decay: 3"),
        ((1, "param", 1, "lr_mult"), "blobs_lr: 2"),
        ((1, "param", 1, "share_mode"), "PERMISSIVE"),
        ((1, "convolution_param", "kernel_size"), "kernel_size"),
        ((2, "loss_weight"), "loss_weight"),
    ],
)
def test_v1_lines(path, line):
    place = upgraded(V1).lines.place("layer", *path)
    assert line in V1.split("\n")[place.line - 1]


@pytest.mark.parametrize("name", ["IMAGE_DATA", "WINDOW_DATA"])
def test_transformations_of_other_data_layers(name):
    field = f"{name.lower()}_param"
    new = upgraded(f'layers {{ type: {name}\n {field} {{ mirror: true\n source: "x" }} }}').message.layer[0]
    assert new.transform_param.mirror
    assert getattr(new, field).source == "x"
    assert not getattr(new, field).HasField("mirror")


def test_transformations_of_today_stay_where_they_are():
    document = parse('layer { type: "Data" data_param { mirror: true } }', schema.NetParameter, FILE)
    assert upgrade_net(document) is document  # Caffe too upgrades them in V1 layers alone


def test_all_that_a_v1_layer_holds_has_a_field_today():
    today = schema.LayerParameter.DESCRIPTOR.fields_by_name
    for field in schema.V1LayerParameter.DESCRIPTOR.fields:
        if field.name not in ("type", "layer", *PARAMS):
            assert field.name in today
            assert field.message_type is today[field.name].message_type
            assert field.cpp_type == today[field.name].cpp_type
            assert field.is_repeated == today[field.name].is_repeated


@settings(max_examples=100, deadline=None)
@given(filled(schema.V1LayerParameter.DESCRIPTOR))
def test_no_v1_layer_loses_anything(layer):
    layer.ClearField("layer")
    net = schema.NetParameter()
    net.layers.add().CopyFrom(layer)
    text = to_text(net)
    new = upgrade_net(parse(text, schema.NetParameter, FILE))
    assert_lines_match(new)
    kept = {field.name for field, _ in layer.ListFields()} - {"type", *PARAMS}
    transform = {"data_param", "image_data_param", "window_data_param"}
    for name in kept - transform - {"transform_param"}:
        assert getattr(new.message.layer[0], name) == getattr(layer, name)
    for name, spec_name in PARAMS.items():
        values = list(getattr(layer, name))
        assert [getattr(spec, spec_name) for spec in new.message.layer[0].param][: len(values)] == values


def test_blobs_of_binary_nets_are_kept():
    net = schema.NetParameter(input=["data"])  # as old caffemodels have it, without a shape
    net.layers.add(name="v1", type=schema.V1LayerParameter.CONVOLUTION).blobs.add(data=[1.5, 2.5], num=2)
    net.layers.add().layer.CopyFrom(schema.V0LayerParameter(name="v0", type="innerproduct", num_output=3))
    net.layers[1].layer.blobs.add(data=[3.5])
    new = upgrade_net(Document(net)).message
    assert [(layer.name, layer.type) for layer in new.layer] == [("v1", "Convolution"), ("v0", "InnerProduct")]
    assert [list(layer.blobs[0].data) for layer in new.layer] == [[1.5, 2.5], [3.5]]
    assert new.layer[0].blobs[0].num == 2
    assert not new.input


# -- inputs


def test_inputs_with_shapes():
    text = """
    layer { name: "first" }
    input: "data" input_shape { dim: 1
      dim: 3 }
    input: "label"
    input_shape { dim: 1 }
    """
    new = upgraded(text)
    assert to_text(new.message) == to_text(
        net_of(
            'layer { name: "input" type: "Input" top: "data" top: "label" '
            "input_param { shape { dim: 1 dim: 3 } shape { dim: 1 } } } "
            'layer { name: "first" }'
        )
    )
    assert new.lines.place("layer", 0, "input_param", "shape", 0, "dim", 1).line == 4
    assert new.lines.place("layer", 0, "top", 1).line == 5
    assert new.lines.place("layer", 1).line == 2


def test_shapes_count_before_dims():
    net = upgraded('input: "x" input_dim: 9 input_shape { dim: 4 }').message
    assert [list(shape.dim) for shape in net.layer[0].input_param.shape] == [[4]]
    assert not net.input_dim


def test_more_shapes_than_inputs_are_told(caplog):
    net = upgraded('input: "x"\ninput_dim: [1, 2, 3, 4,\n5]').message
    assert [list(shape.dim) for shape in net.layer[0].input_param.shape] == [[1, 2, 3, 4]]
    assert caplog.messages[0] == f"{FILE}:3: input_dim is given 5 times where 4 count"


def test_an_input_without_a_shape_is_told(caplog):
    assert not upgraded('\ninput: "x" layer { name: "a" }').message.input
    assert caplog.messages[0] == f"{FILE}:2: input 'x' has no input_shape and is left out"


# -- BatchNorm


def test_batch_norm_with_three_rates():
    text = """
    layer { type: "BatchNorm" param { lr_mult: 1
      decay_mult: 1 name: "mean" } param { } param { lr_mult: 0 } }
    layer { type: "BatchNorm" param { lr_mult: 1 } }
    layer { type: "Scale" param { lr_mult: 1 } param {} param {} }
    """
    document = parse(text, schema.NetParameter, FILE)
    new = upgrade_net(document)
    assert_lines_match(new)
    rates = [[(param.lr_mult, param.decay_mult) for param in layer.param] for layer in new.message.layer]
    assert rates == [[(0, 0)] * 3, [(1, 1)], [(1, 1)] * 3]
    assert new.message.layer[0].param[0].name == "mean"
    assert new.lines.place("layer", 0, "param", 0, "decay_mult").line == 3
    assert new.lines.place("layer", 0, "param", 1, "decay_mult").line == 3
    assert document.message.layer[0].param[0].lr_mult == 1


# -- what is said


def test_a_file_is_told_of_once(tmp_path, caplog):
    path = tmp_path / "net.prototxt"
    path.write_text('input: "x" input_dim: [1, 2, 3, 4] layers { name: "a" type: RELU bottom: "x" top: "y" }')
    read_net(str(path))
    read_net(str(path))
    assert caplog.messages == [
        f"{path}: upgraded from an old form (V1 layers, inputs beside the layers); `netcli upgrade` rewrites the file"
    ]


def test_nothing_is_said_of_todays_form(caplog):
    document = parse('layer { name: "a" type: "ReLU" }', schema.NetParameter, FILE)
    assert upgrade_net(document) is document
    assert not caplog.messages


def test_layers_of_both_forms_in_a_binary_net_are_refused_too():
    net = schema.NetParameter()
    net.layer.add(name="a")
    net.layers.add(name="b")
    with pytest.raises(PrototxtError, match=r"^has 'layers', the old form, beside 'layer'; write"):
        upgrade_net(Document(net))
