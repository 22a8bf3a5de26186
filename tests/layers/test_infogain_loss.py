import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError, SnapshotError
from netcli.snapshots import write_blob


def infogain(axis=1, ignore=None, mode="VALID"):
    def reference(x, labels, matrix):
        scores = np.moveaxis(x, axis, -1)
        rows, labels = scores.reshape(-1, x.shape[axis]), labels.reshape(-1)
        matrix = matrix.reshape(x.shape[axis], -1)
        loss, valid, p = 0.0, 0, np.zeros_like(rows)
        for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
            p[i] = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
            if label != ignore:
                valid += 1
                for k, worth in enumerate(matrix[int(label)]):
                    loss -= worth * np.log(max(p[i, k], 1e-20))
        divisor = {"FULL": len(rows), "VALID": valid, "BATCH_SIZE": np.prod(x.shape[:axis]), "NONE": 1}[mode]
        return [loss / max(1, divisor), np.moveaxis(p.reshape(scores.shape), -1, axis)]

    return reference


LABELS = np.array([0, 3, 1, 1])
SPATIAL = np.random.default_rng(3).integers(0, 5, (3, 4, 2))


def case(name, inside, inputs, reference=None, tops=2):
    text = f"type: 'InfogainLoss' {inside}"
    return Case(name, text, inputs, reference, gradient=(0,), loss=True, tops=tops, batch=False)


CASES = [
    case("rows", "", [(4, 5), LABELS, (5, 5)], infogain()),
    case("images", "", [(3, 5, 4, 2), SPATIAL, (1, 1, 5, 5)], infogain()),
    case("last axis", "infogain_loss_param { axis: -1 }", [(3, 4, 2, 5), SPATIAL, (5, 5)], infogain(3)),
    *(
        case(
            mode,
            f"loss_param {{ ignore_label: 1 normalization: {mode} }}",
            [(3, 5, 4, 2), SPATIAL, (5, 5)],
            infogain(ignore=1, mode=mode),
        )
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ),
    case(
        "label 255 ignored",
        "loss_param { ignore_label: 255 }",
        [(2, 5), np.array([255, 4]), (5, 5)],
        infogain(ignore=255),
    ),
]


test_layer = case_test(CASES)


def test_the_matrix_may_come_from_a_file(tmp_path):
    matrix = np.random.default_rng(0).uniform(0, 1, (1, 1, 5, 5)).astype(np.float32)
    write_blob(tmp_path / "h.binaryproto", matrix)
    x = np.random.default_rng(1).standard_normal((4, 5))
    text = f"infogain_loss_param {{ source: '{tmp_path}/h.binaryproto' }}"
    run = Run(case("", text, [x, LABELS]), [x, LABELS])
    np.testing.assert_allclose(run.forward()[0], infogain()(x, LABELS, matrix)[0])
    assert refusal(f"type: 'InfogainLoss' bottom: 'x' bottom: 'l' {text}", [(4, 3), (4,)]) == (
        "the matrix (1, 1, 5, 5) does not have 3 x 3 numbers, as the classes of bottom 'x' (4, 3) need"
    )
    with pytest.raises(SnapshotError, match="nothere"):
        Run(case("", "infogain_loss_param { source: 'nothere' }", [x, LABELS]), [x, LABELS])


def test_probabilities_are_taken_to_be_at_least_1e_20():
    run = Run(CASES[0], [np.array([[1000.0, 0.0]]), np.array([1]), np.eye(2)], np.float32)
    np.testing.assert_allclose(run.forward()[0], -np.log(1e-20), rtol=1e-6)


def test_label_that_is_no_class():
    with pytest.raises(DataError, match=r"^label 5 at item 3 is not in 0..4 of bottom 'x0' \(4, 5\)$"):
        Run(CASES[0], [np.zeros((4, 5)), np.array([0, 1, 2, 5]), np.eye(5)]).forward()


def test_refusals():
    kind = "type: 'InfogainLoss' bottom: 'x' bottom: 'l'"
    assert refusal(kind, [(4, 5), (4,)]) == "needs its matrix, as a third bottom or as infogain_loss_param source"
    assert refusal(kind + " bottom: 'h'", [(4, 5), (4,), (5, 4)]) == (
        "the matrix (5, 4) does not have 5 x 5 numbers, as the classes of bottom 'x' (4, 5) need"
    )
    assert refusal(kind + " loss_param { normalize: true }", [(4, 5), (4,), (5, 5)]) == (
        "takes normalization, not the old normalize"
    )
