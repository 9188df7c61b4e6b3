"""Video Diffusion Models on UCF-101, unconditional, 16x64x64 (Ho et al. 2022, table 1).

    python -m data.build ucf101 --source UCF-101 --lists ucfTrainTestlist --out datasets
    vdm-jax train experiments/vdm/ucf101.py --workdir runs/ucf101

Trains on all 13,320 videos, as the paper does; --set data.split=train selects the official training
videos. The paper does not state warm-up and clipping: here 10,000 steps and norm 1.
Cost: 381 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: FID 295 and IS 57.00 with C3D features, 10,000 samples; 128 TPU-v4 chips, 60,000 steps.
Ours: not trained yet.
"""

from vdm_jax import data, diffusion, sampling, training
from vdm_jax.systems import vdm


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=vdm.unet(
                channels=256,
                widths=(1, 2, 4, 8),
                attention=(False, True, True, True),
                layers=4,
                dropout=0.1,
            ),
            process=vdm.process(diffusion.Eps()),
            weight=diffusion.SNR(),
            dtype="bfloat16",
        ),
        data=data.Clips(dataset="ucf101", split="all", held_out=None, frames=16, size=64),
        loader=data.Loader(batch=128, images=8, workers=8),
        optimizer=training.Adam(peak=3e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(sampler=diffusion.Ancestral(steps=256, gamma=0.1)),
        steps=60_000,
    )
