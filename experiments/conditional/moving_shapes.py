"""The quickstart's model, asked to complete clips: reconstruction guidance against replacement.

    vdm-jax train experiments/conditional/moving_shapes.py --workdir runs/completion

The same training as experiments/quickstart.py; at the end clips are predicted (4 frames given, 4
made), extended from 8 to 32 frames, and filled in (every second frame given), with and without
guidance, on the same clips and noise. (Ho et al. 2022, section 3.1 and table 6)

4 frames of 8 given (128 clips, 24 ancestral steps without text guidance, fresh noise on what is
known, seed 0), with caption / without:

                         colour      direction   first new frame off by, px
    replacement         .99 / .51    .84 / .24      .53 / 1.75
    guidance 2         1.00 / .74    .98 / .34      .24 /  .94
    guidance 10        1.00 / .95   1.00 / .77      .19 /  .34
    true clips         1.00         1.00            0

Without a backward pass (`diffusion.FiniteDifferenceGuidance(10.0)`), on the first 64 of these
clips, beside guidance 10 on the same: colour 1.00 / .88 (1.00 / .91), direction 1.00 / .44 (.98 /
.67), and .22 / .60 px (.23 / .41) off.

By DDIM, under text guidance of 2, and with noise held on its path (`sampling.sampler=
diffusion.DDIM(24)`, `sampling.guidance=2.0`, `evaluations.0.path=diffusion.ForwardProcessNoise()`)
guidance 10 has direction .96 / .54, and is .39 / .63 px off.

From 8 to 32 frames with captions (64 clips), what the oracle says of the last 8 (plain samples have
colour 1.00, shape .58, size .99, clean 1.00), and beside it the same by DDIM as above:

                     colour       shape        size        clean
    replacement     .95 /  .98   .61 / .67   .91 / .98   .88 / 1.00
    guidance 2      .89 /  .98   .41 / .55   .73 / .97   .77 /  .83
    guidance 10     .88 /  .95   .38 / .41   .78 / .69   .61 /  .27

Guidance that is good for one block wears the shapes down over six; replacement does not.

Every second frame given, without captions (128 clips):

                     colour   off the middle by, px   between its neighbours
    replacement        .96            .38                     .95
    guidance 2        1.00            .18                     .99
    guidance 10       1.00            .23                     .97
    true clips        1.00            .02                    1.00
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, sampling, training

CORRECTIONS = (None, diffusion.ReconstructionGuidance(2.0), diffusion.ReconstructionGuidance(10.0))


def experiment() -> training.Experiment:
    quickstart = training.load(Path(__file__).parents[1] / "quickstart.py")
    fresh = diffusion.IndependentNoise()
    return dataclasses.replace(
        quickstart,
        # What is known says enough: no text guidance beside it.
        sampling=sampling.Generator(sampler=diffusion.Ancestral(steps=24), batch=64),
        evaluations=(
            evaluation.Prediction(clips=128, corrections=CORRECTIONS, known_noise=fresh),
            evaluation.Extension(
                clips=64, frames=32, overlap=4, corrections=CORRECTIONS, known_noise=fresh
            ),
            evaluation.Interpolation(clips=128, corrections=CORRECTIONS, known_noise=fresh),
        ),
    )
