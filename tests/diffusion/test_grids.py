import numpy as np
import pytest

from vdm_jax.diffusion import Cosine, Leading, Linspace, Process, Trailing
from vdm_jax.diffusion.grids import logsnr_grid


def test_trailing_is_uniform_and_ends_at_data():
    np.testing.assert_allclose(Trailing()(4, 1.0, 0.0), [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(Trailing()(2, 0.0, 1.0), [0, 0.5, 1])


def test_linspace_calls_at_the_end_too():
    np.testing.assert_allclose(Linspace()(5, 1.0, 0.0), [1, 0.75, 0.5, 0.25, 0, 0])
    np.testing.assert_allclose(Linspace()(1, 1.0, 0.0), [1, 0])


def test_leading_is_the_fifty_steps_of_stable_diffusion():
    times = Leading()(50, 1.0, 0.001)
    steps = np.round(times * 1000 - 1).astype(int)
    assert list(steps) == [*range(981, 0, -20), 0]


def test_only_a_grid_to_data_ends_in_x_hat():
    process = Process(Cosine())
    assert logsnr_grid(process, Trailing(), 4, 1.0, 0.0)[1] == 3
    assert logsnr_grid(process, Trailing(), 4, 1.0, 0.5)[1] == 4


@pytest.mark.parametrize(
    ("grid", "steps", "start", "stop", "message"),
    [
        (Trailing(), 0, 1.0, 0.0, "steps=0"),
        (Trailing(), 4, 1.5, 0.0, "start=1.5"),
        (Trailing(), 4, 1.0, -0.1, "stop=-0.1"),
        (Leading(), 50, 0.5, 0.0, "start=0.5.*Trailing"),
        (Leading(20), 50, 1.0, 0.0, "50 steps.*total=20"),
    ],
)
def test_invalid_grids_are_rejected(grid, steps, start, stop, message):
    with pytest.raises(ValueError, match=message):
        logsnr_grid(Process(Cosine()), grid, steps, start, stop)
