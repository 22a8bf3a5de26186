import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.augment.statistics import color_statistics, principal_axes, read_color_statistics
from netcli.errors import DataError
from netcli.prototxt import to_text


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_axes_are_those_of_the_covariance_whatever_its_size(channels, seed):
    x = np.random.default_rng(seed).normal(size=(channels, 40)) * 100
    covariance = x @ x.T / 40
    values, axes = principal_axes(covariance)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(axes.T * values @ axes, covariance, rtol=1e-9, atol=1e-9 * values[0])
    np.testing.assert_allclose(axes @ axes.T, np.eye(channels), atol=1e-12)
    assert (axes[np.arange(channels), np.abs(axes).argmax(1)] > 0).all()


def test_the_sign_holds_where_two_entries_are_as_large():
    for last_bits in (1, 1 + 1e-15, 1 - 1e-15):
        _, axes = principal_axes([[2, -1 * last_bits], [-1 * last_bits, 2]])
        np.testing.assert_allclose(axes, np.array([[1, -1], [1, 1]]) / np.sqrt(2), rtol=1e-12)


def test_no_eigenvalue_is_below_zero():
    values, _ = principal_axes(np.full((3, 3), 1000 / 3))  # images that are grey
    np.testing.assert_allclose(values, [1000, 0, 0], atol=1e-9)
    assert (values >= 0).all()


def test_a_file_gives_back_the_numbers(tmp_path):
    held = color_statistics([1.5, 2, 0.1], np.diag([3.0, 2, 1]), 7, 2**40)
    (tmp_path / "colors").write_text(to_text(held))
    assert read_color_statistics(str(tmp_path / "colors")) == held


def test_a_file_that_lacks_an_axis(tmp_path):
    held = color_statistics([1, 2, 3], np.eye(3), 1, 1)
    del held.eigenvalue[2]
    (tmp_path / "colors").write_text(to_text(held))
    with pytest.raises(DataError, match="has 3 means, 2 eigenvalues and 9 numbers of eigenvectors"):
        read_color_statistics(str(tmp_path / "colors"))
