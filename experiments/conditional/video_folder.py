"""A small model of real clips, asked to go on from the beginning of held-out ones.

    vdm-jax train experiments/conditional/video_folder.py --set data.path=my/videos \\
        --workdir runs/continued

The same training as experiments/vdm/video_folder_small.py; at the end 4 frames of held-out clips
are given and 4 made. The step from the last given frame to the first new one should be no larger
than the steps of real clips. (Ho et al. 2022, section 3.1) Not run to its end yet.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, training

CORRECTIONS = (None, diffusion.Gradient(2.0), diffusion.Gradient(10.0))


def experiment() -> training.Experiment:
    small = training.load(Path(__file__).parents[1] / "vdm" / "video_folder_small.py")
    return dataclasses.replace(
        small,
        evaluations=(*small.evaluations, evaluation.Seam(clips=64, corrections=CORRECTIONS)),
    )
