"""The teachers of the distilled tiny cascade: 64 steps a stage, the base under guidance 2.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax evaluate experiments/distillation/tiny_teachers_cascade.py

Time and calls are in tiny_cascade.py, beside those of the distilled cascade.
"""

import dataclasses
from pathlib import Path

from vdm_jax import config, diffusion, sampling


def cascade() -> sampling.Cascade:
    distilled = config.load(Path(__file__).with_name("tiny_cascade.py"), ("cascade",))
    sampler = diffusion.DDIM(steps=64)
    base = sampling.Generator(sampler=sampler, guidance=2.0, batch=16)
    upsampling = sampling.Generator(sampler=sampler, lowres_snr=20.0, batch=16)
    names = [stage.name for stage in distilled.stages]
    stages = (
        sampling.Stage(f"runs/tiny/{names[0]}", base),
        *(sampling.Stage(f"runs/tiny/{name}", upsampling) for name in names[1:]),
    )
    return dataclasses.replace(distilled, stages=stages)
