"""The tiny cascade as its distillation begins with it: 64 steps a stage, the base under guidance 2.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax evaluate experiments/distillation/tiny_teachers_cascade.py

What comes of it is beside the distilled cascade's, in tiny_cascade.py.
"""

import dataclasses
from pathlib import Path

from vdm_jax import config, diffusion, sampling


def cascade() -> sampling.Cascade:
    distilled = config.load(Path(__file__).with_name("tiny_cascade.py"), ("cascade",))
    sampler = diffusion.DDIM(steps=64)
    base = sampling.Generator(sampler=sampler, guidance=2.0, batch=16)
    enlarging = sampling.Generator(sampler=sampler, lowres_snr=20.0, batch=16)
    names = [stage.name for stage in distilled.stages]
    stages = (
        sampling.Stage(f"runs/tiny/{names[0]}", base),
        *(sampling.Stage(f"runs/tiny/{name}", enlarging) for name in names[1:]),
    )
    return dataclasses.replace(distilled, stages=stages)
