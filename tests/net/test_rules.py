import pytest

from net.nets import TEST, TRAIN, data, document, net, refusal
from netcli.net.rules import net_state, select_layers


def names(rules, state="", phase=TRAIN, level=None, stages=()):
    """The layers that stay of one with these rules."""
    text = f"{state} layer {{ name: 'x' type: 'DummyData' top: 'x' {rules} }}"
    net = document(text)
    return [layer.name for layer in select_layers(net, net_state(net.message, phase, level, stages)).message.layer]


@pytest.mark.parametrize(
    ("rules", "options", "stays"),
    [
        ("", {}, True),
        ("include { phase: TRAIN }", {"phase": TRAIN}, True),
        ("include { phase: TRAIN }", {"phase": TEST}, False),
        ("exclude { phase: TEST }", {"phase": TRAIN}, True),
        ("exclude { phase: TEST }", {"phase": TEST}, False),
        ("include { phase: TRAIN } include { phase: TEST }", {"phase": TEST}, True),
        ("exclude { phase: TRAIN } exclude { phase: TEST }", {"phase": TEST}, False),
        ("include { min_level: 2 }", {"level": 1}, False),
        ("include { min_level: 2 }", {"level": 2}, True),
        ("include { max_level: 2 }", {"level": 3}, False),
        ("include { min_level: 1 max_level: 2 }", {"level": 2}, True),
        ("include { min_level: 2 }", {"state": "state { level: 2 }"}, True),
        ("include { min_level: 2 }", {"state": "state { level: 2 }", "level": 0}, False),
        ("include { stage: 'a' }", {}, False),
        ("include { stage: 'a' }", {"stages": ["a", "b"]}, True),
        ("include { stage: 'a' stage: 'b' }", {"stages": ["a"]}, False),
        ("include { stage: 'a' stage: 'b' }", {"state": "state { stage: 'a' }", "stages": ["b"]}, True),
        ("include { not_stage: 'a' }", {"stages": ["a"]}, False),
        ("include { not_stage: 'a' }", {"stages": ["b"]}, True),
        ("exclude { phase: TRAIN stage: 'a' }", {"phase": TRAIN}, True),
        ("exclude { phase: TRAIN stage: 'a' }", {"phase": TRAIN, "stages": ["a"]}, False),
        ("include { }", {}, True),
    ],
)
def test_a_layer_stays_where_its_rules_are_met(rules, options, stays):
    assert names(rules, **options) == (["x"] if stays else [])


def test_include_and_exclude_at_once():
    assert refusal("layer { name: 'x' type: 'DummyData' include {} exclude {} }") == (
        "layer 'x' (DummyData): has both include and exclude rules; a layer may have one kind"
    )


def test_the_nets_own_phase_gives_way():
    made = net("state { phase: TEST }" + data("x", 2), TRAIN)
    assert made.document.message.state.phase == TRAIN
    assert made.layers[0].train
    assert made.document.message.layer[0].phase == TRAIN


def test_a_layers_own_phase_stays():
    made = net(data("x", 2).replace("top:", "phase: TEST top:"), TRAIN)
    assert not made.layers[0].train


def test_what_the_rules_left_out_is_named_where_it_is_missed():
    text = data("label", 2).replace("top:", "include { phase: TRAIN } top:") + (
        "layer { name: 'loss' type: 'Power' bottom: 'label' top: 'y' }"
    )
    assert refusal(text, TEST) == (
        "layer 'loss' (Power): no layer before it makes its bottom 'label'; "
        "layer 'label', which makes it, is left out by its include or exclude rules"
    )
