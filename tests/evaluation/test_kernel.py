"""Known answers of kernel distances."""

import numpy as np
import pytest
from test_frechet import waves

from vdm_jax.evaluation import kernel
from vdm_jax.evaluation.kernel import CUBIC, JEDI, Polynomial

X, Y = np.eye(2), 2 * np.eye(2)


def test_two_points_each():
    assert kernel.unbiased(X, Y) == pytest.approx(-7.0)
    assert kernel.biased(X, Y) == pytest.approx(7.1875)


def test_waves():
    x, y = waves()
    assert kernel.unbiased(x, y) == pytest.approx(-0.0791370697, abs=1e-10)
    # In rational arithmetic, of these features as they are in float64.
    assert kernel.unbiased(x, x) == pytest.approx(-0.15237596083, abs=1e-11)
    assert kernel.biased(x, x) == pytest.approx(0, abs=1e-12)
    assert kernel.unbiased(x, y) == pytest.approx(kernel.unbiased(y, x), rel=1e-12)


def test_jedi_and_other_kernels():
    a = np.arange(1.0, 10).reshape(3, 3)
    b = np.array([[7.0, 6, 5], [4, 3, 2], [1, 1, 8], [0, 2, 5]])
    assert kernel.biased(a, b, JEDI) == pytest.approx(270.7222, abs=1e-4)
    assert kernel.biased(a, b, Polynomial(2, 1.0, 0.0)) == pytest.approx(2436.5)
    assert kernel.biased(a, b, CUBIC) == pytest.approx(23088.083, abs=1e-3)


def test_the_unbiased_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    found = [kernel.unbiased(*rng.normal(size=(2, 16, 3))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20


def test_the_order_of_rows_and_the_size_of_pieces_change_nothing(monkeypatch):
    x, y = waves()
    expected = kernel.unbiased(x, y)
    assert kernel.unbiased(x[::-1], y) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(kernel, "ROWS", 7)
    assert kernel.unbiased(x, y) == pytest.approx(expected, rel=1e-12)


def test_blocks_and_subsets():
    x, y = waves()
    assert kernel.in_blocks(x, y)[0] == pytest.approx(kernel.unbiased(x, y), rel=1e-12)
    assert np.isnan(kernel.in_blocks(x, y)[1])
    mean, error = kernel.in_blocks(x, y, largest=20)
    halves = [kernel.unbiased(x[:16], y[:20]), kernel.unbiased(x[16:], y[20:])]
    assert mean == pytest.approx(np.mean(halves), rel=1e-12)
    assert error == pytest.approx(abs(halves[0] - halves[1]) / 2, rel=1e-12)
    three = kernel.in_blocks(x[:31], y[:31], largest=11)[0]  # of 10, 10 and 11
    ends = ((0, 10), (10, 20), (20, 31))
    assert three == pytest.approx(np.mean([kernel.unbiased(x[a:b], y[a:b]) for a, b in ends]))
    whole = kernel.in_subsets(x, y[:32], subsets=3)
    assert whole == pytest.approx(kernel.unbiased(x, y[:32]), rel=1e-12)


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(2, 3\) cannot be compared"):
        kernel.unbiased(X, np.ones((2, 3)))
    with pytest.raises(ValueError, match="2 clips of each, not 1 and 2"):
        kernel.biased(X[:1], Y)
