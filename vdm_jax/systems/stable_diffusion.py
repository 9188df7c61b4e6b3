"""Stable Diffusion (Rombach, Blattmann, Lorenz, Esser, Ommer 2022, arXiv 2112.10752).

A diffusion model of an autoencoder's latents, an eighth of the image in rows and columns, that
reads its caption as CLIP's token embeddings by cross-attention. Version 1 (8 heads, CLIP ViT-L/14,
predicts eps) and version 2 (heads of 64 features, OpenCLIP ViT-H/14, predicts v at 768x768).
The networks fit the published checkpoints by `checkpoints.layouts`.
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
    """The U-Net over latents: transformers at all levels but the last, and at the bottom.

    heads: of the attentions at each level. channels, widths: the base width and its multiple at
    each level. depth: how often a transformer has its three layers. embedding: the conditioning
    vector's width.
    """

    def transformers(width: int, heads: int) -> tuple[nn.Transformer]:
        head = width * channels // heads
        layers = (nn.SelfAttention(head), nn.CrossAttention(head), nn.GatedFeedForward())
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
    """Of Stable Diffusion 1: 860 M parameters; text embeddings of 768 features."""
    return unet((8, 8, 8, 8))


def unet_2() -> models.UNet:
    """Of Stable Diffusion 2: 866 M parameters; text embeddings of 1024 features."""
    return unet((5, 10, 20, 20))


def autoencoder() -> models.AutoencoderKL:
    """Of both versions: 84 M parameters, 8x8 pixels to 4 channels."""
    return models.AutoencoderKL()


def text_1() -> models.ClipText:
    """The text encoder of Stable Diffusion 1, which reads padding like any token."""
    return models.ClipText.vit_l14().clone(projection=None)


def text_2() -> models.ClipText:
    """The text encoder of Stable Diffusion 2: OpenCLIP's without its last layer."""
    return models.ClipText.open_clip_h().clone(layers=23, projection=None)


def process(parameterization: diffusion.Parameterization) -> diffusion.Process:
    """The published steps: `Eps` in version 1 and 2-base, `V` in version 2."""
    return diffusion.Process(STEPS, diffusion.VariancePreserving(), parameterization)
