"""Text to video, the small model of the joint-training ablation (Ho et al. 2022, table 4).

    vdm-jax train experiments/vdm/text_small.py --workdir runs/text_small \\
        --set data.path=datasets/captioned --set loader.text.path=datasets/captioned/bert-large

The lines of the table are --set loader.images=0, 4 and 8. loader.text.path holds the embeddings of
all captions by a frozen BERT-large. The paper's 10 M captioned videos are not public.
Cost: 674 chip-hours of TPU v5p (compiled estimate, experiments/imagen_video/README.md).
Paper: FVD 202.28, 68.11 and 57.84 for 0, 4 and 8 images a video; 64 TPU-v4 chips, 200,000 steps.
Ours: not trained yet.
"""

from vdm_jax import data, diffusion, nn, sampling, training
from vdm_jax.systems import vdm


def experiment() -> training.Experiment:
    return training.Experiment(
        task=training.Denoising(
            model=vdm.unet(
                channels=128,
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
            path="datasets/captioned", captions="captions.csv", frames=16, size=64
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
        steps=200_000,
    )
