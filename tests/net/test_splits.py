from net.nets import document, layer, refusal
from netcli.net.splits import insert_splits


def layers(text):
    """(name, bottoms, tops, loss weights) of each layer once the splits are in."""
    return [
        (m.name, list(m.bottom), list(m.top), list(m.loss_weight)) for m in insert_splits(document(text)).message.layer
    ]


def test_one_reader_needs_no_split():
    text = layer("Input", "data") + layer("Power", "a", "data")
    assert [name for name, *_ in layers(text)] == ["data", "a"]


def test_names_are_caffes():
    text = layer("Input", "in", tops="data label") + layer("Power", "a", "label") + layer("Power", "b", "label")
    assert layers(text)[1:] == [
        ("label_in_1_split", ["label"], ["label_in_1_split_0", "label_in_1_split_1"], []),
        ("a", ["label_in_1_split_0"], ["a"], []),
        ("b", ["label_in_1_split_1"], ["b"], []),
    ]


def test_a_layer_may_read_a_blob_twice():
    text = layer("Input", "a") + layer("Eltwise", "sum", "a a")
    assert layers(text)[-1][1] == ["a_a_0_split_0", "a_a_0_split_1"]


def test_the_split_follows_the_last_layer_that_writes_in_place():
    text = layer("Input", "a") + layer("ReLU", "r", "a", "a") + layer("Power", "b", "a") + layer("Power", "c", "a")
    assert [(name, bottoms) for name, bottoms, *_ in layers(text)] == [
        ("a", []),
        ("r", ["a"]),
        ("a_r_0_split", ["a"]),
        ("b", ["a_r_0_split_0"]),
        ("c", ["a_r_0_split_1"]),
    ]


def test_a_loss_weight_is_a_reader_and_goes_along():
    text = (
        layer("Input", "a")
        + layer("Slice", "s", "a", "x y", "loss_weight: 2 loss_weight: 3")
        + layer("Power", "b", "x")
    )
    assert layers(text)[1:] == [
        ("s", ["a"], ["x", "y"], [0, 3]),
        ("x_s_0_split", ["x"], ["x_s_0_split_0", "x_s_0_split_1"], [2, 0]),
        ("b", ["x_s_0_split_1"], ["b"], []),
    ]


def test_an_unknown_bottom():
    text = layer("Input", "conv5") + layer("Power", "b", "conv6")
    assert refusal(text) == ("layer 'b' (Power): no layer before it makes its bottom 'conv6'; did you mean 'conv5'?")
    assert (
        refusal(layer("Power", "b", "elephant")) == "layer 'b' (Power): no layer before it makes its bottom 'elephant'"
    )


def test_a_bottom_made_later():
    text = layer("Power", "b", "a") + layer("Input", "in", tops="a")
    assert refusal(text) == (
        "layer 'b' (Power): no layer before it makes its bottom 'a'; layer 'in', which makes it, comes later"
    )
