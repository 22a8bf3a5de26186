"""Layers that do the work of the next one: which do, and that nobody can tell by the numbers."""

import numpy as np
import pytest

from arrays.onednn_arrays import needs_onednn
from net.nets import TEST, TRAIN, data, layer, net
from netcli.arrays.onednn.program import Program
from netcli.arrays.ops import Ops
from netcli.snapshots.content import LayerWeights, Weights

IMAGES = (3, 4, 6, 5)
CONV = "convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } }"
IP = "inner_product_param { num_output: 7 weight_filler { type: 'xavier' } }"
BIAS = "scale_param { bias_term: true filler { type: 'gaussian' mean: 1 std: 0.2 } bias_filler { value: 0.1 } }"
START = data("x", *IMAGES) + data("t", 3, 8, 6, 5) + layer("Convolution", "c", "x", rest=CONV)
BN = layer("BatchNorm", "bn", "c", "c", "batch_norm_param { eps: 0.001 }")
SCALE = layer("Scale", "scale", "c", "c", BIAS)
RELU = layer("ReLU", "relu", "c", "c")
END = layer("Convolution", "d", "c", rest=CONV) + layer("EuclideanLoss", "loss", "d t")

engines = pytest.mark.parametrize("engine", ["plain", "auto"])


def done_by(made):
    """{name: name of the layer that does its forward}, of those that another does."""
    names = made.layer_names
    return {name: names[by] for name, by in zip(names, made.done_by, strict=True) if names[by] != name}


