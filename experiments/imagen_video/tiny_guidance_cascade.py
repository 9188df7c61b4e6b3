"""The tiny cascade's first four stages, to 8x64x64: sweeps of augmentation and guidance.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sweep experiments/imagen_video/tiny_guidance_cascade.py --out runs/by_snr \\
        --over stages.3.generator.lowres_snr=3.0,20.0,100.0,None
    vdm-jax sweep experiments/imagen_video/tiny_guidance_cascade.py --out runs/by_guidance \\
        --over "stages.0.generator.guidance=1.0,2.0,8.0,diffusion.Oscillating(8.0,1.0,24)"

(Ho et al. 2022, Imagen Video, sections 2.5 and 2.6.)
Cost: the training of tiny_cascade.py, then the two sweeps.

Ours, seed 0: the oracle on 64 samples, and their Frechet distance in pixels to 64 held-out clips
(64 training clips: 5.51), by the SNR of the fourth stage's augmented input, and by the base's
guidance:

                             colour   motion   shape   size   clean   distance
    SNR 3                     1.00     1.00     .97     .98     .83     8.52
    SNR 20                    1.00     1.00    1.00    1.00    1.00     5.45
    SNR 100                   1.00     1.00    1.00    1.00    1.00     4.98
    no augmentation           1.00     1.00    1.00    1.00    1.00     4.81

    guidance 1                1.00      .92     .97     .97     .94     5.27
    guidance 2                1.00     1.00    1.00    1.00    1.00     5.45
    guidance 8                1.00     1.00     .88     .98    1.00     7.35
    oscillating, 8 and 1      1.00     1.00     .97    1.00    1.00     6.23

These stages were trained with little noise and leave most of it in the video: less augmentation is
better. Oscillating guidance keeps shapes that constant guidance of the same strength distorts, as
in the paper. experiments/pictures/tiny_guidance.png shows the two sweeps, left and right.
"""

from vdm_jax import data, diffusion, evaluation, metrics, sampling


def cascade() -> sampling.Cascade:
    upsampling = sampling.Generator(sampler=diffusion.DDIM(steps=8), lowres_snr=20.0, batch=16)
    base = sampling.Generator(sampler=diffusion.DDIM(steps=24), guidance=2.0, batch=64)
    return sampling.Cascade(
        stages=(
            sampling.Stage("runs/tiny/base_4x8x8", base),
            sampling.Stage("runs/tiny/tsr_8x8x8", upsampling),
            sampling.Stage("runs/tiny/ssr_8x16x16", upsampling),
            sampling.Stage("runs/tiny/ssr_8x64x64", upsampling),
        ),
        data=data.MovingShapes(frames=8, size=64, stride=4),
        evaluations=(
            evaluation.MovingShapesOracle(samples=64),
            evaluation.FrechetDistance(metrics.PixelFeatures(), clips=64),
        ),
    )
