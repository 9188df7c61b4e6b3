"""Spatial super-resolution for a CPU, on any folder of videos: 16x16 to 64x64 pixels, 8 frames.

    vdm-jax train experiments/imagen_video/video_folder_ssr.py --set data.path=my/videos \\
        --workdir runs/my_ssr
    vdm-jax sample runs/my_ssr --upscale clip.mp4 --crop

A small stage of Imagen Video (Ho et al. 2022). After training it is compared with bilinear
upsampling on held-out clips.
Cost: 10 minutes on two busy CPU cores.
Ours, five clips of UCF-101 (15 held-out ends, seed 0): PSNR in dB over all pixels. The mean is one
step of DDIM, without the detail that samples add:

    augmented to an SNR of     none      20       5       3
    samples, 8 steps           22.9    20.6    18.6    17.5
    their mean                 24.2    21.7    19.1    17.7
    bilinear                   21.5    19.0    15.5    13.9
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
