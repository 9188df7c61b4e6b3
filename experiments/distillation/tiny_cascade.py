"""The tiny cascade in 8 steps a stage, without a second call for guidance: 56 calls a video.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax train experiments/distillation/tiny/*.py --workdir runs/tiny_8
    vdm-jax evaluate experiments/distillation/tiny_cascade.py
    vdm-jax evaluate experiments/distillation/tiny_teachers_cascade.py

The teachers take 64 steps each, and the base two calls a step: 512 calls. In the paper, table 1,
the cascade takes 618 s a video undistilled and 35 s at 8 steps a stage, 17.7 times less.
(Ho et al. 2022, Imagen Video, section 2.7; Salimans & Ho 2022) Not run yet.
"""

from vdm_jax import data, evaluation, sampling

STAGES = (
    "base_4x8x8",
    "tsr_8x8x8",
    "ssr_8x16x16",
    "ssr_8x64x64",
    "tsr_16x64x64",
    "tsr_32x64x64",
    "ssr_32x256x256",
)


def cascade() -> sampling.Cascade:
    return sampling.Cascade(
        stages=tuple(sampling.Stage(f"runs/tiny_8/{name}") for name in STAGES),
        data=data.MovingShapes(frames=32, size=32),
        evaluations=(evaluation.MovingShapesOracle(samples=16),),
        fps=12.0,
    )
