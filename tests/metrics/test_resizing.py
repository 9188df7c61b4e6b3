"""Known answers of every kind of resize, and agreement with the libraries they are named after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from vdm_jax.metrics import resizing
from vdm_jax.metrics.resizing import (
    AlignCorners,
    Antialiased,
    CenterCrop,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    Pillow,
    ShorterSide,
)

KINDS = (Legacy, HalfPixel, HalfPixelCubic, AlignCorners, Antialiased, Pillow)
RAMP, EDGE, LONG, ODD = (
    [0, 10, 20, 30],
    [0, 0, 0, 80, 0, 0, 0, 0],
    [0, 10, 20, 30, 40, 50, 60, 70],
    [0, 0, 0, 30, 0, 0],
)
# Outputs of TensorFlow 2.21, PyTorch 2.13 and JAX 0.10.2.
KNOWN = [
    (RAMP, Legacy, [0, 5, 10, 15, 20, 25, 30, 30]),
    (RAMP, HalfPixel, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]),
    (RAMP, Antialiased, [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]),
    (RAMP, AlignCorners, [0, 4.285714, 8.571429, 12.857143, 17.142857, 21.428571, 25.714286, 30]),
    (EDGE, Legacy, [0, 0, 0, 0]),
    (EDGE, HalfPixel, [0, 40, 0, 0]),
    (EDGE, Antialiased, [0, 30, 10, 0]),
    (LONG, Legacy, [0, 20, 40, 60]),
    (LONG, HalfPixel, [5, 25, 45, 65]),
    (LONG, Antialiased, [7.142857, 25, 45, 62.857143]),
    (ODD, Legacy, [0, 0, 30, 0]),
    (ODD, HalfPixel, [0, 0, 22.5, 0]),
    (ODD, Antialiased, [0, 10 / 3, 50 / 3, 0]),
]


@pytest.mark.parametrize("values, kind, expected", KNOWN)
@pytest.mark.parametrize("axis", [0, 1])
def test_known_answers_along_either_axis(values, kind, expected, axis):
    line = np.asarray(values, np.float32)
    frame = np.expand_dims(np.tile(line, (4, 1)) if axis else np.tile(line, (4, 1)).T, -1)
    size = (4, len(expected)) if axis else (len(expected), 4)
    for x in (frame, jnp.asarray(frame)):  # by numpy and by JAX
        result = kind(size)(x)
        assert isinstance(result, type(x)) and result.dtype == np.float32
        rows = np.asarray(result)[..., 0]
        for across in rows if axis else rows.T:
            np.testing.assert_allclose(across, expected, rtol=1e-5, atol=1e-5)


def frames(height: int, width: int) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    return pixels.astype(np.float32)


@pytest.mark.parametrize("size", [(24, 40), (9, 7)])
@pytest.mark.parametrize(
    "kind, options",
    [
        (HalfPixel, {"mode": "bilinear", "align_corners": False}),
        (HalfPixelCubic, {"mode": "bicubic", "align_corners": False}),
        (AlignCorners, {"mode": "bilinear", "align_corners": True}),
        (Antialiased, {"mode": "bilinear", "antialias": True}),
    ],
)
def test_kinds_that_equal_pytorch(kind, options, size):
    x = frames(16, 20)
    expected = F.interpolate(torch.tensor(x).permute(0, 3, 1, 2), size=size, **options)
    result = kind(size)(jnp.asarray(x))
    np.testing.assert_allclose(result, expected.permute(0, 2, 3, 1), atol=1e-3)


@pytest.mark.parametrize("size", [(24, 40), (9, 7)])
@pytest.mark.parametrize("kernel, method", [("triangle", "linear"), ("cubic", "cubic")])
def test_antialiasing_equals_jax(kernel, method, size):
    x = jnp.asarray(frames(16, 20))
    expected = jax.image.resize(x, (2, *size, 3), method, antialias=True)
    np.testing.assert_allclose(Antialiased(size, kernel)(x), expected, atol=1e-3)


@pytest.mark.parametrize("size", [(224, 298), (140, 31), (9, 7)])
@pytest.mark.parametrize(
    "kernel, method",
    [
        ("triangle", Image.Resampling.BILINEAR),
        ("cubic", Image.Resampling.BICUBIC),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_pillow_is_bit_exact_and_antialiased_equals_it_on_floats(kernel, method, size):
    x = frames(96, 128)
    step = Pillow(size, kernel)
    for resized in (step, jax.jit(step)):  # by PIL and by compiled products
        for result, frame in zip(np.asarray(resized(jnp.asarray(x))), x, strict=True):
            image = Image.fromarray(frame.astype(np.uint8)).resize(size[::-1], method)
            np.testing.assert_array_equal(result, np.asarray(image, np.float32))
    channel = np.asarray(Image.fromarray(x[0, :, :, 0]).resize(size[::-1], method))
    result = Antialiased(size, kernel)(jnp.asarray(x))
    np.testing.assert_allclose(result[0, :, :, 0], channel, atol=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_constants_are_preserved_and_equal_sizes_unchanged(kind):
    flat = jnp.full((1, 8, 6, 3), 77.0)
    np.testing.assert_allclose(kind((13, 5))(flat), np.full((1, 13, 5, 3), 77.0), rtol=1e-6)
    x = jnp.asarray(frames(8, 6))
    np.testing.assert_array_equal(kind((8, 6))(x), x)


def test_a_shorter_side_keeps_the_aspect_ratio():
    x = jnp.zeros((1, 240, 321, 3))
    sizes = {"down": 299, "nearest": 300, "up": 300}
    for rounded, width in sizes.items():
        assert HalfPixel(ShorterSide(224, rounded))(x).shape == (1, 224, width, 3)
    assert Legacy(ShorterSide(120))(x.swapaxes(1, 2)).shape == (1, 160, 120, 3)


def test_the_center_is_cropped():
    x = jnp.arange(7.0 * 9).reshape(1, 7, 9, 1)
    assert CenterCrop(4)(x)[0, 0, 0, 0] == x[0, 1, 2, 0]
    assert CenterCrop(4, "nearest")(x)[0, 0, 0, 0] == x[0, 2, 2, 0]
    with pytest.raises(ValueError, match="a crop of 8 x 8 pixels does not fit in frames of 7 x 9"):
        CenterCrop(8)(x)


def test_steps_compile_into_one_program():
    steps = (HalfPixel(ShorterSide(12)), CenterCrop(10), Pillow(6))
    whole = jax.jit(lambda x: [x := step(x) for step in steps][-1])
    x = jnp.asarray(frames(16, 20))
    assert whole(x).shape == (2, 6, 6, 3)
    assert resizing.Legacy(6)(x[None]).shape == (1, 2, 6, 6, 3)
