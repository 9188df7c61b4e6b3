"""Imagen Video (Ho, Chan, Saharia, Whang, Gao, ... 2022, arXiv 2210.02303): text to video.

A cascade of seven models (figure 6): a base model samples a short, small video of a caption, and
six super-resolution models upsample it in time (TSR) and in space (SSR). All are pixel-space
diffusion models with v-prediction on the cosine schedule, trained separately, conditioned on the
caption, and sample their whole block of frames at once.

The paper does not give widths, depths, or the kernel and place of temporal convolutions. They are
chosen so that the parameter counts are within 15 % of the published ones and channels fill a matrix
unit. T5's 4096 features are projected to 1024 before all layers, which the paper does not mention.
"""

from vdm_jax import data, diffusion, models, nn, sampling, training

TOKENS, FEATURES = 128, 4096  # tokens of a caption, features of T5-XXL
HEAD_DIM = 128
"""Features per attention head: those of Imagen's Efficient U-Net, and fast on TPUs. Imagen's base
model has 64; Imagen Video's are not published."""


def process() -> diffusion.Process:
    """Cosine, log-SNR in [-20, 20], v-prediction (section 2.3)."""
    return diffusion.Process(diffusion.Cosine(-20.0, 20.0))


def base(channels: int, blocks: tuple[int, ...]) -> models.ProjectedText:
    """The base model: Imagen's 64x64 U-Net with temporal attention (figure 7).

    Below the first resolution, spatial, text and temporal attention follow every block. (Saharia et
    al. 2022, appendix B.1, for the layers within a frame)

    channels: the width of the first level.
    blocks: residual blocks of each level.
    """
    mixers = (
        nn.SpatialAttention(HEAD_DIM),
        nn.TextAttention(HEAD_DIM),
        nn.TemporalAttention(HEAD_DIM, nn.RelativePositions(reach=15)),
    )
    remat = nn.RematLayer(nn.SaveDots())
    levels = [
        models.Level(width, mixers if number else (), count, remat=remat)
        for number, (width, count) in enumerate(zip((1, 2, 3, 4), blocks, strict=True))
    ]
    inputs = (nn.LogSNR(), nn.PooledText())
    return models.ProjectedText(
        models.UNet(channels, tuple(levels), nn.Embedding(width=1024, inputs=inputs))
    )


def super_resolution(
    channels: int,
    *,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    strides: tuple[int, ...] = (2, 2, 2, 2),
    spatial: tuple[bool, ...] = (False, False, False, False),
) -> models.SuperResolution:
    """A super-resolution model: Imagen's Efficient U-Net with temporal convolutions (figure 7).

    A temporal convolution follows every block; the last level has text attention.

    channels: the base width.
    widths: the multiple of `channels` at each level.
    blocks: residual blocks of each level.
    strides: the spatial stride into each level.
    spatial: whether each level has spatial attention.
    """
    text = (False,) * (len(widths) - 1) + (True,)
    levels = []
    for width, count, stride, space, caption in zip(
        widths, blocks, strides, spatial, text, strict=True
    ):
        attention = [nn.SpatialAttention(HEAD_DIM)] * space + [nn.TextAttention(HEAD_DIM)] * caption
        levels.append(
            models.EfficientLevel(
                width,
                (*attention, nn.TemporalConvolution()),
                count,
                (1, stride, stride),
                remat=nn.RematLayer(nn.SaveConvolutions()),
                scan=nn.ScanBlocks(min_blocks=5),
            )
        )
    inputs = (nn.LogSNR(), nn.LowresLogSNR(), nn.PooledText())
    embedding = nn.Embedding(width=1024, inputs=inputs)
    unet = models.UNet(channels, tuple(levels), embedding, outputs=3)
    return models.SuperResolution(models.ProjectedText(unet))


def clips(frames: int, fps: float, size: data.Size, crop: data.Crop | None = None) -> data.Packed:
    """Captioned videos at a frame rate and size, and packs of captioned images (section 2.4).

    `python -m data.build webvid_csv` and `images_csv` build both data sets from tables of captioned
    files; the paper's data are not public.

    crop: of each clip; None is a random crop of the aspect ratio of `size`.
    """
    crop = crop or data.RandomCrop()
    return data.Packed(
        data.Clips("webvid_csv", held_out=None, frames=frames, fps=fps, size=size, crop=crop),
        data.Clips("images_csv", held_out=None, frames=1, size=size, crop=crop),
        share=0.25,
    )


def experiment(
    model: models.ProjectedText | models.SuperResolution,
    source: data.Packed,
    *,
    batch: int,
    guidance: float | diffusion.GuidanceWeight,
    steps: int,
    lowres: training.LowRes | None = None,
) -> training.Experiment:
    """Training and sampling of a stage, with the loss on eps (section 2.3).

    Optimizer, batch size and number of updates are not published; these are of Imagen and of the
    same group's video models.

    batch: the global batch size.
    guidance: the guidance weight.
    steps: sampling steps.
    lowres: the low-resolution input of a super-resolution model.
    """
    return training.Experiment(
        task=training.Denoising(
            model=model,
            process=process(),
            weight=diffusion.SNR(),
            lowres=lowres,
            dtype="bfloat16",
        ),
        data=source,
        loader=data.Loader(
            batch=batch,
            text=data.Embeddings("datasets/t5-xxl", length=TOKENS, features=FEATURES),
            workers=8,
        ),
        optimizer=training.Adam(peak=1e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(
            sampler=diffusion.Ancestral(steps=steps, gamma=0.3),
            guidance=guidance,
            threshold=diffusion.DynamicThreshold(99.5),
            batch=1,
        ),
        steps=2_000_000,
    )
