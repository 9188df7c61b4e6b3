"""From 16x16 pixels to 64x64, 8 frames, of any folder of videos, for a CPU.

    vdm-jax train experiments/imagen_video/video_folder_ssr.py --set data.path=my/videos \\
        --workdir runs/my_ssr
    vdm-jax sample runs/my_ssr --upscale clip.mp4 --crop

At the end held-out clips are enlarged, and compared with bilinear enlarging in PSNR.
Ours: not measured yet.
"""

from vdm_jax import data, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.stage(
        tiny_imagen_video.super_resolution(channels=64, patch=4),
        data.VideoFolder(
            path="videos", frames=8, size=64, crop=data.RandomCrop(), flip=0.5, held_out=0.15
        ),
        tiny_imagen_video.lowres(size=4),
        batch=4,
        steps=1000,
    )
