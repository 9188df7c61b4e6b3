"""Stage 3 of 7 of the tiny cascade, distilled from 64 steps to 8.

All seven: vdm-jax train experiments/distillation/tiny/*.py --workdir runs/tiny_8
What they are worth together: experiments/distillation/tiny_cascade.py
"""

from pathlib import Path

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    stage = Path(__file__).parents[2] / "imagen_video" / "tiny" / "ssr_8x16x16.py"
    return tiny_imagen_video.distilled(training.load(stage), "runs/tiny/ssr_8x16x16")
