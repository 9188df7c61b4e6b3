"""The first four stages of the tiny cascade, captions to 8x64x64, to be sampled in many ways.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sweep experiments/imagen_video/tiny_guidance_cascade.py \
        --over "stages.0.generator.guidance=1.0,2.0,8.0,diffusion.Oscillating(8.0,1.0,24)" \
        --over stages.3.generator.snr=3.0,20.0,None

Not run yet.
"""

from vdm_jax import data, diffusion, evaluation, sampling


def cascade() -> sampling.Cascade:
    enlarging = sampling.Generator(sampler=diffusion.DDIM(steps=8), snr=20.0, batch=16)
    base = sampling.Generator(sampler=diffusion.DDIM(steps=24), guidance=2.0, batch=64)
    return sampling.Cascade(
        stages=(
            sampling.Stage("runs/tiny/base_4x8x8", base),
            sampling.Stage("runs/tiny/tsr_8x8x8", enlarging),
            sampling.Stage("runs/tiny/ssr_8x16x16", enlarging),
            sampling.Stage("runs/tiny/ssr_8x64x64", enlarging),
        ),
        data=data.MovingShapes(frames=8, size=64, stride=4),
        evaluations=(
            evaluation.MovingShapesOracle(samples=64),
            evaluation.FrechetDistance(evaluation.PixelFeatures(), clips=64),
        ),
    )
