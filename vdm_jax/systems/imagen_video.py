"""Imagen Video (Ho, Chan, Saharia, Whang, Gao, ... 2022, arXiv 2210.02303): a cascade for text.

A base model makes a short, small video of a caption; six super-resolution models make it longer and
larger, in time (TSR) and space (SSR). All are pixel-space diffusion models with v-prediction on the
cosine schedule, trained apart, all read the caption, and each makes its whole block of frames at
once. What the paper leaves open (widths, depths, kernel and place of temporal convolutions) is
chosen here so that parameters come near the published ones and channels fill a matrix unit; each
experiment says so.
"""

from vdm_jax import data, diffusion, models, nn, sampling, training

TOKENS, FEATURES = 128, 4096  # of a caption; of T5-XXL


def process() -> diffusion.Process:
    """Cosine, log-SNR in [-20, 20], v-prediction (section 2.3)."""
    return diffusion.Process(diffusion.Cosine(-20.0, 20.0))


def base(
    channels: int,
    *,
    widths: tuple[int, ...] = (1, 2, 3, 4),
    blocks: int = 3,
    head: int = 64,
    frames: int = 16,
    embedding: nn.Embedding = nn.Embedding(width=1024, inputs=(nn.LogSNR(), nn.PooledText())),
    text: models.WordEncoder | None = None,
    remat: nn.Recompute = nn.ByLayer(),
    chain: nn.Chain = nn.Scanned(),
) -> models.UNet:
    """The base model: Imagen's 64x64 U-Net, with temporal attention (figure 7).

    Below the first resolution every block is followed by attention in space, to the caption, and in
    time. head: features of each of its heads; Imagen has 64, a TPU is faster with 128, and Imagen
    Video does not say. (Saharia et al. 2022, appendix B.1, for what is in a frame)
    """
    mixers = (
        nn.SpatialAttention(head),
        nn.TextAttention(head),
        nn.TemporalAttention(head, nn.RelativePositions(reach=frames - 1)),
    )
    return models.UNet(
        channels=channels,
        levels=tuple(
            models.Level(width, mixers if number else (), blocks, remat=remat, chain=chain)
            for number, width in enumerate(widths)
        ),
        embedding=embedding,
        text=text,
    )


def super_resolution(
    channels: int,
    *,
    widths: tuple[int, ...],
    blocks: tuple[int, ...],
    strides: tuple[int, ...] = (2, 2, 2, 2),
    spatial: tuple[bool, ...] = (False, False, False, False),
    text: tuple[bool, ...] = (False, False, False, True),
    head: int = 64,
    fill: models.Fill = models.Repeat(),
    embedding: nn.Embedding = nn.Embedding(
        width=1024, inputs=(nn.LogSNR(), nn.LowresLogSNR(), nn.PooledText())
    ),
    words: models.WordEncoder | None = None,
    remat: nn.Recompute = nn.ByLayer(nn.Convolutions()),
    chain: nn.Chain = nn.Scanned(least=5),
) -> models.SuperResolution:
    """A super-resolution model: Imagen's Efficient U-Net, with temporal convolution (figure 7).

    Level by level: `widths` and `blocks` of it, the `strides` into it, and whether there is
    `spatial` attention, or attention to the `text`. All end in a temporal convolution.
    """
    levels = []
    for width, count, stride, space, caption in zip(
        widths, blocks, strides, spatial, text, strict=True
    ):
        mixers = [nn.SpatialAttention(head)] * space + [nn.TextAttention(head)] * caption
        levels.append(
            models.EfficientLevel(
                width,
                (*mixers, nn.TemporalConvolution()),
                count,
                (1, stride, stride),
                remat,
                chain,
            )
        )
    unet = models.UNet(
        channels=channels, levels=tuple(levels), embedding=embedding, text=words, outputs=3
    )
    return models.SuperResolution(unet, fill)


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
    model: models.UNet | models.SuperResolution,
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
