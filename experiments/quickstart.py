"""Text to video in minutes on a laptop: captioned moving shapes, 8 frames of 16x16 pixels.

    vdm-jax train experiments/quickstart.py --workdir runs/quickstart

Cost: 8 to 12 minutes of training on two idle CPU cores.
Ours, 128 samples of captions that training did not see, judged by the moving-shapes oracle (seed 0,
one run): size .99, colour 1.00, motion .99, shape .56, clean 1.00.

Motion needs `nn.TextByFrame`. Colour needs four heads that read the caption (one head, at the same
length of training: .88). The layout needs a schedule with more noise than 16 pixels would.
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
            # The noise that suits 34 pixels, for 16: high noise decides layout and motion.
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
