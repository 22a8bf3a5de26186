import copy
import pickle

import pytest
from google.protobuf import text_format

from netcli.prototxt import read_net, schema
from netcli.pycaffe.proto import caffe_pb2


def test_a_message_class_exists_once(tmp_path):
    for name in schema.message_names():
        assert getattr(caffe_pb2, name) is getattr(schema, name)
    (tmp_path / "net.prototxt").write_text('layer { name: "a" type: "ReLU" }')
    assert type(read_net(str(tmp_path / "net.prototxt")).message) is caffe_pb2.NetParameter
    assert type(caffe_pb2.NetParameter().layer.add()) is caffe_pb2.LayerParameter


def test_phase_and_its_values():
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1)
    assert caffe_pb2.Phase.Name(1) == "TEST"
    assert caffe_pb2.Phase.Value("TRAIN") == 0
    assert caffe_pb2.Phase.items() == [("TRAIN", 0), ("TEST", 1)]
    assert caffe_pb2.Phase.TEST == 1


def test_enums_and_messages_inside_of_messages():
    assert caffe_pb2.PoolingParameter.MAX == 0
    assert caffe_pb2.PoolingParameter.PoolMethod.Name(2) == "STOCHASTIC"
    assert caffe_pb2.V1LayerParameter.LayerType.Name(caffe_pb2.V1LayerParameter.CONVOLUTION) == "CONVOLUTION"
    assert caffe_pb2.SolverParameter.SolverMode.Value("GPU") == caffe_pb2.SolverParameter.GPU
    assert caffe_pb2.DetectNetGroundTruthParameter.ClassMapping(src=1).src == 1


def test_descriptors():
    file = caffe_pb2.DESCRIPTOR
    assert file.package == "caffe"
    assert file.message_types_by_name["Datum"] is caffe_pb2.Datum.DESCRIPTOR
    assert caffe_pb2._NETPARAMETER is caffe_pb2.NetParameter.DESCRIPTOR
    assert caffe_pb2._PHASE is file.enum_types_by_name["Phase"]
    assert caffe_pb2._V1LAYERPARAMETER_LAYERTYPE.values_by_name["RELU"].number == caffe_pb2.V1LayerParameter.RELU


def test_all_names_can_be_imported_and_listed():
    names = {}
    exec("from netcli.pycaffe.proto.caffe_pb2 import *", names)
    assert names["NetParameter"] is caffe_pb2.NetParameter
    assert {"DESCRIPTOR", "Phase", "TEST"} < names.keys()
    assert {"NetParameter", "Phase", "TRAIN", "_DATUM"} < set(dir(caffe_pb2))
    assert "Iterator" not in names


def test_messages_are_read_written_and_copied():
    net = text_format.Merge('name: "n" layer { name: "a" pooling_param { pool: AVE } }', caffe_pb2.NetParameter())
    assert text_format.Parse(text_format.MessageToString(net), caffe_pb2.NetParameter()) == net
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net
    other = caffe_pb2.NetParameter()
    other.CopyFrom(net)
    other.layer[0].pooling_param.pool = caffe_pb2.PoolingParameter.MAX
    assert net.layer[0].pooling_param.pool == caffe_pb2.PoolingParameter.AVE
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin == net
        assert twin is not net
        assert type(twin) is caffe_pb2.NetParameter
    layer = pickle.loads(pickle.dumps(net.layer[0]))
    assert type(layer) is caffe_pb2.LayerParameter


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError) as caught:
        _ = caffe_pb2.NetParam
    assert str(caught.value) == "caffe_pb2 has no message or enum 'NetParam'; did you mean 'NetParameter'?"
    assert not hasattr(caffe_pb2, "LayerConnection")
