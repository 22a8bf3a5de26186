import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError


def softmax_loss(axis=1, ignore=None, mode="VALID"):
    """Item by item, as the formula says."""

    def reference(x, labels, outputs=2):
        scores = np.moveaxis(x, axis, -1)
        images = int(np.prod(x.shape[:axis]))
        rows, labels = scores.reshape(-1, x.shape[axis]), labels.reshape(-1)
        loss, valid = 0.0, 0
        p = np.zeros_like(rows)
        for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
            p[i] = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
            if label != ignore:
                loss -= np.log(max(p[i, int(label)], np.finfo(np.float32).tiny))
                valid += 1
        divisor = {"FULL": len(rows), "VALID": valid, "BATCH_SIZE": images, "NONE": 1}[mode]
        return [loss / max(1, divisor), np.moveaxis(p.reshape(scores.shape), -1, axis)]

    return reference


def one_top(reference):
    return lambda *args: reference(*args)[:1]


LABELS = np.array([0, 3, 1, 1])
SPATIAL = np.random.default_rng(3).integers(0, 5, (3, 4, 2))


def case(name, inside="", inputs=((4, 5), LABELS), reference=None, **more):
    return Case(name, f"type: 'SoftmaxWithLoss' {inside}", inputs, reference, gradient=(0,), loss=True, **more)


CASES = [
    case("rows", "", reference=one_top(softmax_loss())),
    case("with p", "", reference=softmax_loss(), tops=2),
    case("labels of four axes", "", ((4, 5, 1, 1), LABELS.reshape(4, 1, 1, 1)), one_top(softmax_loss())),
    case("images", "", ((3, 5, 4, 2), SPATIAL), softmax_loss(), tops=2),
    case("labels one channel", "", ((3, 5, 4, 2), SPATIAL[:, None]), one_top(softmax_loss())),
    case("last axis", "softmax_param { axis: -1 }", ((4, 2, 5), SPATIAL.reshape(4, 6)[:, :2]), softmax_loss(2), tops=2),
    case("axis 2 of images", "softmax_param { axis: 2 }", ((3, 2, 5, 4), SPATIAL), one_top(softmax_loss(2))),
    case(
        "axis 2 divides by outer axes",
        "softmax_param { axis: 2 } loss_param { normalization: BATCH_SIZE }",
        ((3, 2, 5, 4), SPATIAL),
        one_top(softmax_loss(2, mode="BATCH_SIZE")),
    ),
    case(
        "label 255 ignored",
        "loss_param { ignore_label: 255 }",
        ((4, 5), np.array([0, 255, 1, 255])),
        one_top(softmax_loss(ignore=255)),
    ),
    case(
        "all ignored",
        "loss_param { ignore_label: -1 }",
        ((2, 5), np.array([-1, -1])),
        one_top(softmax_loss(ignore=-1)),
    ),
    case(
        "normalize false",
        "loss_param { normalize: false }",
        ((3, 5, 4, 2), SPATIAL),
        one_top(softmax_loss(mode="BATCH_SIZE")),
    ),
    case(
        "normalization before normalize",
        "loss_param { normalize: false normalization: FULL }",
        ((3, 5, 4, 2), SPATIAL),
        one_top(softmax_loss(mode="FULL")),
    ),
    *(
        case(
            f"{mode} with ignored",
            f"loss_param {{ ignore_label: 1 normalization: {mode} }}",
            ((3, 5, 4, 2), SPATIAL),
            one_top(softmax_loss(ignore=1, mode=mode)),
        )
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ),
]

test_layer = case_test(CASES)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(*[st.integers(1, 4)] * 4), elements=st.floats(-20, 20, width=32)),
    st.sampled_from([1, 2, 3, -1, -2, -3]),
    st.randoms(use_true_random=False),
)
def test_any_shape_and_axis(x, axis, random):
    shape = np.moveaxis(x, axis, -1).shape[:-1]
    labels = np.array([random.randrange(x.shape[axis]) for _ in range(int(np.prod(shape)))]).reshape(shape)
    got = Run(case("", f"softmax_param {{ axis: {axis} }}", (x, labels)), [x, labels]).forward()[0]
    np.testing.assert_allclose(got, softmax_loss(axis % 4)(x.astype(float), labels)[0], rtol=1e-9, atol=1e-12)


