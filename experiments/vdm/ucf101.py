"""Video Diffusion Models on UCF-101, unconditional, 16x64x64 (Ho et al. 2022, table 1).

    vdm-jax train experiments/vdm/ucf101.py --workdir runs/ucf101 --set data.path=datasets/UCF-101

data.path is the folder of the unpacked archive, a sub-folder a class; all 13,320 videos are used.
Paper: 128 TPU-v4 chips, 60,000 steps; FID 295 and IS 57.00 with C3D features, 10,000 samples.
Ours: not trained yet. What is not published (warm-up, clipping): 10,000 steps and norm 1.
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
        data=data.VideoFolder(path="datasets/UCF-101", frames=16, size=64, held_out=0.0),
        loader=data.Loader(batch=128, images=8, workers=8),
        optimizer=training.Adam(peak=3e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(sampler=diffusion.Ancestral(steps=256, gamma=0.1)),
        steps=60_000,
    )
