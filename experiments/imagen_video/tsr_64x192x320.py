"""Imagen Video, stage 5 of 7: twice the frames (Ho et al. 2022, figure 6).

    vdm-jax train experiments/imagen_video/tsr_64x192x320.py \\
        --workdir runs/imagen_video/tsr_64x192x320

32 frames at 6 a second to 64 at 12, 192x320 pixels. 0.78 billion parameters (paper: 0.78). No
spatial attention: the paper names stages 3 and 4 as those with it.
Data: captioned videos and images, by `python -m data.build webvid_csv` and `images_csv`
(data/README.md); caption embeddings, by `vdm-jax embed`.
Cost: 53,974 chip-hours of TPU v5p for 2,000,000 steps (compiled estimate, README.md).
Paper: 128 steps of sampling, constant guidance. Ours: not trained yet.
"""

from vdm_jax import training
from vdm_jax.systems import imagen_video


def experiment() -> training.Experiment:
    return imagen_video.experiment(
        model=imagen_video.super_resolution(
            channels=128,
            widths=(1, 2, 4, 8),
            blocks=(2, 4, 8, 15),
        ),
        source=imagen_video.clips(frames=64, fps=12.0, size=(192, 320)),
        lowres=training.LowRes(frames=2),
        batch=256,
        guidance=6.0,
        steps=128,
    )
