"""What I3D says with its published weights; these tests wait until the weights are at hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageSequence

from vdm_jax.checkpoints import PUBLISHED, CheckpointError


@functools.cache
def network(name: str):
    """The jitted network with its published weights."""
    published = PUBLISHED[name]
    try:
        published.path()
    except CheckpointError as error:
        crcs = "; ".join(f"{tensor}: {crc}" for tensor, crc in published.crc32c)
        pytest.skip(f"{error} (CRC-32C {crcs})")
    params = published.parameters()
    return jax.jit(functools.partial(published.network.apply, {"params": params}))


def labels(real_clips):
    return (real_clips.parent / "fixtures" / "i3d" / "label_map.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "size", "answers"),
    [
        (
            "i3d_kinetics400",
            87.217987,
            {"playing cricket": 19.4886, "robot dancing": 12.6938, "pumping fist": 12.3322},
        ),
        ("i3d_rgb_imagenet", 87.108871, {"playing cricket": 25.856646}),
    ],
)
def test_the_cricket_clip(real_clips, name, size, answers):
    run = network(name)
    with Image.open(real_clips.parent / "fixtures/i3d/v_CricketShot_g04_c01_rgb.gif") as gif:
        clip = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(gif)])
    assert clip.shape == (79, 224, 224, 3)
    logits = np.asarray(run(jnp.asarray(clip[None], jnp.float32) / 127.5 - 1))[0]
    # The preview is a gif of 256 colours: its answers are near those of the clip itself.
    found = dict(zip(labels(real_clips), logits, strict=True))
    assert max(found, key=lambda label: found[label]) == "playing cricket"
    np.testing.assert_allclose(np.linalg.norm(logits), size, rtol=0.05)
    np.testing.assert_allclose([found[label] for label in answers], [*answers.values()], rtol=0.1)


@pytest.mark.parametrize(
    ("name", "frames", "answer", "near"),
    [
        ("i3d_kinetics400", 15, 131.0, 4.0),  # "around 131": frechet_video_distance/example.py
        ("i3d_kinetics400", 30, 151.39244, 0.05),  # common_metrics_on_video_quality
        ("i3d_torchscript", 30, 151.25648, 0.2),
    ],
)
def test_zeros_against_ones(name, frames, answer, near):
    run = network(name)
    black, white = (run(jnp.full((1, frames, 224, 224, 3), value)) for value in (-1.0, 1.0))
    # Clips that are all alike have no covariance: the distance is that of the means.
    np.testing.assert_allclose(jnp.square(black - white).sum(), answer, atol=near)
