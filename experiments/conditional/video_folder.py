"""A small model of real clips, asked to go on from the beginning of held-out ones.

    vdm-jax train experiments/conditional/video_folder.py --set data.path=my/videos \\
        --workdir runs/continued

The network of experiments/vdm/video_folder_small.py, twice as wide, on every fourth frame; at the
end 4 frames of held-out clips are given and 4 made. The step from the last given frame to the first
new one should be no larger than the steps of real clips. (Ho et al. 2022, section 3.1)

Not run so yet. The narrower network on every frame of five clips of UCF-101 (15 held-out ends, seed
0), mean absolute differences of 0 .. 255:

                     at the seam   between new frames   from the true new frames
    true clips           1.9              3.4                    0
    replacement         12.8               .9                  13.2
    guidance 2          11.2              1.2                  11.8
    guidance 10         12.6              3.0                  13.3

A model whose own blur is as large as these seams cannot join to sharp frames, and every second
frame of these clips repeats the one before it: hence the width and the frame skip, by which true
clips have 10.6 at the seam and 9.4 inside. This width predicting as EDM does (`diffusion.EDM(0.5)`,
weight `Output`, 3,000 steps) failed: 48 numbers of a patch do not fit through it, its frames are
noise (49.8 between new ones; at the seam 41.4, 38.5 with guidance 2 and 37.8 with 10).
"""

import dataclasses
from pathlib import Path

from vdm_jax import data, diffusion, evaluation, models, training

CORRECTIONS = (None, diffusion.Gradient(2.0), diffusion.Gradient(10.0))


def experiment() -> training.Experiment:
    small = training.load(Path(__file__).parents[1] / "vdm" / "video_folder_small.py")
    task, source = small.task, small.data
    assert isinstance(task, training.Denoising) and isinstance(source, data.VideoFolder)
    model = task.model
    assert isinstance(model, models.Patched)
    return dataclasses.replace(
        small,
        task=dataclasses.replace(
            task,
            model=model.clone(network=model.network.clone(channels=64)),
        ),
        data=dataclasses.replace(source, stride=4, held_out=0.3),
        evaluations=(*small.evaluations, evaluation.Seam(clips=64, corrections=CORRECTIONS)),
    )
