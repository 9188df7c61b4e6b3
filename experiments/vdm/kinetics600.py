"""Video Diffusion Models on Kinetics-600, 16x64x64 (Ho et al. 2022, table 3).

    vdm-jax train experiments/vdm/kinetics600.py --workdir runs/k600 --set data.path=datasets/k600

data.path is a folder with the training videos. The model is unconditional. It predicts 11 frames
from 5 given frames by reconstruction guidance with weight 9.
Cost: 3,971 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: FVD 16.2, IS 15.64 (128 steps with Langevin); 256 TPU-v4 chips, 220,000 steps.
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
                layers=2,
                dropout=0.1,
            ),
            process=vdm.process(diffusion.V()),
            weight=diffusion.SNRPlusOne(),
            dtype="bfloat16",
        ),
        data=data.VideoFolder(path="datasets/k600", frames=16, size=64, held_out=0.0),
        loader=data.Loader(batch=256, images=8, workers=8),
        optimizer=training.Adam(peak=2e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(
            sampler=diffusion.PredictorCorrector(steps=128, gamma=0.0, delta=0.1)
        ),
        steps=220_000,
    )
