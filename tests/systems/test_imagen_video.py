"""The cascade as published: sizes, shapes, parameter counts, and stages that fit each other."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from vdm_jax import data, training
from vdm_jax.models import Conditioning

FOLDER = Path(__file__).parents[2] / "experiments" / "imagen_video"
# Ho et al. 2022, figure 6 and section 3.2: billions of parameters, frames per second.
STAGES = {
    "base_16x24x40": (5.6, 3),
    "tsr_32x24x40": (1.7, 6),
    "ssr_32x48x80": (1.4, 6),
    "ssr_32x192x320": (1.2, 6),
    "tsr_64x192x320": (0.78, 12),
    "tsr_128x192x320": (0.63, 24),
    "ssr_128x768x1280": (0.34, 24),
}
SMALLER = {"base_16x24x40_500m": (0.5, 3), "base_16x24x40_1600m": (1.6, 3)}


def shape(name: str) -> tuple[int, ...]:
    """(frames, height, width): the published size, from the name."""
    frames, height, width = name.split("_")[1].split("x")
    return int(frames), int(height), int(width)


def count(tree) -> float:
    return sum(x.size for x in jax.tree.leaves(tree)) / 1e9


@pytest.mark.parametrize("name", [*STAGES, *SMALLER])
def test_parameter_counts_are_within_15_percent_of_the_published_ones(name):
    """At full size, with an output for every pixel of the video."""
    experiment = training.load(FOLDER / f"{name}.py")
    batch = {
        key: jax.ShapeDtypeStruct((1, *s.shape[1:]), s.dtype)
        for key, s in experiment.loader.shapes(experiment.data).items()
    }
    params, frozen = jax.eval_shape(experiment.task.init, jax.random.key(0), batch)
    assert not frozen
    published, fps = (STAGES | SMALLER)[name]
    assert count(params) == pytest.approx(published, rel=0.15)
    frames, height, width = shape(name)
    assert frames / fps == pytest.approx(16 / 3)
    assert experiment.data.videos.fps == fps and experiment.data.frames == frames

    lowres = experiment.task.lowres
    low = (1, frames, height, width, 3)
    if lowres is not None:
        low = (1, frames // lowres.frames, height // lowres.size, width // lowres.size, 3)
        assert lowres.shape(low) == (1, frames, height, width, 3)
    text = {k: batch[k] for k in ("text", "text_mask")}
    cond = {k: jax.ShapeDtypeStruct((1, *s.shape[2:]), s.dtype) for k, s in text.items()}

    def denoise(params, z, low, cond):
        lowres_cond = {} if lowres is None else {"lowres": low, "lowres_logsnr": jnp.zeros(1)}
        return experiment.task.denoiser(params, {}, Conditioning(**cond, **lowres_cond))(
            z, jnp.zeros(())
        )

    z = jax.ShapeDtypeStruct((1, frames, height, width, 3), jnp.float32)
    low = jax.ShapeDtypeStruct(low, jnp.float32)
    assert jax.eval_shape(denoise, params, z, low, cond).shape == z.shape


def test_each_stage_upsamples_the_shape_of_the_one_before():
    """x8 in time and x32 in space over all stages, with 11.65 billion parameters in all."""
    names = list(STAGES)
    for before, name in itertools.pairwise(names):
        lowres = training.load(FOLDER / f"{name}.py").task.lowres
        assert lowres.shape((1, *shape(before), 3))[1:4] == shape(name)
    assert sum(parameters for parameters, _ in STAGES.values()) == pytest.approx(11.65)


def test_the_last_stages_have_no_spatial_attention():
    """As published, so that the last stage is fully convolutional and trains on crops."""
    for name, spatial in (("ssr_32x192x320", True), ("tsr_64x192x320", False),
                          ("tsr_128x192x320", False), ("ssr_128x768x1280", False)):  # fmt: skip
        levels = training.load(FOLDER / f"{name}.py").task.model.network.network.levels
        kinds = {type(m).__name__ for level in levels for m in level.mixers}
        assert ("SpatialAttention" in kinds) is spatial
        assert {"TemporalConvolution", "TextAttention"} <= kinds
    crops = training.load(FOLDER / "ssr_128x768x1280.py")
    assert crops.task.lowres.crop == 256 and data.sides(crops.data.size) == (288, 288)
