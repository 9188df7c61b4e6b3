"""Known answers of kernel distances."""

import numpy as np
import pytest
from test_frechet import waves

from vdm_jax.metrics import kernel
from vdm_jax.metrics.kernel import CUBIC, JEDI, PolynomialKernel

X, Y = np.eye(2), 2 * np.eye(2)


def test_two_points_per_set():
    assert kernel.unbiased_mmd(X, Y) == pytest.approx(-7.0)
    assert kernel.biased_mmd(X, Y) == pytest.approx(7.1875)


def test_waves():
    x, y = waves()
    assert kernel.unbiased_mmd(x, y) == pytest.approx(-0.0791370697, abs=1e-10)
    # Computed in rational arithmetic from the float64 features.
    assert kernel.unbiased_mmd(x, x) == pytest.approx(-0.15237596083, abs=1e-11)
    assert kernel.biased_mmd(x, x) == pytest.approx(0, abs=1e-12)
    assert kernel.unbiased_mmd(x, y) == pytest.approx(kernel.unbiased_mmd(y, x), rel=1e-12)


def test_jedi_and_other_kernels():
    a = np.arange(1.0, 10).reshape(3, 3)
    b = np.array([[7.0, 6, 5], [4, 3, 2], [1, 1, 8], [0, 2, 5]])
    assert kernel.biased_mmd(a, b, JEDI) == pytest.approx(270.7222, abs=1e-4)
    assert kernel.biased_mmd(a, b, PolynomialKernel(2, 1.0, 0.0)) == pytest.approx(2436.5)
    assert kernel.biased_mmd(a, b, CUBIC) == pytest.approx(23088.083, abs=1e-3)


def test_the_unbiased_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    result = [kernel.unbiased_mmd(*rng.normal(size=(2, 16, 3))) for _ in range(400)]
    assert abs(np.mean(result)) < 3 * np.std(result) / 20


def test_the_order_and_the_block_size_do_not_matter(monkeypatch):
    x, y = waves()
    expected = kernel.unbiased_mmd(x, y)
    assert kernel.unbiased_mmd(x[::-1], y) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    assert kernel.unbiased_mmd(x, y) == pytest.approx(expected, rel=1e-12)


def test_blocks_and_subsets():
    x, y = waves()
    assert kernel.mmd_in_blocks(x, y)[0] == pytest.approx(kernel.unbiased_mmd(x, y), rel=1e-12)
    assert np.isnan(kernel.mmd_in_blocks(x, y)[1])
    mean, error = kernel.mmd_in_blocks(x, y, largest=20)
    halves = [kernel.unbiased_mmd(x[:16], y[:20]), kernel.unbiased_mmd(x[16:], y[20:])]
    assert mean == pytest.approx(np.mean(halves), rel=1e-12)
    assert error == pytest.approx(abs(halves[0] - halves[1]) / 2, rel=1e-12)
    three = kernel.mmd_in_blocks(x[:31], y[:31], largest=11)[0]  # blocks of 10, 10 and 11
    ends = ((0, 10), (10, 20), (20, 31))
    assert three == pytest.approx(np.mean([kernel.unbiased_mmd(x[a:b], y[a:b]) for a, b in ends]))
    whole = kernel.mmd_in_subsets(x, y[:32], subsets=3)
    assert whole == pytest.approx(kernel.unbiased_mmd(x, y[:32]), rel=1e-12)


def test_invalid_features_are_named():
    with pytest.raises(ValueError, match=r"not \(2, 2\) and \(2, 3\)"):
        kernel.unbiased_mmd(X, np.ones((2, 3)))
    with pytest.raises(ValueError, match="2 clips per set, not 1 and 2"):
        kernel.biased_mmd(X[:1], Y)
