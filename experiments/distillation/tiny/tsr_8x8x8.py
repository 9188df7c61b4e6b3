"""Stage 2 of 7 of the tiny cascade, distilled from 64 steps to 8 (Salimans & Ho 2022).

    vdm-jax train experiments/distillation/tiny/tsr_8x8x8.py --workdir runs/tiny_8/tsr_8x8x8

All seven: vdm-jax train experiments/distillation/tiny/*.py --workdir runs/tiny_8
Cost and our numbers: experiments/distillation/tiny_cascade.py.
"""

from pathlib import Path

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    stage = Path(__file__).parents[2] / "imagen_video" / "tiny" / "tsr_8x8x8.py"
    return tiny_imagen_video.distillation(training.load(stage), "runs/tiny/tsr_8x8x8")
