"""Imagen Video, stage 1 of 7: the base model (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/base_16x24x40.py \\
        --workdir runs/imagen_video/base_16x24x40

16 frames of 24x40 pixels at 3 a second, of captions alone.
5.68 billion parameters (the paper: 5.6). A step of 2048 rows is meant for 128 chips of v5p, or for
64 with `--set optimizer.accumulate=2`.
Captioned videos and images: `python -m data.build webvid_csv` and `images_csv` (data/README.md);
their captions: `vdm-jax embed`.
Paper: hardware, batch and updates are not published; 256 steps of sampling, guidance oscillating
between 15 and 1. Ours: not trained yet.
"""

from vdm_jax import diffusion, training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.base(channels=768, blocks=(3, 3, 4, 3)),
        source=imagen_video.clips(frames=16, fps=3.0, size=(24, 40)),
        batch=2048,
        guidance=diffusion.Oscillating(high=15.0, low=1.0, steps=256),
        steps=256,
    )
