"""Imagen Video in miniature: its seven stages for moving shapes, each trained in minutes on a CPU.

Order and factors are the paper's, x8 in time and x32 in space: 4x8x8 -> 8x8x8 -> 8x16x16 ->
8x64x64 -> 16x64x64 -> 32x64x64 -> 32x256x256. All stages use the same clips of 32 frames, the first
stage every eighth frame. To train in minutes it differs from the full size: a word tokenizer
instead of T5, patches of pixels as channels, super-resolution as a residual of linear upsampling
(`models.Residual`, `models.LinearBlend`), the loss on x, little augmentation, no packs of images.
"""

import dataclasses

from vdm_jax import data, diffusion, evaluation, models, nn, sampling, training

FRAMES = 32


def source(frames: int, size: int) -> data.MovingShapes:
    """Clips of `frames` evenly spaced frames of 32."""
    return data.MovingShapes(frames=frames, size=size, stride=FRAMES // frames)


def tokenizer() -> data.WordTokenizer:
    """The words of the captions as tokens."""
    shapes = source(FRAMES, 8)
    return data.WordTokenizer(shapes.vocabulary, length=shapes.longest_caption)


def base() -> models.UNet:
    """The base model, with spatial, text and temporal attention."""
    space, text, time = (
        nn.SpatialAttention(head_dim=16),
        nn.TextAttention(head_dim=16),
        nn.TemporalAttention(head_dim=16),
    )
    inputs = (nn.LogSNR(), nn.PooledText(heads=4), nn.TextByFrame(heads=4))
    return models.UNet(
        channels=32,
        levels=(
            models.Level(width=1, blocks=1, mixers=(time,)),
            models.Level(width=2, blocks=1, mixers=(space, text, time)),
        ),
        embedding=nn.NormalizedEmbedding(nn.Embedding(width=384, layers=2, inputs=inputs)),
        text=models.WordEncoder(tokenizer().size, features=64),
    )


def super_resolution(
    *,
    channels: int = 48,
    patch: int = 1,
    strides: tuple[int, ...] = (1, 2),
    upsample_time: models.TemporalUpsample = models.LinearBlend(),
    std: float = 0.1,
    text: models.WordEncoder | None = None,
) -> models.Residual:
    """A super-resolution model: an Efficient U-Net on patches.

    channels: the base width; every level is twice as wide as the one before.
    patch: the side of a patch in pixels.
    strides: the spatial stride into each level.
    upsample_time: temporal upsampling of the low-resolution video.
    std: the standard deviation of the residual, as for `models.Residual`.
    text: the text encoder; None for a model without captions.
    """
    inputs: tuple = (nn.LogSNR(), nn.LowresLogSNR())
    if text is not None:
        inputs = (*inputs, nn.PooledText())
    levels = tuple(
        models.EfficientLevel(2**number, (nn.TemporalConvolution(),), 1, (1, stride, stride))
        for number, stride in enumerate(strides)
    )
    unet = models.UNet(
        channels=channels,
        levels=levels,
        embedding=nn.Embedding(width=128, layers=2, inputs=inputs),
        text=text,
        outputs=3 * patch**2,
    )
    return models.Residual(models.Patched(unet, patch) if patch > 1 else unet, upsample_time, std)


def stage(
    model: models.Residual,
    source: data.Source,
    lowres: training.LowRes,
    *,
    text: data.WordTokenizer | None = None,
    batch: int,
    steps: int,
    clips: int = 64,
) -> training.Experiment:
    """A super-resolution stage: its training, its sampling, and its evaluation on `clips` clips."""
    return training.Experiment(
        task=training.Denoising(
            model=model,
            process=diffusion.Process(diffusion.Cosine()),
            times=diffusion.Stratified(),
            weight=diffusion.Constant(),
            lowres=lowres,
        ),
        data=source,
        loader=data.Loader(batch=batch, text=text),
        optimizer=training.Adam(peak=2e-3, warmup=50, decay=training.Cosine(), b2=0.99, ema=0.99),
        sampling=sampling.Generator(sampler=diffusion.DDIM(steps=8), lowres_snr=20.0, batch=16),
        evaluations=(evaluation.SuperResolution(clips=clips),),
        steps=steps,
        log_every=20,
    )


def moving_shapes_stage(
    source: data.Source,
    *,
    batch: int,
    steps: int,
    frames: int = 1,
    size: int = 1,
    crop: int | None = None,
    patch: int = 1,
    strides: tuple[int, int] = (1, 2),
    clips: int = 64,
) -> training.Experiment:
    """A super-resolution stage for moving shapes."""
    text = tokenizer()
    return stage(
        super_resolution(
            patch=patch, strides=strides, text=models.WordEncoder(text.size, features=64)
        ),
        source,
        lowres(frames=frames, size=size, crop=crop),
        text=text,
        batch=batch,
        steps=steps,
        clips=clips,
    )


def distillation(
    experiment: training.Experiment, teacher: str, *, guidance: float = 1.0, first_length: int = 1
) -> training.Experiment:
    """The distillation of a stage from 64 sampling steps to 8, in three halvings.

    Each halving takes a tenth of the updates of the teacher's training.

    experiment: the teacher's.
    teacher: the folder of its run.
    guidance, first_length: as for `training.Distillation`.
    """
    assert isinstance(experiment.task, training.Denoising)
    assert isinstance(experiment.sampling, sampling.Generator)
    denoising = dataclasses.replace(
        experiment.task,
        weight=diffusion.TruncatedSNR(),
        times=diffusion.Stratified(),
        condition_dropout=0.0,
    )
    return dataclasses.replace(
        experiment,
        task=training.Distillation(
            denoising,
            teacher=teacher,
            start_steps=64,
            end_steps=8,
            guidance=guidance,
            first_length=first_length,
            last_lengths=(1,),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        sampling=sampling.Distilled(
            sampler=diffusion.DDIM(steps=8),
            lowres_snr=experiment.sampling.lowres_snr,
            batch=experiment.sampling.batch,
        ),
        evaluations=(),
        steps=experiment.steps // 10,
    )


def lowres(frames: int = 1, size: int = 1, crop: int | None = None) -> training.LowRes:
    """Low-resolution input with noise of log-SNR 0 to 12, where the paper's goes down to -20.

    More noise would dominate the loss, at the cost of detail.
    """
    noise = diffusion.Process(diffusion.Cosine(logsnr_min=0.0, logsnr_max=12.0))
    return training.LowRes(frames, size, crop, noise, diffusion.LogNormal(mean=-3.0, std=1.0))
