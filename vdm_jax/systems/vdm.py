"""Video Diffusion Models (Ho, Salimans, Gritsenko, Chan, Norouzi, Fleet 2022, arXiv 2204.03458).

One pixel-space diffusion model of a fixed block of frames: an image U-Net with a temporal attention
after every spatial attention, trained on videos and single images together, and used for
prediction, extension and super-resolution by guidance when sampling.
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
    """The factorised space-time U-Net (section 3 and appendix A).

    channels, widths: the base width and its multiple at each resolution. attention: where there
    are spatial and temporal attention (the paper: at 32x32, 16x16 and 8x8), with heads of `head`
    features. layers: of the conditioning MLP, 1024 wide, over its `inputs`.
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
