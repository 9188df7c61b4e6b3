"""Imagen Video (Ho, Chan, Saharia, Whang, Gao, ... 2022, arXiv 2210.02303): a cascade for text.

A base model makes a short, small video of a caption; six super-resolution models make it longer and
larger, in time (TSR) and space (SSR). All are pixel-space diffusion models with v-prediction on the
cosine schedule, trained apart, all read the caption, and each makes its whole block of frames at
once. What the paper leaves open (widths, depths, kernel and place of temporal convolutions) is
chosen here so that parameters come near the published ones and channels fill a matrix unit.
Captions are brought from T5's 4096 features to 1024 before any layer reads them, of which the paper
says nothing either.
"""

from vdm_jax import data, diffusion, models, nn, sampling, training

TOKENS, FEATURES = 128, 4096  # of a caption; of T5-XXL
HEAD = 128
"""Features of a head of attention: those of Imagen's Efficient U-Net, and what a TPU is fast with.
The base of Imagen has 64, and Imagen Video does not say."""


def process() -> diffusion.Process:
    """Cosine, log-SNR in [-20, 20], v-prediction (section 2.3)."""
    return diffusion.Process(diffusion.Cosine(-20.0, 20.0))


def base(channels: int, blocks: tuple[int, ...]) -> models.ProjectedText:
    """The base model: Imagen's 64x64 U-Net, with temporal attention (figure 7).

    `blocks` of each level. Below the first resolution every one is followed by attention in space,
    to the caption, and in time. (Saharia et al. 2022, appendix B.1, for what is in a frame)
    """
    mixers = (
        nn.SpatialAttention(HEAD),
        nn.TextAttention(HEAD),
        nn.TemporalAttention(HEAD, nn.RelativePositions(reach=15)),
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
    """A super-resolution model: Imagen's Efficient U-Net, with temporal convolution (figure 7).

    Level by level: `widths` and `blocks` of it, the `strides` into it, and whether there is
    `spatial` attention. All end in a temporal convolution; the last reads the caption.
    """
    text = (False,) * (len(widths) - 1) + (True,)
    levels = []
    for width, count, stride, space, caption in zip(
        widths, blocks, strides, spatial, text, strict=True
    ):
        attention = [nn.SpatialAttention(HEAD)] * space + [nn.TextAttention(HEAD)] * caption
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

    `python -m data.build webvid_csv` and `images_csv` build them from tables of any such collection
    (the paper's are not public). A `crop` of None keeps a random part of the right proportions.
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
    """How every stage is trained and sampled; `steps` are the sampler's.

    The loss is the error of eps (section 2.3). Optimizer, batch and number of updates are not
    published: those of Imagen and of the same group's video models stand in.
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