def test_loss_of_an_item_is_at_most_87():
    run = Run(CASES[0], [np.array([[1000.0, 0.0]]), np.array([1])], np.float32)
    np.testing.assert_allclose(run.forward()[0], 87.3365, rtol=1e-6)


def test_ignored_items_learn_nothing_even_from_nan():
    run = Run(CASES[8], [np.array([[0.0, 1.0], [np.nan, 0.0]]), np.array([1, 255])], np.float32)
    assert np.isfinite(run.forward()[0])
    dx = run.backward([np.float32(1)])[0][0]
    assert (dx[1] == 0).all()
    assert (dx[0] != 0).all()


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((4, 5), [0, 1, 2, 5], "label 5 at item 3 is not in 0..4 of bottom 'x0' (4, 5)"),
        ((4, 5), [0, -1, 2, 5], "label -1 at item 1 is not in 0..4 of bottom 'x0' (4, 5)"),
        ((2, 5), [[[[0]]], [[[7]]]], "label 7 at item 1 is not in 0..4 of bottom 'x0' (2, 5)"),
        ((4, 5), [0, 1, 2.5, 4], "label 2.5 at item 2 is not a whole number in 0..4 of bottom 'x0' (4, 5)"),
        ((2, 5), [0, float("nan")], "label nan at item 1 is not a whole number in 0..4 of bottom 'x0' (2, 5)"),
        ((1, 2, 2, 2), [[[0, 1], [9, 1]]], "label 9 at item (0, 1, 0) is not in 0..1 of bottom 'x0' (1, 2, 2, 2)"),
    ],
)
def test_labels_that_are_no_class(shape, labels, message):
    run = Run(CASES[0], [np.zeros(shape), np.array(labels)], np.float32)
    with pytest.raises(DataError) as caught:
        run.forward()
    assert str(caught.value) == message


def test_refusals():
    kind = "type: 'SoftmaxWithLoss' bottom: 'ip2' bottom: 'label'"
    assert refusal(kind, [(4, 5), (3,)]) == ("bottoms 'ip2' (4, 5) and 'label' (3,) differ along axis 0, the batch")
    assert refusal(kind, [(4, 5, 2, 2), (4,)]) == (
        "bottom 'ip2' (4, 5, 2, 2) with classes along axis 1 takes 16 labels, 'label' (4,) has 4"
    )
    assert refusal(kind + " softmax_param { axis: 2 }", [(4, 5), (4,)]) == "axis 2 is not in a bottom of 2 axes"
    assert refusal(kind, [(), ()]).startswith("bottoms 'ip2' ()")


# -- a share for each class

SHARES = np.random.default_rng(5).dirichlet(np.ones(5), 4)


def of_shares(mode="VALID"):
    def reference(x, q):
        rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
        shares = np.moveaxis(q, 1, -1).reshape(-1, x.shape[1])
        p = np.exp(rows - rows.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        divisor = {"FULL": len(rows), "VALID": len(rows), "BATCH_SIZE": len(x), "NONE": 1}[mode]
        return [-(shares * np.log(p)).sum() / divisor]

    return reference


IMAGES_OF_SHARES = np.random.default_rng(6).dirichlet(np.ones(5), (3, 4, 2)).transpose(0, 3, 1, 2)
test_shares = case_test(
    [
        case("shares", "", ((4, 5), SHARES), of_shares()),
        case("shares that are no whole", "", ((4, 5), SHARES * 1.7), of_shares()),
        case("shares of images", "", ((3, 5, 4, 2), IMAGES_OF_SHARES), of_shares()),
        case(
            "shares of images by images",
            "loss_param { normalization: BATCH_SIZE }",
            ((3, 5, 4, 2), IMAGES_OF_SHARES),
            of_shares("BATCH_SIZE"),
        ),
    ]
)


def test_shares_of_one_class_each_are_labels():
    x = np.random.default_rng(1).standard_normal((4, 5))
    plain = case("labels", "", ((4, 5), LABELS))
    whole = case("whole shares", "", ((4, 5), np.eye(5)[LABELS]))
    losses = [float(Run(each, [x, y]).forward()[0]) for each, y in ((plain, LABELS), (whole, np.eye(5)[LABELS]))]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_shares_can_t_be_ignored():
    text = "type: 'SoftmaxWithLoss' loss_param { ignore_label: 1 }"
    assert refusal(text, [(4, 5), (4, 5)]) == "no share of the classes can be ignore_label"
