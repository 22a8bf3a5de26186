from net.nets import data, layer, net, refusal


def test_inputs_and_outputs():
    made = net(
        layer("Input", "in", tops="b a", rest="input_param { shape { dim: 2 } }") + layer("Power", "Z", "a", "Z")
    )
    assert made.inputs == ["b", "a"]
    assert made.outputs == ["Z", "b"]  # by bytes, as Caffe's set has them


def test_in_place_blobs_are_one():
    made = net(data("x", 2, 3) + layer("ELU", "e", "x", "x"))
    assert made.bottoms[1][0] is made.tops[1][0] is made.tops[0][0]


def test_a_layer_that_cant_write_over_its_bottom_gets_a_top_of_its_own():
    made = net(data("x", 2, 3, 4) + layer("Flatten", "f", "x", "x"))
    assert made.blobs["x"] is made.tops[1][0]
    assert [b.shape for b in (made.bottoms[1][0], made.tops[1][0])] == [(2, 3, 4), (2, 12)]


def test_a_loss_without_a_top_gets_one():
    made = net(data("x", 2, 3) + data("y", 2, 3) + layer("EuclideanLoss", "loss", "x y", ""))
    assert made.outputs == []
    assert made.top_names[-1] == ["(automatic)"]
    assert made.loss_weights == {"(automatic)": 1}
    assert made.forward() > 0


def test_two_makers_of_one_top():
    assert refusal(data("x", 2) + data("x", 2)) == ("layer 'x' (DummyData): makes 'x', which layer 'x' makes already")
    assert refusal(layer("Input", "in", tops="x x")) == "layer 'in' (Input): makes 'x' twice"


def test_in_place_where_another_reads():
    text = data("x", 2) + layer("Power", "p", "x") + layer("ELU", "e", "x", "x")
    assert refusal(text) == (
        "layer 'e' (ELU): can't write over 'x', since another layer reads it as well; give this top a name of its own"
    )


def test_counts():
    assert refusal(data("x", 2) + layer("ELU", "e", "x", "a b")) == "layer 'e' (ELU): takes 1 top, got 2"
    assert refusal(data("x", 2) + layer("ELU", "e", "x", rest="loss_weight: 1 loss_weight: 2")) == (
        "layer 'e' (ELU): gives loss_weight 2 times for 1 top; give it once for each, or not at all"
    )
    assert refusal(data("x", 2) + layer("ELU", "e", "x", rest="propagate_down: true propagate_down: true")) == (
        "layer 'e' (ELU): gives propagate_down 2 times for 1 bottom; give it once for each, or not at all"
    )


def test_a_layer_without_a_type():
    assert refusal(data("x", 2) + 'layer { name: "e" bottom: "x" top: "y" }') == (
        "layer 'e': has no type; it needs one, such as type: \"Convolution\""
    )


def test_an_unknown_type():
    assert refusal(data("x", 2) + layer("Elu", "e", "x")) == (
        "layer 'e' (Elu): there is no layer type 'Elu'; did you mean 'ELU'?"
    )
