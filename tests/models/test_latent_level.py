"""A U-Net of latent levels: as an image model, as a video model grown from it."""

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


def unet(*mixers, remat=nn.Never()):
    levels = (
        LatentLevel(1, mixers, blocks=1, remat=remat),
        LatentLevel(2, blocks=1, bottom=mixers),
    )
    return UNet(4, levels, embedding=Embedding(width=8, layers=1))


def names(tree) -> set:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {(jax.tree_util.keystr(path), leaf.shape) for path, leaf in leaves}


def test_an_image_model_with_new_temporal_layers_is_the_image_model():
    image, video = unet(space), unet(time, space)
    drawn = parameters(image, z, logsnr)
    grown = jax.jit(video.init)(jax.random.key(0), z, logsnr)
    assert names(drawn) < names(grown)

    def keep(new, old):
        if not isinstance(new, dict):
            return old
        return {name: keep(new[name], old[name]) if name in old else new[name] for name in new}

    before = jax.jit(image.apply)(drawn, z, logsnr)
    after = jax.jit(video.apply)(keep(grown, drawn), z, logsnr)
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert float(jnp.abs(before).max()) > 0.1


def test_computing_a_level_again_changes_no_name_and_no_output():
    once, again = unet(space), unet(space, remat=nn.RematLevel())
    variables = parameters(once, z, logsnr)
    assert names(variables) == names(parameters(again, z, logsnr))
    apply = jax.jit(lambda network: network.apply(variables, z, logsnr), static_argnums=0)
    np.testing.assert_allclose(apply(again), apply(once), atol=ROUNDING)


def test_sizes_that_cannot_be_halved_are_named():
    with pytest.raises(ValueError, match="feature map of 5x4 cannot be halved"):
        parameters(unet(), normal(1, 1, 5, 4, 2), logsnr[:1], Conditioning())
