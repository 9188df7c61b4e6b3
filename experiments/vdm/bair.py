"""Video Diffusion Models on BAIR robot pushing, 16x64x64 (Ho et al. 2022, table 2).

    vdm-jax train experiments/vdm/bair.py --workdir runs/bair --set data.path=datasets/bair

data.path is a folder with the training videos. The model is unconditional. It predicts 15 frames
from one given frame by reconstruction guidance with weight 50.
Cost: 2,694 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: FVD 66.92 (256 steps with Langevin); 128 TPU-v4 chips, 660,000 steps. Ours: not trained yet.
"""

from vdm_jax import data, diffusion, sampling, training
from vdm_jax.systems import vdm


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=vdm.unet(
                channels=128,
                widths=(1, 2, 3, 4),
                attention=(False, True, True, True),
                blocks=3,
                layers=2,
                dropout=0.1,
            ),
            process=vdm.process(diffusion.V()),
            weight=diffusion.SNRPlusOne(),
            dtype="bfloat16",
        ),
        data=data.VideoFolder(path="datasets/bair", frames=16, size=64, flip=0.5, held_out=0.0),
        loader=data.Loader(batch=128, images=8, workers=8),
        optimizer=training.Adam(peak=2e-4, warmup=10_000, b2=0.999, weight_decay=0.01, ema=0.999),
        sampling=sampling.Generator(
            sampler=diffusion.PredictorCorrector(steps=256, gamma=0.0, delta=0.1)
        ),
        steps=660_000,
    )
