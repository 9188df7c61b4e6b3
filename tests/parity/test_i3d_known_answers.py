"""Known outputs of I3D with its published weights; skipped without the files."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageSequence
from published_weights import published_or_skip

from vdm_jax.metrics import Moments, frechet_distance


@functools.cache
def network(name: str):
    """The jitted network with its published weights."""
    published = published_or_skip(name)
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
        (
            "i3d_rgb_imagenet",
            87.108871,
            {"playing cricket": 25.856646, "playing kickball": 12.330335},
        ),
    ],
)
def test_logits_of_the_cricket_clip(real_clips, name, size, answers):
    run = network(name)
    with Image.open(real_clips.parent / "fixtures/i3d/v_CricketShot_g04_c01_rgb.gif") as gif:
        clip = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(gif)])
    assert clip.shape == (79, 224, 224, 3)
    logits = np.asarray(run(jnp.asarray(clip[None], jnp.float32) / 127.5 - 1))[0]
    # The preview is a gif of 256 colors: its logits are near those of the clip itself.
    by_label = dict(zip(labels(real_clips), logits, strict=True))
    assert max(by_label, key=lambda label: by_label[label]) == "playing cricket"
    np.testing.assert_allclose(np.linalg.norm(logits), size, rtol=0.05)
    np.testing.assert_allclose(
        [by_label[label] for label in answers], [*answers.values()], rtol=0.1
    )


@pytest.mark.parametrize(
    ("name", "frames", "answer", "near"),
    [
        ("i3d_kinetics400", 15, 131.0, 4.0),  # "around 131": frechet_video_distance/example.py
        ("i3d_kinetics400", 30, 151.39244, 0.05),  # common_metrics_on_video_quality
        ("i3d_torchscript", 30, 151.25648, 0.2),
        # Numbers of the same code for shorter clips.
        *(
            ("i3d_torchscript", frames, answer, 0.2)
            for frames, answer in (
                *((10, 569.23), (11, 486.36), (12, 551.96), (13, 146.37)),
                *((14, 172.85), (15, 133.70), (16, 152.92)),
            )
        ),
    ],
)
def test_distance_of_zeros_and_ones(name, frames, answer, near):
    run = network(name)
    black, white = (run(jnp.full((1, frames, 224, 224, 3), value)) for value in (-1.0, 1.0))
    # Equal clips have no covariance: the distance is that of the means.
    np.testing.assert_allclose(jnp.square(black - white).sum(), answer, atol=near)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("i3d_kinetics400", 10.13808536529541), ("i3d_torchscript", 10.138084766713924)],
)
def test_distance_of_two_sets_of_noise(name, answer):
    """The number of fvd-comparison: 128 clips of 16 frames each in [0, 1], not rescaled."""
    run = network(name)
    moments = []
    for seed in (1, 2):
        random, features = np.random.RandomState(seed), []
        for _ in range(128):  # one by one: the same numbers as all clips drawn at once
            features.append(np.asarray(run(random.rand(1, 16, 224, 224, 3).astype(np.float32))))
        moments.append(Moments.of(np.concatenate(features)))
    assert frechet_distance(*moments) == pytest.approx(answer, rel=1e-4)
