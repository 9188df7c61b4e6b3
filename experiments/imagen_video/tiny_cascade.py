"""The seven stages of experiments/imagen_video/tiny as one: captions to 32x256x256.

    vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
    vdm-jax sample experiments/imagen_video/tiny_cascade.py \
        --prompt "a large red circle moving left"
    vdm-jax evaluate experiments/imagen_video/tiny_cascade.py

The oracle looks at the videos at 32x32 pixels; runs/tiny/base_4x8x8/evaluations.jsonl has what it
says of the base model's own. To look at the intermediate videos: --keep. One stage for a video of
your own: --upscale FILE --first 4 --last 4.

Trained by the first of these commands from a fresh clone, seed 0: 75 minutes of CPU time on two
cores, measuring included. The base on 128 prompts: colour 1.00, motion 1.00, size .97, shape .56
(of 8x8 pixels), clean 1.00. The whole cascade, of an earlier run whose stages agreed within .3 dB,
on 16 prompts (`--set evaluations.0.samples=16`): colour, motion, shape, size and clean all 1.00;
some of the noise of augmentation stays to be seen (less of it: tiny_guidance_cascade.py).

The other stages on held-out clips made small, PSNR in dB of all pixels, without augmentation /
augmented to an SNR of 20, beside the same input enlarged linearly with its frames held, or mixed
with the next:

    stage                  model          frames held     frames mixed
    2  8x8x8           33.5 / 23.4       27.9 / 20.8      32.5 / 22.2
    3  8x16x16         33.7 / 28.4       20.9 / 19.4      (as held)
    4  8x64x64         28.5 / 23.4       22.9 / 20.8
    5  16x64x64        28.8 / 21.8       26.4 / 20.7      29.6 / 22.2
    6  32x64x64        33.3 / 22.2       31.1 / 21.5      35.7 / 22.8
    7  32x256x256      27.9 / 23.2       26.4 / 22.9

Stages 5 and 6 are better than frames held and worse than frames mixed: in so few steps they learn
little about motion at 64 pixels. Augmented to an SNR of 3, outside of what it was trained on,
stage 7 loses to enlarging (15.8 against 16.7).
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
