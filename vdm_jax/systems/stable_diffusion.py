"""Stable Diffusion (Rombach, Blattmann, Lorenz, Esser, Ommer 2022, arXiv 2112.10752).

A diffusion model of the latents of an autoencoder, which downsamples images by 8, with
cross-attention to the CLIP token embeddings of the caption. Version 1 has 8 heads and CLIP ViT-L/14
and predicts eps; version 2 has heads of 64 features and OpenCLIP ViT-H/14, and predicts v at
768x768. `checkpoints.layouts` maps the published checkpoints to these networks.
"""

from vdm_jax import diffusion, models, nn

STEPS = diffusion.DiscreteBetas(beta_start=0.00085, beta_end=0.012, steps=1000, power=2.0)


def unet(
    heads: tuple[int, ...],
    *,
    channels: int = 320,
    widths: tuple[int, ...] = (1, 2, 4, 4),
    depth: int = 1,
    embedding: int = 1280,
) -> models.UNet:
    """The U-Net over latents (figure 3): transformers in the middle and in all levels but the last.

    heads: attention heads at each level.
    channels: the base width.
    widths: the multiple of `channels` at each level.
    depth: repetitions of a transformer's three layers.
    embedding: the width of the conditioning vector.
    """

    def transformers(width: int, heads: int) -> tuple[nn.Transformer]:
        head_dim = width * channels // heads
        layers = (nn.SelfAttention(head_dim), nn.CrossAttention(head_dim), nn.GatedFeedForward())
        return (nn.Transformer(layers * depth),)

    mixers = [transformers(*level) for level in zip(widths, heads, strict=True)]
    levels = [models.LatentLevel(width, mixed) for width, mixed in zip(widths, mixers, strict=True)]
    last = models.LatentLevel(widths[-1], bottom=mixers[-1])
    return models.UNet(
        channels=channels,
        levels=(*levels[:-1], last),
        embedding=nn.Embedding(embedding, layers=1, inputs=(nn.StepNumber(STEPS, channels),)),
    )


def unet_1() -> models.UNet:
    """The U-Net of version 1: 860 M parameters, text embeddings of 768 features."""
    return unet((8, 8, 8, 8))


def unet_2() -> models.UNet:
    """The U-Net of version 2: 866 M parameters, text embeddings of 1024 features."""
    return unet((5, 10, 20, 20))


def autoencoder() -> models.AutoencoderKL:
    """The autoencoder of both versions: 84 M parameters, 8x8 pixels to 4 channels."""
    return models.AutoencoderKL()


def text_encoder_1() -> models.ClipText:
    """The text encoder of version 1; attention does not mask padding."""
    return models.ClipText.vit_l14().clone(projection=None)


def text_encoder_2() -> models.ClipText:
    """The text encoder of version 2: OpenCLIP's without its last layer."""
    return models.ClipText.open_clip_h().clone(layers=23, projection=None)


def process(parameterization: diffusion.Parameterization) -> diffusion.Process:
    """The published noise schedule; `Eps` in versions 1 and 2-base, `V` in version 2."""
    return diffusion.Process(STEPS, diffusion.VariancePreserving(), parameterization)
