"""Text to video in minutes on a laptop: shapes that move as their captions say.

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart

Eight to twelve minutes of training on two idle CPU cores. Of 128 prompted samples of unseen
captions, as the oracle sees them (seed 0, one run): size .99, colour 1.00, motion .99, shape .56,
clean 1.00. What it takes: `nn.TextByFrame` for motion, four heads that read the caption for colour
(with one, at the same length, .88), a schedule with more noise than 16 pixels would need for the
layout.
"""

from vdm_jax import data, diffusion, evaluation, models, nn, sampling, training


def experiment() -> training.Experiment:
    source = data.MovingShapes(frames=8, size=16)
    words = data.WordTokenizer(source.vocabulary, length=source.longest_caption)
    space, time = nn.SpatialAttention(head_dim=16), nn.TemporalAttention(head_dim=16)
    unet = models.UNet(
        channels=32,
        levels=(
            models.Level(width=1, blocks=1, mixers=(time,)),
            models.Level(width=2, blocks=1, mixers=(space, time)),
        ),
        embedding=nn.NormalizedEmbedding(
            nn.Embedding(
                width=384,
                layers=2,
                inputs=(nn.LogSNR(), nn.PooledText(heads=4), nn.TextByFrame(heads=4)),
            )
        ),
        text=models.WordEncoder(words.size, features=64),
    )
    return training.Experiment(
        task=training.Denoising(
            model=models.Patched(unet, patch=2),
            # 16 pixels with the noise that suits 34: layout and motion are decided in noise.
            process=diffusion.Process(diffusion.ShiftedCosine(resolution=34, noise_resolution=16)),
            weight=diffusion.Constant(),
        ),
        data=source,
        loader=data.Loader(batch=8, text=words),
        optimizer=training.Adam(peak=2e-3, warmup=100, decay=training.Cosine(), b2=0.99, ema=0.998),
        sampling=sampling.Generator(sampler=diffusion.DDIM(steps=24), guidance=2.0, batch=64),
        evaluations=(evaluation.MovingShapesOracle(samples=128),),
        steps=3400,
    )
