import numpy as np
import pytest

from checks import Case, Run

KINDS = {
    "SoftmaxWithLoss": [(0, 5), (0,)],
    "InfogainLoss": [(0, 5), (0,), (5, 5)],
    "SigmoidCrossEntropyLoss": [(0, 5), (0, 5)],
    "EuclideanLoss": [(0, 5), (0, 5)],
    "HingeLoss": [(0, 5), (0,)],
    "MultinomialLogisticLoss": [(0, 5), (0,)],
    "ContrastiveLoss": [(0, 5), (0, 5), (0,)],
}


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_none_has_loss_zero(kind, engine):
    arrays = [np.zeros(shape) for shape in KINDS[kind]]
    run = Run(Case(kind, f"type: '{kind}'", arrays, gradient=(0,), loss=True), arrays, np.float32, engine=engine)
    assert run.forward()[0] == 0
    assert run.backward([1.0])[0][0].shape == (0, 5)
