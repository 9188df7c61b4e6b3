"""The quickstart's model, asked to complete clips: reconstruction guidance against replacement.

    vdm-jax train experiments/conditional/moving_shapes.py --workdir runs/completion

The same training as experiments/quickstart.py; at the end clips are predicted (4 frames given, 4
made), extended from 8 to 32 frames, and filled in (every second frame given), with and without
guidance, on the same clips and noise. (Ho et al. 2022, section 3.1 and table 6)

4 frames of 8 given (128 clips, 24 steps of DDIM, text guidance 2, seed 0), with caption / without:

                                         colour      direction   first new frame off by, px
    replacement                         .99 / .29    .77 / .29      .94 / 2.06
    guidance 2                         1.00 / .51    .94 / .36      .35 / 1.21
    guidance 10                        1.00 / .85    .96 / .54      .39 /  .63
    guidance 10, fresh noise, no
      text guidance                    1.00 / .90    .98 / .55      .23 /  .62
    true clips                         1.00         1.00            0

The last but one is `path=diffusion.Fresh()` and `sampling.guidance=1`; 48 steps change nothing.

From 8 to 32 frames with captions (64 clips), what the oracle says of the last 8 (plain samples have
colour 1.00, shape .58, size .99, clean 1.00): guidance that is good for one block wears the shapes
down over six, replacement does not.

                     colour   shape   size   clean
    replacement        .98     .67     .98    1.00
    guidance 2         .98     .55     .97     .83
    guidance 10        .95     .41     .69     .27

Every second frame given, without captions (128 clips):

                     colour   off the middle by, px   between its neighbours
    replacement        .87            .97                     .69
    guidance 2        1.00            .35                     .94
    guidance 10       1.00            .36                     .93
    true clips        1.00            .02                    1.00
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, sampling, training

CORRECTIONS = (None, diffusion.Gradient(2.0), diffusion.Gradient(10.0))


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    fresh = diffusion.Fresh()
    return dataclasses.replace(
        quickstart,
        # What is known says enough: no text guidance beside it.
        sampling=sampling.Generator(sampler=diffusion.Ancestral(steps=24), batch=64),
        evaluations=(
            evaluation.Prediction(clips=128, corrections=CORRECTIONS, path=fresh),
            evaluation.Extension(
                clips=64, frames=32, overlap=4, corrections=CORRECTIONS, path=fresh
            ),
            evaluation.Interpolation(clips=128, corrections=CORRECTIONS, path=fresh),
        ),
    )
