"""A small model of real clips, asked to go on from the beginning of held-out ones.

    vdm-jax train experiments/conditional/video_folder.py --set data.path=my/videos \\
        --workdir runs/continued

Frames are every fourth: every second one of the UCF-101 clips below repeats the one before it. The
network sees 2x2 pixels at once, 12 numbers, where experiments/vdm/video_folder_small.py sees 48; at
the end 4 frames of held-out clips are given and 4 made. The step from the last given frame to the
first new one should be no larger than the steps of real clips. (Ho et al. 2022, section 3.1)

Five clips of UCF-101 (8 held-out ends, seed 0, 3,000 steps, an hour of one busy CPU core),
mean absolute differences of 0 .. 255:

                     at the seam   between new frames   from the true new frames
    true clips          10.6              9.4                    0
    replacement         31.0              6.7                  31.3
    guidance 2          16.1              9.4                  17.7
    guidance 10         16.0              9.6                  17.6
    Secant 10           16.9             10.1                  18.2

Guidance keeps the scene, which replacement loses, and moves as much as real clips do. Its seam is
still larger than theirs: what is new is blurred, by about 9 of these units (the squared error of
x_hat is .013 where there is next to no noise), and the frame before it is not. What did not do it:
predicting as EDM does (`diffusion.EDM(0.5)`, weight `Output`; the lowest level half as wide), by
which x_hat is sharper from a log-SNR of 3 on (.0036 at 5) and samples are full of noise (21.2 at
the seam, 24.3 after it); 4x4 pixels at once, which do not fit through 64 channels so (37.8).
"""

import dataclasses
from pathlib import Path

from vdm_jax import data, diffusion, evaluation, models, nn, training

CORRECTIONS = (None, diffusion.Gradient(2.0), diffusion.Gradient(10.0), diffusion.Secant(10.0))


def experiment() -> training.Experiment:
    small = training.load(Path(__file__).parents[1] / "vdm" / "video_folder_small.py")
    task, source = small.task, small.data
    assert isinstance(task, training.Denoising) and isinstance(source, data.VideoFolder)
    space, time = nn.SpatialAttention(head=16), nn.TemporalAttention(head=16)
    unet = models.UNet(
        channels=32,
        levels=(
            models.Level(width=1, blocks=1),
            models.Level(width=2, blocks=1, mixers=(space, time)),
            models.Level(width=4, blocks=1, mixers=(space, time)),
        ),
        embedding=nn.Embedding(width=128, layers=2),
    )
    return dataclasses.replace(
        small,
        task=dataclasses.replace(task, model=models.Patched(unet, patch=2)),
        data=dataclasses.replace(source, stride=4, held_out=0.3),
        loader=data.Loader(batch=4),
        evaluations=(*small.evaluations, evaluation.Seam(clips=64, corrections=CORRECTIONS)),
    )
