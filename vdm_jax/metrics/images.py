"""PSNR and SSIM of a video against the true one, computed per frame and averaged over frames.

The mean of per-frame PSNRs is not the PSNR of the mean error: 20 and 40 dB average to 30 dB.
"""

import numpy as np
from jaxtyping import Float, Num

Frames = Num[np.ndarray, "*b f h w c"]


def psnr(a: Frames, b: Frames, peak: float = 255.0) -> float:
    """10 log10(peak^2 / MSE) of each frame, averaged over frames, in dB; inf if a frame is equal.

    peak: the width of the value range, 255 for uint8 and 2 for [-1, 1].
    """
    a, b = _pair(a, b)
    error = np.square(a - b).mean(axis=(-3, -2, -1))
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(peak**2 / error)))


def pooled_psnr(a: Frames, b: Frames, peak: float = 255.0) -> float:
    """10 log10(peak^2 / MSE) of the mean error of all frames, in dB.

    Finite for clips in which some frames are equal, such as empty ones.
    """
    a, b = _pair(a, b)
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(peak**2 / np.square(a - b).mean()))


def ssim(a: Frames, b: Frames, peak: float = 255.0) -> float:
    """Structural similarity of each frame and channel, averaged.

    (2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)) with Gaussian
    windows of 11 x 11 pixels and standard deviation 1.5, c1 = (0.01 peak)^2, c2 = (0.03 peak)^2,
    population covariances, over the windows that lie inside the frame (Wang et al. 2004, eq. 13).
    """
    a, b = _pair(a, b)
    if min(a.shape[-3:-1]) < _WINDOW.size:
        raise ValueError(
            f"SSIM needs frames of at least {_WINDOW.size} x {_WINDOW.size} pixels, "
            f"not {a.shape[-3]} x {a.shape[-2]}"
        )
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_a, mean_b = _blur(a), _blur(b)
    variances = _blur(a * a) - mean_a**2 + _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float(np.mean(similarity / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))))


def luma(frames: Frames) -> Float[np.ndarray, "*b f h w 1"]:
    """0.2125 R + 0.7154 G + 0.0721 B, scikit-image's `rgb2gray`; MAGVIT's SSIM uses it."""
    frames = np.asarray(frames)
    if frames.shape[-1] != 3:
        raise ValueError(f"luma needs RGB frames [... 3], not {frames.shape[-1]} channels")
    return frames.astype(np.float64) @ np.array([[0.2125], [0.7154], [0.0721]])


_WINDOW = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
_WINDOW /= _WINDOW.sum()


def _blur(a: np.ndarray) -> np.ndarray:
    for axis in (-3, -2):
        a = np.lib.stride_tricks.sliding_window_view(a, _WINDOW.size, axis) @ _WINDOW
    return a


def _pair(a: Frames, b: Frames) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim < 4:
        raise ValueError(
            "PSNR and SSIM compare two videos [... f h w c] of one shape, "
            f"not {a.shape} and {b.shape}"
        )
    return a.astype(np.float64), b.astype(np.float64)
