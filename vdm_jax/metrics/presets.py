"""The features behind published FVD, IS and FID numbers: network, weights and preprocessing.

FVD scores depend on all three. These are the combinations that papers used, named after their code.
"""

from dataclasses import dataclass, replace

from vdm_jax import models
from vdm_jax.metrics.networks import NetworkFeatures
from vdm_jax.metrics.normalization import (
    SIGNED,
    UNIT,
    Images,
    Rescale,
    ReverseChannels,
    SubtractMeanClip,
)
from vdm_jax.metrics.resizing import (
    AlignCorners,
    Antialiased,
    CenterCrop,
    HalfPixel,
    HalfPixelCubic,
    Legacy,
    ShorterSide,
)


@dataclass(frozen=True)
class Preset:
    """A Frechet distance as a paper computes it.

    name: the preset's name.
    features: network, weights and preprocessing.
    ddof: of the covariance.
    real: number of real clips; None is all.
    generated: number of generated clips; None is all.
    repeats: number of sets of `generated` clips; papers report mean and standard deviation.
    """

    name: str
    features: NetworkFeatures
    ddof: int
    real: int | None = None
    generated: int | None = None
    repeats: int = 1


I3D = NetworkFeatures(
    "i3d", models.I3D(), "i3d_kinetics400", (Legacy(224), SIGNED), min_frames=9, batch=4
)
"""TF-Hub's i3d-kinetics-400 behind TensorFlow 1's resize (Unterthiner et al. 2018)."""
I3D_TORCHSCRIPT = NetworkFeatures(
    "i3d_torchscript",
    models.I3D.ported(1e-3),
    "i3d_torchscript",
    (HalfPixel(224), SIGNED),
    min_frames=9,
)
"""StyleGAN-V's file, which resizes and scales uint8 frames itself (Skorokhodov et al. 2022)."""
I3D_PORTED = NetworkFeatures(
    "i3d_ported", models.I3D.ported(), "i3d_pretrained_400", (SIGNED, HalfPixel(224)), min_frames=9
)
"""The PyTorch port, with PyTorch's epsilon of batch norm (Ge et al. 2022, TATS)."""
I3D_CROPPED = NetworkFeatures(
    "i3d_cropped",
    models.I3D.ported(),
    "i3d_pretrained_400",
    (SIGNED, HalfPixel(ShorterSide(224, "up")), CenterCrop(224)),
    min_frames=9,
)
"""The same port with a center crop of frames that are not square (Yan et al. 2021, VideoGPT)."""
VIDEO_MAE = NetworkFeatures(
    "video_mae",
    models.VideoMAE.giant(),
    "video_mae_giant_ssv2",
    (UNIT, HalfPixel(224)),
    min_frames=16,
    max_frames=16,
    batch=1,
)
"""Content-debiased FVD (Ge et al. 2024); without normalization, as in its code."""

FVD_TF = Preset("fvd_tf", I3D, ddof=1)
FVD_MAGVIT_10K = Preset("fvd_magvit_10k", I3D, ddof=1, generated=10_000, repeats=4)
FVD_SGV_2048_16F = Preset("fvd_sgv_2048_16f", I3D_TORCHSCRIPT, ddof=0, real=2048, generated=2048)
FVD_TATS_2048 = Preset("fvd_tats_2048", I3D_PORTED, ddof=1, real=2048, generated=2048)
FVD_VIDEOGPT_256 = Preset("fvd_videogpt_256", I3D_CROPPED, ddof=1, real=256, generated=256)
FVD_CD = Preset("fvd_cd", VIDEO_MAE, ddof=0, generated=2048)
FVD = {
    preset.name: preset
    for preset in (
        *(FVD_TF, FVD_MAGVIT_10K, FVD_SGV_2048_16F),
        *(FVD_TATS_2048, FVD_VIDEOGPT_256, FVD_CD),
    )
}
"""Every FVD preset, by name."""

MEAN_CLIP = "mean2.npz"
"""TGAN's mean clip, a file in the folder of weights: 16 frames of 128 x 171 pixels."""
TO_256 = Rescale(127.5 / 128)
"""0..255 to [0, 256]: TGAN's code maps x in [-1, 1] to 128 x + 128."""


def _c3d(title: str, *pixels, output: str = "logits") -> NetworkFeatures:
    """The UCF-101 classifier C3D after these steps; `output` selects logits or a hidden layer."""
    return NetworkFeatures(
        title, models.C3D(), "c3d_ucf101", pixels, output, min_frames=16, max_frames=16
    )


C3D_TGAN = _c3d(
    "c3d_tgan",
    *(TO_256, HalfPixelCubic(128), ReverseChannels()),
    *(SubtractMeanClip(MEAN_CLIP, (0, 21)), CenterCrop(112)),
)
"""OpenCV's bicubic resize, then a center crop (Saito et al. 2017, their code)."""
C3D_TGANV2 = _c3d(
    "c3d_tganv2", TO_256, ReverseChannels(), AlignCorners(112), SubtractMeanClip(MEAN_CLIP, (8, 8))
)
"""Chainer's resize, and an off-center crop of the mean clip (Saito et al. 2020)."""
C3D_TORCHSCRIPT = replace(C3D_TGANV2, title="c3d_torchscript", weights="c3d_ucf101_torchscript")
"""StyleGAN-V's file; according to its author, the same network and preprocessing as TGANv2's."""
C3D_MAGVIT = _c3d(
    "c3d_magvit", ReverseChannels(), AlignCorners(112), SubtractMeanClip(MEAN_CLIP, (8, 8))
)
"""TGANv2's preprocessing of values up to 255 (Yu et al. 2023)."""
C3D_FC7 = _c3d(
    "c3d_fc7",
    *(TO_256, ReverseChannels(), AlignCorners(112), SubtractMeanClip(MEAN_CLIP, (8, 8))),
    output="fc7",
)
"""The features of the C3D-FID of TGANv2 and VDM, with ddof 1."""

INCEPTION = NetworkFeatures(
    "inception",
    models.Inception(),
    "inception_fid",
    (Images(), UNIT, HalfPixel(299), Rescale(0.5, -1.0)),
    "pool",
)
"""Frame FID as in pytorch-fid: no antialiasing, ddof 1."""
INCEPTION_CLEAN = NetworkFeatures(
    "inception_clean",
    models.Inception(),
    "inception_fid",
    (Images(), Antialiased(299, "cubic"), Rescale(128.0, -1.0)),
    "pool",
)
"""Frame FID as in clean-fid: PIL's bicubic resize of floats (Parmar et al. 2022)."""
