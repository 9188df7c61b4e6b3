"""Video Diffusion Models (Ho, Salimans, Gritsenko, Chan, Norouzi, Fleet 2022, arXiv 2204.03458).

A pixel-space diffusion model of a fixed block of frames: an image U-Net with temporal attention
after every spatial attention (section 3), trained jointly on videos and images. Reconstruction
guidance (section 3.1) adds prediction, extension and super-resolution at sampling time.
"""

from vdm_jax import diffusion, models, nn


def unet(
    channels: int,
    widths: tuple[int, ...],
    attention: tuple[bool, ...],
    *,
    blocks: int = 2,
    head_dim: int = 64,
    layers: int = 4,
    inputs: tuple = (nn.LogSNR(),),
    dropout: float = 0.0,
) -> models.UNet:
    """The factorized space-time U-Net (section 3 and appendix A).

    channels: the base width.
    widths: the multiple of `channels` at each resolution.
    attention: whether each resolution has spatial and temporal attention (the paper: at 32x32,
      16x16 and 8x8).
    blocks: residual blocks per resolution.
    head_dim: features per attention head.
    layers: of the conditioning MLP, 1024 wide.
    inputs: of the conditioning MLP.
    dropout: the rate in residual blocks.
    """
    mixers = (nn.SpatialAttention(head_dim), nn.TemporalAttention(head_dim))
    return models.UNet(
        channels=channels,
        levels=tuple(
            models.Level(width, mixers if mixed else (), blocks)
            for width, mixed in zip(widths, attention, strict=True)
        ),
        embedding=nn.Embedding(width=1024, layers=layers, inputs=inputs),
        dropout=dropout,
    )


def process(parameterization: diffusion.Parameterization) -> diffusion.Process:
    """The cosine schedule with log-SNR in [-20, 20], variance preserving (section 2)."""
    return diffusion.Process(
        diffusion.Cosine(-20.0, 20.0), diffusion.VariancePreserving(), parameterization
    )
