"""The first four stages of the tiny cascade, captions to 8x64x64, to be sampled in many ways.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sweep experiments/imagen_video/tiny_guidance_cascade.py --out runs/by_snr \\
        --over stages.3.generator.snr=3.0,20.0,100.0,None
    vdm-jax sweep experiments/imagen_video/tiny_guidance_cascade.py --out runs/by_guidance \\
        --over "stages.0.generator.guidance=1.0,2.0,8.0,diffusion.Oscillating(8.0,1.0,24)"

What the oracle says of 64 samples (seed 0), and their Frechet distance in pixels to as many
held-out clips (5.51 between as many training clips and these). By the SNR to which the fourth
stage's input is augmented, and by the base's guidance:

                             colour   motion   shape   size   clean   distance
    SNR 3                     1.00     1.00     .97     .98     .83     8.52
    SNR 20                    1.00     1.00    1.00    1.00    1.00     5.45
    SNR 100                   1.00     1.00    1.00    1.00    1.00     4.98
    no augmentation           1.00     1.00    1.00    1.00    1.00     4.81

    guidance 1                1.00      .92     .97     .97     .94     5.27
    guidance 2                1.00     1.00    1.00    1.00    1.00     5.45
    guidance 8                1.00     1.00     .88     .98    1.00     7.35
    oscillating, 8 and 1      1.00     1.00     .97    1.00    1.00     6.23

These stages, trained on little noise, leave most of what they are given: the less the better.
Oscillating guidance keeps shapes that constant guidance as strong distorts, which is what it is for
(Ho et al. 2022, Imagen Video). The rows of experiments/pictures/tiny_guidance.png, left and right.
"""

from vdm_jax import data, diffusion, evaluation, sampling


def cascade() -> sampling.Cascade:
    enlarging = sampling.Generator(sampler=diffusion.DDIM(steps=8), lowres_snr=20.0, batch=16)
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
