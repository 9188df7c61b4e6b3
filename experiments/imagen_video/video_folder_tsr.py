"""From 8 frames to 16, of 64x64 pixels, of any folder of videos, for a CPU.

    vdm-jax train experiments/imagen_video/video_folder_tsr.py --set data.path=my/videos \\
        --workdir runs/my_tsr
    vdm-jax sample runs/my_tsr --upscale clip.mp4 --crop

At the end held-out clips are enlarged, and compared with repeated and with blended frames in PSNR.
Ours: not measured yet.
"""

from vdm_jax import data, training
from vdm_jax.systems import tiny_imagen_video


def experiment() -> training.Experiment:
    return tiny_imagen_video.stage(
        tiny_imagen_video.super_resolution(channels=96, patch=4),
        data.VideoFolder(
            path="videos",
            frames=16,
            size=64,
            stride=2,
            crop=data.RandomCrop(),
            flip=0.5,
            held_out=0.3,
        ),
        tiny_imagen_video.lowres(frames=2),
        batch=2,
        steps=1000,
    )
