"""Imagen Video: seven models from a caption to 128 frames of 768x1280 (Ho et al. 2022, figure 6).

    vdm-jax sample experiments/imagen_video/cascade.py --prompt "a teddy bear washing dishes"

Needs the runs of the seven experiments beside this file in runs/imagen_video. Guidance oscillates
in the first three stages (section 2.6). Low-resolution videos are augmented to an SNR of 5. The
last stage samples tiles of 256x256 pixels; a tile differs from the whole frame only by the
statistics of its `GroupNorm`s.
Paper (table 1): 256 and 128 steps, 618 s a video. Ours: not trained yet.
"""

from vdm_jax import diffusion, sampling


def generator(
    steps: int,
    guidance: float | diffusion.GuidanceWeight,
    snr: float | None = 5.0,
    tiles: sampling.Tiles | None = None,
) -> sampling.Generator:
    return sampling.Generator(
        sampler=diffusion.Ancestral(steps=steps, gamma=0.3),
        guidance=guidance,
        threshold=diffusion.DynamicThreshold(99.5),
        lowres_snr=snr,
        tiles=tiles,
        batch=1,
    )


def cascade() -> sampling.Cascade:
    base = generator(256, diffusion.Oscillating(15.0, 1.0, steps=256), snr=None)
    early = generator(128, diffusion.Oscillating(15.0, 1.0, steps=128))
    late = generator(128, guidance=6.0)
    last = generator(128, guidance=6.0, tiles=sampling.Tiles(size=256, overlap=64, margin=16))
    return sampling.Cascade(
        stages=(
            sampling.Stage("runs/imagen_video/base_16x24x40", base),
            sampling.Stage("runs/imagen_video/tsr_32x24x40", early),
            sampling.Stage("runs/imagen_video/ssr_32x48x80", early),
            sampling.Stage("runs/imagen_video/ssr_32x192x320", late),
            sampling.Stage("runs/imagen_video/tsr_64x192x320", late),
            sampling.Stage("runs/imagen_video/tsr_128x192x320", late),
            sampling.Stage("runs/imagen_video/ssr_128x768x1280", last),
        ),
        fps=24.0,
    )
