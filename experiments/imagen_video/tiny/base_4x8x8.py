"""Imagen Video in miniature, stage 1 of 7: the base model, captions to 4 frames of 8x8 pixels.

    vdm-jax train experiments/imagen_video/tiny/base_4x8x8.py --workdir runs/tiny/base_4x8x8

All seven: vdm-jax train experiments/imagen_video/tiny/*.py --workdir runs/tiny
Cost and our numbers: experiments/imagen_video/tiny_cascade.py.
"""

from vdm_jax import data, diffusion, evaluation, sampling, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=tiny_imagen_video.base(),
            # The noise that suits 16 pixels, for 8: high noise decides layout and motion.
            process=diffusion.Process(diffusion.ShiftedCosine(resolution=16, noise_resolution=8)),
            weight=diffusion.Constant(),
        ),
        data=tiny_imagen_video.source(frames=4, size=8),
        loader=data.Loader(batch=16, text=tiny_imagen_video.tokenizer()),
        optimizer=training.Adam(peak=2e-3, warmup=100, decay=training.Cosine(), b2=0.99, ema=0.998),
        sampling=sampling.Generator(sampler=diffusion.DDIM(steps=24), guidance=2.0, batch=64),
        evaluations=(evaluation.MovingShapesOracle(samples=128),),
        steps=2400,
    )
