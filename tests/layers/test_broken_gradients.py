"""The gradient check can fail: every gradient of every case is broken in two ways, and it has to notice."""

import importlib
from pathlib import Path

import pytest

from checks import gradients_agree, slopes

MODULES = sorted({path.stem for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).stem})

CASES = [
    pytest.param(case, id=f"{name.removeprefix('test_')}-{case.name.replace(' ', '_')}")
    for name in MODULES
    for case in getattr(importlib.import_module(name), "CASES", [])
    if case.differentiable
]


@pytest.mark.parametrize("case", CASES)
def test_a_broken_gradient_is_noticed(case):
    for slope in slopes(case):
        assert gradients_agree(slope), slope.of
        right = slope.gradient
        slope.gradient = right * 1.001
        assert not right.any() or not gradients_agree(slope), f"{slope.of}, scaled by 1.001"
        slope.gradient = right.copy()
        slope.gradient.reshape(-1)[right.size // 2] += 0.01 * max(1.0, abs(slope.numeric))
        assert not gradients_agree(slope), f"{slope.of}, one item shifted"
