"""Stage 1 of 7 of the tiny cascade, distilled from 64 guided steps to 8.

All seven: vdm-jax train experiments/distillation/tiny/*.py --workdir runs/tiny_8
What they are worth together: experiments/distillation/tiny_cascade.py
"""

from pathlib import Path

from vdm_jax import training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    stage = Path(__file__).parents[2] / "imagen_video" / "tiny" / "base_4x8x8.py"
    return tiny_imagen_video.distilled(
        training.load(stage), "runs/tiny/base_4x8x8", guidance=2.0, first=3
    )
