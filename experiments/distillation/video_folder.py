"""Progressive distillation of a model of real clips: 256 -> 128 -> ... -> 1 (Salimans & Ho 2022).

    vdm-jax train experiments/vdm/video_folder_small.py --set data.path=my/videos \\
        --workdir runs/my_videos
    vdm-jax train experiments/distillation/video_folder.py --set data.path=my/videos \\
        --workdir runs/my_videos_distilled
    python tests/benchmarks/step_table.py runs/my_videos_distilled

Cost: 1,280 updates, 15 minutes with evaluations on two busy CPU cores.
Ours, five clips of UCF-101, seed 0: the Frechet distance in pixels of 96 samples to 96 training
clips. 256 steps of DDIM have .14:

    steps     student      DDIM   Ancestral   DPMSolver
     16         .58         .13       .26        .15
      8         .68         .51      1.22        .53
      4         .56         .69      1.17        .65
      2         .91        3.74      4.11       3.74
      1         .75        8.85      8.85       8.85

With 80 updates a halving, the students are worse than DDIM down to 8 steps, and better from 4 on.
"""

import dataclasses
from pathlib import Path

from vdm_jax import diffusion, evaluation, metrics, sampling, training


def experiment() -> training.Experiment:
    teacher = training.load(Path(__file__).parents[1] / "vdm" / "video_folder_small.py")
    assert isinstance(teacher.task, training.Denoising)
    # A small folder holds out few clips: samples are compared with the training clips.
    pixels = evaluation.FrechetDistance(metrics.PixelFeatures(), clips=96, split="train")
    return dataclasses.replace(
        teacher,
        task=training.Distillation(
            dataclasses.replace(
                teacher.task,
                weight=diffusion.TruncatedSNR(),
                times=diffusion.Stratified(),
            ),
            teacher="runs/my_videos",
            start_steps=256,
            last_lengths=(2, 2, 4, 4),
        ),
        optimizer=training.Adam(peak=5e-4, warmup=0, decay=training.Linear(), b2=0.99, ema=0.0),
        sampling=sampling.Distilled(sampler=diffusion.DDIM(steps=256), batch=32),
        evaluations=(
            evaluation.FewSteps((pixels,), (16, 8, 4, 2, 1), reference=diffusion.DDIM(256)),
        ),
        steps=80,
    )
