"""Text to video, the large model at frameskip 1 and 4 (Ho et al. 2022, tables 5 and 6).

    vdm-jax train experiments/vdm/text_large.py --workdir runs/text_large \\
        --set data.path=datasets/captioned --set loader.text.path=datasets/captioned/bert-large

Add --set data.stride=4 for the paper's frameskip-4 model. Captions as in text_small.py.
Cost: 5,986 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: FVD 41.65 (frameskip 1) and 56.71 (frameskip 4) at guidance weight 1; 128 TPU-v4 chips,
700,000 steps. Ours: not trained yet.
"""

from vdm_jax import data, diffusion, nn, sampling, training
from vdm_jax.systems import vdm


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=vdm.unet(
                channels=256,
                widths=(1, 2, 4, 8),
                attention=(False, True, True, True),
                layers=4,
                inputs=(nn.LogSNR(), nn.PooledText()),
            ),
            process=vdm.process(diffusion.Eps()),
            weight=diffusion.SNR(),
            dtype="bfloat16",
        ),
        data=data.VideoFolder(
            path="datasets/captioned", captions="captions.csv", frames=16, size=64, stride=1
        ),
        loader=data.Loader(
            batch=128,
            images=8,
            text=data.Embeddings("datasets/captioned/bert-large", length=64, features=1024),
            workers=8,
        ),
        optimizer=training.Adam(peak=3e-4, warmup=10_000, b2=0.99, ema=0.9999),
        sampling=sampling.Generator(
            sampler=diffusion.Ancestral(steps=256, gamma=0.3), guidance=2.0
        ),
        steps=700_000,
    )
