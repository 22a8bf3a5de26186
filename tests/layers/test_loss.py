import numpy as np
import pytest

from checks import Case, Run, refusal

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


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "InfogainLoss", "SigmoidCrossEntropyLoss"])
def test_refuses_what_forks_added_to_loss_param(kind):
    shapes = [(2, *shape[1:]) if i < 2 else shape for i, shape in enumerate(KINDS[kind])]
    assert refusal(f"type: '{kind}' loss_param {{ normalization: PRE_FIXED }}", shapes) == (
        "normalization PRE_FIXED is not in netcli yet; FULL, VALID, BATCH_SIZE, NONE are"
    )
    assert refusal(f"type: '{kind}' loss_param {{ label_smoothing: 0.1 }}", shapes) == (
        "label_smoothing, a field of Intel Caffe and NVCaffe, is not in netcli yet"
    )
