"""The quickstart's model, asked to complete clips: reconstruction guidance against replacement.

    vdm-jax train experiments/conditional/moving_shapes.py --workdir runs/completion

The same training as experiments/quickstart.py; at the end clips are predicted (4 frames given, 4
made), extended from 8 to 32 frames, and filled in (every second frame given), with and without
guidance, on the same clips and noise. (Ho et al. 2022, section 3.1 and table 6)

A first model of this size (3,400 steps; motion as the caption says in .76 of its samples), 64 clips
predicted by 24 steps of DDIM at guidance 2, seed 0; with caption / without:

                                    colour      direction    first new frame off by, px
    replacement, held noise        1.00 / .25   .59 / .20      1.69 / 2.33
    guidance 2, held noise         1.00 / .23   .75 / .25       .78 / 1.56
    guidance 10, held noise        1.00 / .39   .84 / .34       .73 / 1.00
    guidance 10, fresh noise       1.00         .89             .67
    guidance 10, posterior noise   1.00         .86             .64
    guidance 30, held noise         .97         .70            1.35
    Matched(.25, 100), held noise  1.00         .78            1.03
    true clips                     1.00        1.00            0

Every second frame given, without captions (64 clips): colour, distance to the middle, in between:
replacement .23, 1.35 px, .50; guidance 10 .80, .81 px, .75; true clips 1.00, .02 px, 1.00.
From 8 to 32 frames with captions (32 clips), the last 8: colour, shape, size, clean: replacement
1.00, .50, 1.00, 1.00; guidance 10 1.00, .34, .97, .91 (shape in plain samples: .59).

Without captions the model itself fails: its frames do not share a colour. A better one is wanted
before these numbers say how well guidance works.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, training

CORRECTIONS = (None, diffusion.Gradient(2.0), diffusion.Gradient(10.0))


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    return dataclasses.replace(
        quickstart,
        evaluations=(
            evaluation.Prediction(clips=128, corrections=CORRECTIONS),
            evaluation.Extension(clips=64, frames=32, overlap=4, corrections=CORRECTIONS),
            evaluation.Interpolation(clips=128, corrections=CORRECTIONS),
        ),
    )
