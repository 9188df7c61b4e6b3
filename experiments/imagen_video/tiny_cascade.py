"""The seven stages of experiments/imagen_video/tiny as one: captions to 32x256x256.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sample experiments/imagen_video/tiny_cascade.py \
        --prompt "a large red circle moving left"
    vdm-jax evaluate experiments/imagen_video/tiny_cascade.py

The oracle looks at the videos at 32x32 pixels; runs/tiny/base_4x8x8/evaluations.jsonl has what it
says of the base model's own. To look at the intermediate videos: --keep. One stage for a video of
your own: --video FILE --first 4 --last 4.
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
        stages=tuple(sampling.Stage(f"runs/tiny/{name}") for name in STAGES),
        data=data.MovingShapes(frames=32, size=32),
        evaluations=(evaluation.MovingShapesOracle(samples=64),),
        fps=12.0,
    )