def numbers(made, passes=3):
    """The loss of each pass, the gradients of all parameters, and the running statistics."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(passes):
        for blob in (made.blobs["x"], made.blobs["t"]):
            blob.data[...] = rng.standard_normal(blob.shape)
        if made._storage.arena is not None:
            made._storage.arena.view(np.float32).fill(np.nan)
        made.clear_diffs()
        found.append(made.forward())
        if made.gradients:
            made.backward()
    found += [p.blob.diff.copy() for p in made.learnable if made.gradients]
    found += [blob.data.copy() for blob in made.layers[made.layer_names.index("bn")].blobs]
    return found


def same(text, phase, engine, joined):
    """A net joined, and the same with each layer alone."""
    made = net(text, phase, ops=Ops(engine), seed=4)
    alone = net(text, phase, ops=Ops(engine), seed=4, keep_blobs=True)
    assert done_by(made) == joined
    assert done_by(alone) == {}
    for a, b in zip(numbers(made), numbers(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@engines
@pytest.mark.parametrize(
    ("middle", "joined"),
    [
        (BN, {}),
        (BN + SCALE, {"scale": "bn"}),
        (BN + SCALE + RELU, {"scale": "bn", "relu": "bn"}),
        (BN + RELU, {"relu": "bn"}),
        (BN + SCALE.replace("bias_term: true", ""), {"scale": "bn"}),
        (BN + SCALE + layer("ReLU", "relu", "c", "c", "relu_param { negative_slope: 0.1 }"), {"scale": "bn"}),
        (BN + SCALE + RELU + layer("Dropout", "drop", "c", "c"), {"scale": "bn", "relu": "bn"}),
        # ReLU's backward reads what ELU has written over it, as in Caffe
        (BN + RELU + layer("PReLU", "prelu", "c", "c"), {}),
        # one factor for each pixel
        (BN + SCALE.replace("{ bias_term", "{ axis: 1 num_axes: 3 bias_term"), {}),
    ],
    ids=["bn", "scale", "relu", "bn relu", "no shift", "leaky", "dropout", "written over", "other axes"],
)
def test_training_gives_the_same_numbers(engine, middle, joined):
    same(START + middle + END, TRAIN, engine, joined)


@engines
def test_blobs_of_their_own_are_joined_as_well(engine):
    middle = (
        layer("BatchNorm", "bn", "c") + layer("Scale", "scale", "bn", rest=BIAS) + layer("ReLU", "relu", "scale", "r")
    )
    text = START + middle + END.replace("bottom: 'c'", "bottom: 'r'")
    same(text, TRAIN, engine, {"scale": "bn", "relu": "bn"})
    made = net(text, TRAIN, ops=Ops(engine), seed=4, keep_blobs=["scale"])
    assert done_by(made) == {"scale": "bn"}
    assert made.blobs["scale"].shape == made.blobs["r"].shape
    made.forward()
    assert made.blobs["scale"].data.min() < 0


@engines
def test_a_frozen_part_is_not_mixed_with_one_that_learns(engine):
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    start = START.replace(CONV, f"{CONV} {frozen}")
    same(
        start + BN + SCALE.replace(BIAS, f"{BIAS} {frozen}") + RELU + END, TRAIN, engine, {"scale": "bn", "relu": "bn"}
    )
    same(start + BN + SCALE + RELU + END, TRAIN, engine, {})


@engines
def test_tests_give_the_same_numbers(engine):
    same(START + BN + SCALE + RELU + END, TEST, engine, {"bn": "c", "scale": "c", "relu": "c"})
    same(START + SCALE + BN + END, TEST, engine, {"bn": "c", "scale": "c"})
    same(START + RELU + BN + SCALE + END, TEST, engine, {"relu": "c", "scale": "bn"})
    by_batch = BN.replace("{ eps", "{ use_global_stats: false eps")
    same(START + by_batch + SCALE + RELU + END, TEST, engine, {"scale": "bn", "relu": "bn"})


def test_the_blobs_between_take_no_memory():
    one = np.prod((3, 8, 6, 5)) * 4
    joined = net(START + BN + SCALE + RELU + END, TRAIN)
    alone = net(START + BN + SCALE + RELU + END, TRAIN)
    alone.part()
    assert joined.memory.activations == alone.memory.activations - one  # what Scale would keep of its bottom


def test_joined_and_parted_again_it_goes_on_with_the_same_numbers():
    text = START + BN + SCALE + RELU + END
    whole, changing = (net(text, TRAIN, seed=4, keep_blobs=True) for _ in range(2))
    for step in range(4):
        (changing.join, changing.part)[step % 2]()
        assert (done_by(changing) == {}) == bool(step % 2)
        for made in (whole, changing):
            for blob in (made.blobs["x"], made.blobs["t"]):
                blob.data[...] = np.random.default_rng(step).standard_normal(blob.shape)
            made.clear_diffs()
            made.forward()
            made.backward()
        for a, b in zip(whole.learnable, changing.learnable, strict=True):
            np.testing.assert_allclose(a.blob.diff, b.blob.diff, rtol=1e-4, atol=1e-5)
        # in place, so what a program finds is the same too
        np.testing.assert_allclose(whole.blobs["c"].data, changing.blobs["c"].data, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(whole.blobs["c"].diff, changing.blobs["c"].diff, rtol=1e-4, atol=1e-5)


@engines
def test_a_joined_net_follows_other_shapes(engine):
    text = "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 4 dim: 6 dim: 5 } } }"
    text += layer("Convolution", "c", "x", rest=CONV) + BN + SCALE + RELU
    made, alone = (net(text, TRAIN, ops=Ops(engine), seed=4, keep_blobs=keep) for keep in (["c"], True))
    for shape in ((2, 4, 6, 5), (1, 4, 9, 9), (3, 4, 3, 3)):
        for each in (made, alone):
            each.blobs["x"].reshape(shape)
            each.reshape()
            each.blobs["x"].data[...] = np.random.default_rng(1).standard_normal(shape)
            each.forward()
        np.testing.assert_allclose(made.blobs["c"].data, alone.blobs["c"].data, rtol=1e-4, atol=1e-5)


@engines
@pytest.mark.parametrize("slope", ["", "relu_param { negative_slope: 0.1 }"])
def test_convolutions_and_inner_products_take_the_forward_of_a_relu(engine, slope):
    text = START + layer("ReLU", "relu", "c", "c", slope) + layer("InnerProduct", "ip", "c", rest=IP)
    text += layer("ReLU", "relu2", "ip", "ip", slope) + layer("BatchNorm", "bn", "ip")
    text += layer("InnerProduct", "e", "bn", rest=IP) + layer("Reduction", "loss", "e", rest="loss_weight: 1")
    same(text, TRAIN, engine, {"relu": "c", "relu2": "ip"})
    same(text, TEST, engine, {"relu": "c", "relu2": "ip"})
    apart = text.replace("bottom: 'ip' top: 'ip'", "bottom: 'ip' top: 'r'").replace("bottom: 'ip'", "bottom: 'r'")
    apart = apart.replace("bottom: 'r' top: 'r'", "bottom: 'ip' top: 'r'")
    same(apart, TRAIN, engine, {"relu": "c"})  # whose backward would look for the blob between
    same(apart, TEST, engine, {"relu": "c", "relu2": "ip"})


@engines
def test_a_net_gone_astray_shows_it(engine):
    made = net(START + layer("ReLU", "relu", "c", "c") + layer("EuclideanLoss", "loss", "c t"), TRAIN, ops=Ops(engine))
    assert done_by(made) == {"relu": "c"}
    made.params["c"][0].data[0, 0, 0, 0] = np.nan
    assert np.isnan(made.forward())


SUM = layer("Eltwise", "sum", "c d", rest="eltwise_param { coeff: 1 coeff: %s }")


@engines
@pytest.mark.parametrize("coefficient", ["1", "-2"])
@pytest.mark.parametrize("below", ["", layer("ReLU", "below", "d", "d"), layer("TanH", "below", "c", "c")])
def test_a_sum_hands_its_gradient_on_where_nobody_writes_over_it(engine, coefficient, below):
    text = START + BN + SCALE + RELU + layer("Convolution", "d", "x", rest=CONV) + below + SUM % coefficient
    text += layer("ReLU", "relu2", "sum", "sum") + layer("EuclideanLoss", "loss", "sum t")
    made = net(text, TRAIN, ops=Ops(engine), seed=4)
    alone = net(text, TRAIN, ops=Ops(engine), seed=4, keep_blobs=True)
    for a, b in zip(numbers(made), numbers(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    top = made.blobs["sum"].diff_buffer
    passed = {name for name in "cd" if made.blobs[name].diff_buffer is top}
    in_place = {"TanH": "c", "ReLU": "d"}.get(below and below.split("type: '")[1].split("'")[0], "")
    assert passed == {"c", "d"} - {in_place} - ({"d"} if coefficient != "1" else set())


@engines
def test_a_sum_of_two_takes_the_forward_of_a_relu(engine):
    text = START + BN + layer("Convolution", "d", "x", rest=CONV) + SUM % "1" + layer("ReLU", "relu2", "sum", "sum")
    text += layer("EuclideanLoss", "loss", "sum t")
    same(text, TRAIN, engine, {"relu2": "sum"})
    same(text.replace("coeff: 1 }", "coeff: 2 }"), TRAIN, engine, {})
    product = text.replace("coeff: 1 coeff: 1", "operation: PROD")
    same(product, TRAIN, engine, {})


def test_what_is_folded_follows_its_parameters():
    text = START + BN + SCALE + RELU + END
    made, alone = (net(text, TEST, ops=Ops(), seed=4, keep_blobs=keep) for keep in (False, True))
    for _ in range(2):
        for each in (made, alone):
            for blobs in each.params.values():
                for blob in blobs:
                    blob.data[...] = np.random.default_rng(blob.count).uniform(0.5, 1.5, blob.shape)
                    blob.data[...] *= int(each.context.passes) + 1
        np.testing.assert_allclose(numbers(made, 1)[0], numbers(alone, 1)[0], rtol=1e-4)


@needs_onednn
def test_a_folded_net_looks_at_its_arrays_once(monkeypatch):
    made = net(START + BN + SCALE + RELU + END, TEST, ops=Ops())
    assert done_by(made)["bn"] == "c"
    made.forward()
    bound = []
    bind = Program._bind
    monkeypatch.setattr(Program, "_bind", lambda program, arrays: (bound.append(program), bind(program, arrays)))
    made.forward()
    assert bound == []


@engines
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("bias", ["", "bias_term: false "])
def test_parameters_that_stay_are_made_ready_once(engine, constant, bias):
    text = START.replace("num_output", f"{bias}num_output") + BN + SCALE + RELU + END
    made = net(text, TEST, ops=Ops(engine), seed=4, constant=constant)
    alone = net(text, TEST, ops=Ops(engine), seed=4, keep_blobs=True)
    for scale in (1, 2):
        for each in (made, alone):
            for blobs in each.params.values():
                for blob in blobs:
                    blob.data[...] = scale * np.random.default_rng(blob.count).uniform(0.5, 1.5, blob.shape)
            each.parameters_changed()
        np.testing.assert_allclose(numbers(made)[:3], numbers(alone)[:3], rtol=1e-4)
    for name in ("c", "scale", "bn"):
        made.params[name][0].data[...] *= 2
    assert (numbers(made, 1)[0] == pytest.approx(numbers(alone, 1)[0], rel=1e-4)) == constant


@engines
def test_weights_that_are_loaded_are_those_of_the_next_pass(engine):
    made, other = (net(START + BN + END, TEST, ops=Ops(engine), seed=4, constant=True) for _ in range(2))
    other.params["c"][0].data[...] *= 2
    assert numbers(made, 1)[0] != numbers(other, 1)[0]
    layers = [LayerWeights(name, "", [blob.data for blob in blobs]) for name, blobs in other.params.items()]
    assert made.load(Weights("", layers=layers)) == []
    assert numbers(made, 1)[0] == numbers(other, 1)[0]


@engines
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("shared", ["", "prelu_param { channel_shared: true }"])
def test_in_tests_convolutions_take_slopes_and_sums(engine, constant, shared):
    second = layer("Convolution", "d", "x", rest=CONV)
    end = layer("EuclideanLoss", "loss", "%s t")
    prelu = layer("PReLU", "prelu", "d", "d", shared)

    def check(text, joined):
        made = net(text, TEST, ops=Ops(engine), seed=4, constant=constant)
        assert done_by(made) == joined
        same(text, TEST, engine, joined)

    check(START + BN + second + prelu + SUM % "1" + end % "sum", {"bn": "c", "prelu": "d"})
    last = layer("BatchNorm", "bn", "d", "d") + SUM % "1" + layer("ReLU", "relu", "sum", "sum")
    check(START + second + last + end % "sum", {"bn": "d", "sum": "d", "relu": "d"})
    # the first of the two would want what is not there yet
    check(START + second + layer("TanH", "tanh", "d", "d") + BN + SUM % "1" + end % "sum", {"bn": "c"})
    check(START + BN + second + SUM % "2" + end % "sum", {"bn": "c"})
    after = SUM % "1" + prelu.replace("'d'", "'sum'")
    check(START + BN + second + after + end % "sum", {"bn": "c", "sum": "d", "prelu": "d"})
    check(START + BN + second + SUM % "1" + SCALE.replace("'c'", "'sum'") + end % "sum", {"bn": "c", "sum": "d"})
    # what a sum reads twice
    check(START + BN + layer("Eltwise", "sum", "c c") + end % "sum", {"bn": "c"})


@needs_onednn
def test_a_sum_that_somebody_looks_at_is_there():
    text = START + layer("Convolution", "d", "x", rest=CONV) + layer("BatchNorm", "bn", "d", "d") + SUM % "1"
    text += layer("ReLU", "relu", "sum") + layer("EuclideanLoss", "loss", "relu t")
    assert done_by(net(text, TEST, ops=Ops())) == {"bn": "d", "sum": "d", "relu": "d"}
    made, alone = (net(text, TEST, ops=Ops(), seed=4, keep_blobs=keep) for keep in (["sum", "c"], True))
    assert done_by(made) == {"bn": "d", "sum": "d"}
    for each in (made, alone):
        each.blobs["x"].data[...] = np.random.default_rng(1).standard_normal(IMAGES)
        each.forward()
    for name in ("sum", "c"):
        np.testing.assert_allclose(made.blobs[name].data, alone.blobs[name].data, rtol=1e-4, atol=1e-5)
