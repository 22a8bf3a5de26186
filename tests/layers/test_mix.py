import numpy as np
import pytest

from checks import Case, Run, refusal
from netcli.arrays import random
from netcli.errors import DataError
from netcli.layers.mix import beta, rectangle

LABELS = np.arange(6) % 4
SHAPE = (6, 3, 8, 10)


def run(inside, phase="TRAIN", seed=1, passes=0, labels=LABELS, engine="plain"):
    """Images whose values tell them apart, mixed: (images, mixed images, shares)."""
    case = Case(
        "mix", f"type: 'Mix' mix_param {{ num_classes: 4 {inside} }}", (SHAPE, labels), tops=2, phase=phase, seed=seed
    )
    x = np.broadcast_to(np.float32(10.0 ** np.arange(6)).reshape(6, 1, 1, 1), SHAPE).copy()
    made = Run(case, [x, labels], np.float32, engine=engine)
    made.layer.context.passes.value = passes
    y, q = (each.copy() for each in made.forward())
    return x, y, q


def test_testing_passes_images_through_and_makes_labels_shares():
    x, y, q = run("mixup_alpha: 0.4 cutmix_alpha: 1", phase="TEST")
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(q, np.eye(4)[LABELS])


def test_mixup_mixes_images_and_labels_by_the_same_share():
    x, y, q = run("mixup_alpha: 1")
    np.testing.assert_allclose(q.sum(1), 1, rtol=1e-6)
    mixed = 0
    for i in range(6):
        value = y[i].flat[0]
        np.testing.assert_array_equal(y[i], np.full(SHAPE[1:], value))
        # value = a x_i + (1 - a) x_j, for some j; a is what q gives the label of i, unless j has it too
        fits = []
        for j in set(range(6)) - {i}:
            a = (value - x[j].flat[0]) / (x[i].flat[0] - x[j].flat[0])
            want = a * np.eye(4)[LABELS[i]] + (1 - a) * np.eye(4)[LABELS[j]]
            fits.append(0 <= a <= 1 and np.allclose(q[i], want, atol=1e-3))
        assert any(fits)
        mixed += value != x[i].flat[0]
    assert mixed == 6


def test_cutmix_gives_a_rectangle_and_the_labels_by_its_area():
    x, y, q = run("cutmix_alpha: 1")
    for i in range(6):
        other = y[i] != x[i]
        assert (other == other[0]).all()  # in every channel
        rows, columns = other[0].any(1), other[0].any(0)
        assert other[0].sum() == rows.sum() * columns.sum()  # a rectangle
        assert len(set(y[i][other])) <= 1  # of one other image
        own = 1 - other[0].mean()
        partners = [int(np.log10(y[i][other][0]) + 0.5)] if other.any() else [i]
        want = own * np.eye(4)[LABELS[i]] + (1 - own) * np.eye(4)[LABELS[partners[0]]]
        np.testing.assert_allclose(q[i], want, atol=1e-6)
    assert (y != x).any()


def test_both_and_their_chances():
    kinds = {"cut": 0, "mixed": 0, "left": 0}
    for passes in range(60):
        x, y, _ = run("mixup_alpha: 1 cutmix_alpha: 1 prob: 0.6 cutmix_prob: 0.25", passes=passes)
        for i in range(6):
            same = (y[i] == x[i]).mean()
            kinds["left" if same == 1 else "mixed" if same == 0 else "cut"] += 1
    assert 110 < kinds["left"] < 185  # 144, and rectangles of no area
    assert 125 < kinds["mixed"] < 200  # 162, and whole rectangles
    assert 25 < kinds["cut"] < 80


def test_every_pass_and_seed_draws_others_and_the_same_again():
    first = run("mixup_alpha: 0.2")
    np.testing.assert_array_equal(first[1], run("mixup_alpha: 0.2")[1])
    assert (first[1] != run("mixup_alpha: 0.2", passes=1)[1]).any()
    assert (first[1] != run("mixup_alpha: 0.2", seed=2)[1]).any()


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha):
    """Mean 1/2, variance 1 / (4 (2 alpha + 1)), and as much below 0.1 as numbers of NumPy's."""
    words = random.words(3, "beta", 0, 0, 20000, 4)
    drawn = np.array([beta(alpha, row) for row in words])
    assert (drawn >= 0).all()
    assert (drawn <= 1).all()
    np.testing.assert_allclose(drawn.mean(), 0.5, atol=0.012)
    np.testing.assert_allclose(drawn.var(), 1 / (4 * (2 * alpha + 1)), atol=0.006)
    want = np.random.default_rng(0).beta(alpha, alpha, 20000)
    np.testing.assert_allclose((drawn < 0.1).mean(), (want < 0.1).mean(), atol=0.015)


def test_no_share_is_one_half_more_often_than_others():
    drawn = [beta(0.9, row) for row in random.words(3, "beta", 0, 0, 5000, 4)]
    assert drawn.count(0.5) <= 1


def test_rectangles_stay_inside():
    words = random.words(3, "rectangle", 0, 0, 300)
    for word in words[:, 0]:
        for side in (0.0, 0.3, 1.0):
            rows, columns = rectangle(side, word, 8, 10)
            assert 0 <= rows.start <= rows.stop <= 8
            assert 0 <= columns.start <= columns.stop <= 10
            assert rows.stop - rows.start <= round(8 * side)


@pytest.mark.parametrize("inside", ["mixup_alpha: 1", "cutmix_alpha: 1", "mixup_alpha: 0.4 cutmix_alpha: 1 prob: 0.7"])
def test_on_a_card_the_same_numbers(inside):
    for passes in range(4):
        _, *got = run(inside, passes=passes, engine="card")
        _, *want = run(inside, passes=passes)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_batch_of_one_is_left():
    case = Case("one", "type: 'Mix' mix_param { num_classes: 4 mixup_alpha: 1 }", ((1, 1, 2, 2), np.array([3])), tops=2)
    y, q = Run(case, [np.ones((1, 1, 2, 2)), np.array([3])]).forward()
    assert (y == 1).all()
    np.testing.assert_array_equal(q, [[0, 0, 0, 1]])


def test_a_label_that_is_no_class():
    with pytest.raises(DataError, match=r"label 4 at item 2 is not in 0\.\.3 of num_classes of 'L'"):
        run("mixup_alpha: 1", labels=np.array([0, 1, 4, 0, 0, 0]))


@pytest.mark.parametrize(
    ("inside", "shapes", "sentence"),
    [
        ("", [SHAPE, (6,)], "num_classes must be given"),
        ("num_classes: 4 mixup_alpha: 2000", [SHAPE, (6,)], "mixup_alpha 2000 is not in 0 .. 1000"),
        ("num_classes: 4", [(6, 3), (6,)], "takes images (N, C, H, W), got 'x0' (6, 3)"),
        ("num_classes: 4", [SHAPE, (5,)], "takes one label for each image of bottom 'x0' (6, 3, 8, 10), got 'x1' (5,)"),
    ],
)
def test_refusals(inside, shapes, sentence):
    assert refusal(f"type: 'Mix' mix_param {{ {inside} }}", shapes, tops=2) == sentence
