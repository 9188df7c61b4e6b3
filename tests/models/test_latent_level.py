"""A U-Net of latent levels as an image model, and as a video model made from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arbitrary import ROUNDING, normal, parameters

from vdm_jax import nn
from vdm_jax.models import Conditioning, LatentLevel, UNet
from vdm_jax.nn import Embedding, SpatialAttention, TemporalAttention

z, logsnr = normal(2, 3, 4, 4, 2), jnp.array([-1.0, 2.0])
space, time = SpatialAttention(head_dim=4), TemporalAttention(head_dim=4)


def unet(*mixers, remat=None):
    levels = (
        LatentLevel(1, mixers, blocks=1, remat=remat),
        LatentLevel(2, blocks=1, bottom=mixers),
    )
    return UNet(4, levels, embedding=Embedding(width=8, layers=1))


def names(tree) -> set:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {(jax.tree_util.keystr(path), leaf.shape) for path, leaf in leaves}


def test_new_temporal_layers_keep_the_outputs_of_the_image_model():
    image, video = unet(space), unet(time, space)
    image_params = parameters(image, z, logsnr)
    video_params = jax.jit(video.init)(jax.random.key(0), z, logsnr)
    assert names(image_params) < names(video_params)

    def merge(new, old):
        if not isinstance(new, dict):
            return old
        return {name: merge(new[name], old[name]) if name in old else new[name] for name in new}

    expected = jax.jit(image.apply)(image_params, z, logsnr)
    extended = jax.jit(video.apply)(merge(video_params, image_params), z, logsnr)
    np.testing.assert_allclose(extended, expected, atol=1e-6)
    assert float(jnp.abs(expected).max()) > 0.1


def test_remat_changes_neither_parameter_names_nor_outputs():
    stored, recomputed = unet(space), unet(space, remat=nn.RematLevel())
    variables = parameters(stored, z, logsnr)
    assert names(variables) == names(parameters(recomputed, z, logsnr))
    apply = jax.jit(lambda network: network.apply(variables, z, logsnr), static_argnums=0)
    np.testing.assert_allclose(apply(recomputed), apply(stored), atol=ROUNDING)


def test_odd_sizes_raise():
    with pytest.raises(ValueError, match="feature map of 5x4 cannot be halved"):
        parameters(unet(), normal(1, 1, 5, 4, 2), logsnr[:1], Conditioning())
