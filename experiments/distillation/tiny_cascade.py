"""The tiny cascade in 8 steps a stage, without a second call for guidance: 56 calls a video.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax train experiments/distillation/tiny/*.py --workdir runs/tiny_8
    vdm-jax evaluate experiments/distillation/tiny_cascade.py
    vdm-jax evaluate experiments/distillation/tiny_teachers_cascade.py

(Ho et al. 2022, Imagen Video, section 2.7; Salimans & Ho 2022.) The teachers take 64 steps each,
the base with two calls a step: 512 calls.
Cost: 29 minutes of training on two busy CPU cores, after the training of the teachers.
Paper (table 1): 618 s a video undistilled, 35 s at 8 steps a stage, 17.7 times less.

Ours, one video by `python tests/benchmarks/cascade_time.py` on two CPU cores: 71.5 s in 512 calls,
9.0 s in 56 calls, 7.9 times less with 9.1 times fewer calls. The last stage takes 63.6 s and 8.1 s.
Ours, the oracle on 16 prompts, seed 0: colour, motion, size and clean 1.00, shape .94 (one of 16 is
wrong). The undistilled cascade (imagen_video/tiny_cascade.py: 24 guided steps, then 8 a stage) has
1.00 of each.
"""

import dataclasses
from pathlib import Path

from vdm_jax import config, evaluation, sampling


def cascade() -> sampling.Cascade:
    path = Path(__file__).parents[1] / "imagen_video" / "tiny_cascade.py"
    trained = config.load(path, ("cascade",))
    return dataclasses.replace(
        trained,
        stages=tuple(sampling.Stage(f"runs/tiny_8/{stage.name}") for stage in trained.stages),
        evaluations=(evaluation.MovingShapesOracle(samples=16),),
    )
