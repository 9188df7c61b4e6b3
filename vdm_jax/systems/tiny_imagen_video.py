"""Imagen Video in miniature: the same seven stages for moving shapes, each trained in minutes.

Order and factors are the paper's, x8 in time and x32 in space: 4x8x8 -> 8x8x8 -> 8x16x16 ->
8x64x64 -> 16x64x64 -> 32x64x64 -> 32x256x256. All stages see the same clips of 32 frames, the first
ones every eighth of them. What differs from the full size, for the sake of minutes on a CPU: words
instead of T5, patches of pixels as channels, super-resolution of what linear enlarging lacks
(`models.Residual`, `models.LinearBlend`), the loss on x, little augmentation, no packs of images.
"""

import dataclasses

from vdm_jax import data, diffusion, evaluation, models, nn, sampling, training

FRAMES = 32


def source(frames: int, size: int) -> data.MovingShapes:
    """Clips of `frames` out of 32 frames."""
    return data.MovingShapes(frames=frames, size=size, stride=FRAMES // frames)


def words() -> data.WordTokenizer:
    """Captions as words."""
    shapes = source(FRAMES, 8)
    return data.WordTokenizer(shapes.vocabulary, length=shapes.longest_caption)


def base() -> models.UNet:
    """The base model, of attention in space, to the words, and in time."""
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
        text=models.WordEncoder(words().size, features=64),
    )


def super_resolution(
    *,
    channels: int = 48,
    patch: int = 1,
    strides: tuple[int, ...] = (1, 2),
    fill: models.TemporalUpsample = models.LinearBlend(),
    std: float = 0.1,
    text: models.WordEncoder | None = None,
) -> models.Residual:
    """A super-resolution model: an Efficient U-Net on patches of `patch` pixels.

    It has a level for each of `strides`, twice as wide as the one before. std: as for `Residual`.
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
    return models.Residual(models.Patched(unet, patch) if patch > 1 else unet, fill, std)


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
    """A stage of super-resolution: how it is trained, sampled and, on `clips` clips, measured."""
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


def shapes(
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
    """A stage of super-resolution of moving shapes."""
    text = words()
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


def distilled(
    experiment: training.Experiment, teacher: str, *, guidance: float = 1.0, first: int = 1
) -> training.Experiment:
    """A stage in 8 steps instead of 64, in three halvings: 64 -> 32 -> 16 -> 8.

    teacher: the folder of the run of `experiment`. guidance, first: as for `Distillation`. Each
    halving takes a tenth of the steps of the teacher's training.
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
            first_length=first,
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
    """Small videos with noise of log-SNRs about 6, where the paper goes down to -20.

    With more of it the loss would be that of the noise, and detail is what is wanted.
    """
    noise = diffusion.Process(diffusion.Cosine(logsnr_min=0.0, logsnr_max=12.0))
    return training.LowRes(frames, size, crop, noise, diffusion.LogNormal(mean=-3.0, std=1.0))
