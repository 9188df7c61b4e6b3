"""Text to video at 9x128x128: the second stage of the paper's long videos (Ho et al. 2022, 4.3).

    vdm-jax train experiments/vdm/text_9x128x128.py --workdir runs/text_9x128x128 \\
        --set data.path=datasets/captioned --set loader.text.path=datasets/captioned/bert-large

Guided by the low-resolution frames of the frameskip-4 model, it upsamples 16x64x64 to 64x128x128.
Cost: 5,063 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: 128 TPU-v4 chips, 800,000 steps. Ours: not trained yet.
"""

from vdm_jax import data, diffusion, nn, sampling, training
from vdm_jax.systems import vdm


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=vdm.unet(
                channels=128,
                widths=(1, 2, 4, 8, 16),
                attention=(False, False, True, True, True),
                head_dim=128,
                layers=4,
                inputs=(nn.LogSNR(), nn.PooledText()),
            ),
            process=vdm.process(diffusion.Eps()),
            weight=diffusion.SNR(),
            dtype="bfloat16",
        ),
        data=data.VideoFolder(
            path="datasets/captioned", captions="captions.csv", frames=9, size=128
        ),
        loader=data.Loader(
            batch=128,
            images=7,
            text=data.Embeddings("datasets/captioned/bert-large", length=64, features=1024),
            workers=8,
        ),
        optimizer=training.Adam(peak=2e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(
            sampler=diffusion.Ancestral(steps=256, gamma=0.3), guidance=2.0
        ),
        steps=800_000,
    )
