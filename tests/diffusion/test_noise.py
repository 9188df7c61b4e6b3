import jax
import numpy as np
import pytest

from vdm_jax.diffusion import Independent, Mixed, Progressive

SHAPE = (2, 5, 64, 64, 3)
KEY = jax.random.key(0)
ERRORS = 5 / np.sqrt(2 * 64 * 64 * 3)  # five standard errors of a correlation


def correlations(noise):
    eps = np.moveaxis(np.asarray(noise(KEY, SHAPE)), 1, 0).reshape(SHAPE[1], -1)
    return eps @ eps.T / eps.shape[1]


FRAMES = np.arange(SHAPE[1])
APART = np.abs(FRAMES[:, None] - FRAMES[None])


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (Independent(), np.eye(5)),
        (Mixed(0.0), np.eye(5)),
        (Mixed(2.0), np.where(APART == 0, 1, 0.8)),
        (Progressive(0.0), np.eye(5)),
        (Progressive(2.0), np.sqrt(0.8) ** APART),
    ],
    ids=str,
)
def test_frames_have_unit_variance_and_the_stated_correlation(noise, expected):
    np.testing.assert_allclose(correlations(noise), expected, atol=ERRORS * np.sqrt(2))


@pytest.mark.parametrize("noise", [Independent(), Mixed(2.0), Progressive(2.0)], ids=str)
def test_clips_are_independent(noise):
    one, other = np.asarray(noise(KEY, (2, 5, 64, 64, 3)))
    # Correlated frames are fewer independent draws.
    assert abs(np.mean(one * other)) < 5 * np.sqrt(5) / np.sqrt(one.size)


@pytest.mark.parametrize("noise", [Independent(), Mixed(), Progressive()], ids=str)
def test_noise_of_an_image_has_unit_variance(noise):
    eps = np.asarray(noise(KEY, (2, 1, 64, 64, 3)))
    assert eps.shape == (2, 1, 64, 64, 3) and eps.dtype == np.float32
    np.testing.assert_allclose(np.mean(eps**2), 1, atol=ERRORS * np.sqrt(2))


def test_negative_alpha_is_rejected():
    with pytest.raises(ValueError, match=r"Mixed: alpha=-1"):
        Mixed(-1.0)
    with pytest.raises(ValueError, match=r"Progressive: alpha=-0.5"):
        Progressive(-0.5)
