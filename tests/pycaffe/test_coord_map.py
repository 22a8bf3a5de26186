"""Maps of coordinates, against where the middle of each window lies."""

import numpy as np
import pytest

from netcli.net import Net
from netcli.prototxt import Document, Lines
from netcli.pycaffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    conv_params,
    coord_map,
    coord_map_from_to,
    crop,
    crop_params,
    inverse,
)
from netcli.pycaffe.net_spec import NetSpec, layers, params

L = layers


def source():
    return L.Input(shape={"dim": [1, 3, 40, 40]})


def middle(j, kernel, stride=1, pad=0, dilation=1):
    """Where the middle of a convolution's window j lies in its bottom."""
    taps = [j * stride - pad + k * dilation for k in range(kernel)]
    return sum(taps) / len(taps)


WINDOWS = [
    {"kernel_size": 3},
    {"kernel_size": 4, "stride": 2},
    {"kernel_size": 5, "stride": 3, "pad": 2},
    {"kernel_size": 3, "dilation": 4, "pad": 1},
]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_convolution_maps_to_the_middle_of_its_windows(window):
    data = source()
    axis, scale, shift = coord_map_from_to(L.Convolution(data, num_output=1, **window), data)
    assert axis == 1
    for j in range(5):
        wanted = middle(
            j, window["kernel_size"], window.get("stride", 1), window.get("pad", 0), window.get("dilation", 1)
        )
        assert scale * j + shift == pytest.approx(wanted)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_deconvolution_is_the_inverse(window):
    data = source()
    there = coord_map_from_to(L.Convolution(data, num_output=1, **window), data)
    back = coord_map_from_to(data, L.Deconvolution(data, num_output=1, **window))
    assert [np.allclose(a, b) for a, b in zip(there, back, strict=True)] == [True, True, True]


def test_a_chain_is_mapped_as_its_parts():
    data = source()
    conv = L.Convolution(data, num_output=1, kernel_size=5, stride=2, pad=1)
    pool = L.Pooling(L.ReLU(conv), pool=params.Pooling.MAX, kernel_size=2, stride=2)
    _, scale, shift = coord_map_from_to(pool, data)
    for j in range(4):
        assert scale * j + shift == middle(0, 5, pad=1) + 2 * middle(j, 2, 2)
    assert coord_map_from_to(pool, pool) == (None, 1, 0)


def test_settings_may_stand_in_their_own_message():
    data = source()
    beside = L.Convolution(data, num_output=1, kernel_size=3, pad=1)
    within = L.Convolution(data, convolution_param={"num_output": 1, "kernel_size": 3, "pad": 1})
    assert coord_map(beside.fn) == coord_map(within.fn)
    pool = L.Pooling(data, pooling_param={"kernel_size": 2, "stride": 2})
    assert coord_map(pool.fn) == (1, 0.5, -0.25)


def test_each_axis_has_its_own_map():
    data = source()
    _, scale, shift = coord_map_from_to(L.Convolution(data, num_output=1, kernel_size=(3, 5), stride=(1, 2)), data)
    assert (scale.tolist(), shift.tolist()) == ([1, 2], [1, 2])


def test_a_crop_shifts_by_its_offset_and_its_second_bottom_is_no_way():
    data, other = source(), source()
    cropped = L.Crop(data, other, axis=2, offset=(3, 5))
    axis, scale, shift = coord_map_from_to(cropped, data)
    assert (axis, scale, shift.tolist()) == (1, 1, [3, 5])
    assert crop_params(cropped.fn)[0] == 2
    with pytest.raises(RuntimeError):
        coord_map_from_to(cropped, other)


def test_compose_and_inverse():
    first, second = (1, 2, 3), (None, 5, 7)
    assert compose(first, second) == (1, 10, 17)
    assert compose(second, first) == (1, 10, 22)
    assert compose(inverse(first), first) == (1, 1, 0)
    with pytest.raises(AxisMismatchException, match="axis 1 in one map, after 2 in the other"):
        compose((1, 1, 0), (2, 1, 0))


def fcn(pad):
    """A net that scores each pixel: two halvings, a deconvolution by four, and the crop to the image."""
    n = NetSpec()
    n.data = source()
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=2, pad=pad)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, kernel_size=2, stride=2)
    n.conv2 = L.Convolution(n.pool1, kernel_size=3, num_output=2, pad=1)
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2)
    n.score = L.Convolution(n.pool2, kernel_size=1, num_output=2)
    n.up = L.Deconvolution(
        n.score, convolution_param={"num_output": 2, "kernel_size": 8, "stride": 4, "bias_term": False}
    )
    n.final = crop(n.up, n.data)
    return n


def test_crop_lays_the_scores_over_the_image():
    n = fcn(pad=9)
    layer = n.to_proto().layer[-1]
    assert (layer.type, list(layer.bottom), layer.crop_param.axis) == ("Crop", ["up", "data"], 2)
    # up is shifted by 2 against pool2, times 4; conv1 has put 8 more pixels before the image than its window needs
    assert list(layer.crop_param.offset) == [2 + 8]
    net = Net(Document(n.to_proto(), Lines()), 1)
    assert net.blobs["final"].shape[2:] == (40, 40)
    net.close()


def test_blobs_that_lie_over_each_other_are_cropped_at_0():
    data = source()
    assert crop(L.ReLU(data), data).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


def test_a_net_of_many_ways_is_mapped_at_once():
    top = data = source()
    for _ in range(100):  # 2**100 ways
        top = L.Eltwise(L.ReLU(top), L.Sigmoid(top))
    assert coord_map_from_to(top, data) == (None, 1, 0)


@pytest.mark.parametrize(
    ("top", "fault"),
    [
        (lambda data: L.Pooling(data, kernel_size=2, stride=2), r"scale: it is \[2.0\]"),
        (lambda data: L.Convolution(data, num_output=1, kernel_size=4), r"negative offset: it is \[-1.5\]"),
        (
            lambda data: L.Convolution(data, num_output=1, kernel_size=2, pad=2),
            r"parts of a pixel: the offset is \[1.5\]",
        ),
        (lambda data: L.Pooling(data, kernel_h=3, kernel_w=2), "no kernel_h, kernel_w of Pooling; write kernel_size"),
    ],
)
def test_what_can_not_be_cropped(top, fault):
    data = source()
    with pytest.raises(AssertionError, match=fault):
        crop(top(data), data)


def test_tops_that_no_map_connects():
    data = source()
    for top in (L.InnerProduct(data, num_output=2), L.Pooling(data, global_pooling=True), source()):
        with pytest.raises(RuntimeError, match="made from no blob in common"):
            coord_map_from_to(top, data)
    with pytest.raises(UndefinedMapException, match="Softmax has no map"):
        coord_map(L.Softmax(data).fn)
    with pytest.raises(UndefinedMapException, match="without kernel_size"):
        conv_params(L.Pooling(data, global_pooling=True).fn)
