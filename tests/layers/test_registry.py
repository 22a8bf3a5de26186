import pytest

from netcli.errors import NetcliError
from netcli.layers.base import Layer
from netcli.layers.registry import layer_class, layer_types

# REGISTER_LAYER_CLASS and REGISTER_LAYER_CREATOR in BVLC Caffe.
CAFFE = """
    AbsVal Accuracy ArgMax BatchNorm BatchReindex Bias BNLL Clip Concat ContrastiveLoss Convolution Crop Data
    Deconvolution Dropout DummyData Eltwise ELU Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output
    HingeLoss Im2col ImageData InfogainLoss InnerProduct Input Log LRN LSTM LSTMUnit MemoryData
    MultinomialLogisticLoss MVN Parameter Pooling Power PReLU Python Reduction ReLU Reshape RNN Scale Sigmoid
    SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split SPP Swish TanH Threshold Tile WindowData
    """


def test_all_of_caffes_layers_are_there():
    assert len(CAFFE.split()) == 61
    assert set(CAFFE.split()) <= layer_types().keys()


def test_each_type_is_a_final_class_of_its_own():
    types = layer_types()
    assert len(set(types.values())) == len(types)
    for name, cls in types.items():
        assert cls.type == name
        assert layer_class(name) is cls
        assert issubclass(cls, Layer)
        assert not any(cls in other.__mro__[1:] for other in types.values()), f"{name} is inherited from"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Convolutoin", "there is no layer type 'Convolutoin'; did you mean 'Convolution'?"),
        ("ROIPooling", "layer type 'ROIPooling' is Fast R-CNN's, which netcli does not have yet"),
        ("PSROIPooling", "layer type 'PSROIPooling' is R-FCN's, which netcli does not have yet"),
        ("Upsample", "layer type 'Upsample' is from SegNet or MobileNet-YOLO, which netcli does not have yet"),
        ("zzz", "there is no layer type 'zzz'"),
        ("", 'has no type; it needs one, such as type: "Convolution"'),
    ],
)
def test_a_type_that_is_not_there(name, message):
    with pytest.raises(NetcliError) as caught:
        layer_class(name)
    assert str(caught.value) == message
    assert caught.value.field == "type"
