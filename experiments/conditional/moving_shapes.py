"""Prediction, extension and interpolation of moving shapes: reconstruction guidance or replacement.

    vdm-jax train experiments/conditional/moving_shapes.py --workdir runs/completion

(Ho et al. 2022, section 3.1 and table 6.) Model and training are those of
experiments/quickstart.py. After training the model predicts 4 frames from 4, extends 8 frames to
32, and interpolates between every second frame. All methods see the same clips and the same noise.
Cost: the training of experiments/quickstart.py, then these evaluations.

Ours, prediction (128 clips, 24 ancestral steps without text guidance, independent noise on the
known frames, seed 0), with caption / without:

                         colour      direction   first new frame off by, px
    replacement         .99 / .51    .84 / .24      .53 / 1.75
    guidance 2         1.00 / .74    .98 / .34      .24 /  .94
    guidance 10        1.00 / .95   1.00 / .77      .19 /  .34
    true clips         1.00         1.00            0

`diffusion.FiniteDifferenceGuidance(10.0)`, which has no backward pass, on the first 64 of these
clips, in brackets guidance 10 on the same clips: colour 1.00 / .88 (1.00 / .91), direction
1.00 / .44 (.98 / .67), .22 / .60 px (.23 / .41).

DDIM with text guidance 2 and noise of the forward process on the known frames
(`sampling.sampler=diffusion.DDIM(24)`, `sampling.guidance=2.0`,
`evaluations.0.known_noise=diffusion.ForwardProcessNoise()`): guidance 10 has direction .96 / .54
and .39 / .63 px.

Ours, extension with captions (64 clips): the oracle on the last 8 frames, ancestral / DDIM as
above. Plain samples have colour 1.00, shape .58, size .99, clean 1.00:

                     colour       shape        size        clean
    replacement     .95 /  .98   .61 / .67   .91 / .98   .88 / 1.00
    guidance 2      .89 /  .98   .41 / .55   .73 / .97   .77 /  .83
    guidance 10     .88 /  .95   .38 / .41   .78 / .69   .61 /  .27

Guidance that suits one block degrades the shapes over six blocks; replacement does not.

Ours, interpolation without captions (128 clips):

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
    noise = diffusion.IndependentNoise()
    return dataclasses.replace(
        quickstart,
        # No text guidance: the known frames fix the content.
        sampling=sampling.Generator(sampler=diffusion.Ancestral(steps=24), batch=64),
        evaluations=(
            evaluation.Prediction(clips=128, corrections=CORRECTIONS, known_noise=noise),
            evaluation.Extension(
                clips=64, frames=32, overlap=4, corrections=CORRECTIONS, known_noise=noise
            ),
            evaluation.Interpolation(clips=128, corrections=CORRECTIONS, known_noise=noise),
        ),
    )
