"""The seven stages of experiments/imagen_video/tiny as one cascade: captions to 32x256x256.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sample experiments/imagen_video/tiny_cascade.py \\
        --prompt "a large red circle moving left"
    vdm-jax evaluate experiments/imagen_video/tiny_cascade.py

Add --keep-stages to save the intermediate videos. To run one stage on a video of your own:
--upscale FILE --first-stage 4 --last-stage 4.
Cost: 75 minutes of CPU time on two cores for the first command, evaluations included.

Ours, from a fresh clone, seed 0. The base on 128 prompts (runs/tiny/base_4x8x8/evaluations.jsonl):
colour 1.00, motion 1.00, size .97, shape .56 (at 8x8 pixels), clean 1.00. The whole cascade on 16
prompts (`--set evaluations.0.samples=16`; an earlier run, whose stages agreed within .3 dB):
colour, motion, shape, size and clean 1.00. The oracle judges the videos at 32x32 pixels. Some noise
of the augmentation stays visible; tiny_guidance_cascade.py measures less augmentation.

Stages 2 to 7 on held-out clips: PSNR in dB over all pixels, without augmentation / augmented to an
SNR of 20, beside linear upsampling of the same input with frames repeated, or blended with the
next:

    stage                  model          repeated         blended
    2  8x8x8           33.5 / 23.4       27.9 / 20.8      32.5 / 22.2
    3  8x16x16         33.7 / 28.4       20.9 / 19.4      (the same)
    4  8x64x64         28.5 / 23.4       22.9 / 20.8      (the same)
    5  16x64x64        28.8 / 21.8       26.4 / 20.7      29.6 / 22.2
    6  32x64x64        33.3 / 22.2       31.1 / 21.5      35.7 / 22.8
    7  32x256x256      27.9 / 23.2       26.4 / 22.9      (the same)

Stages 5 and 6 are better than repeated frames and worse than blended ones: so few steps teach them
little about motion at 64 pixels. At an SNR of 3, outside of its training range, stage 7 is worse
than linear upsampling (15.8 against 16.7).
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
