"""Protocols on UCF-101: unconditional and class-conditional generation, and reconstruction.

Generative papers use the first of the three splits. Clips are 16 frames at the rate of the files,
25 or 29.97 frames per second, without resampling.
"""

from dataclasses import replace

from vdm_jax import data
from vdm_jax.metrics import inception_score as scores
from vdm_jax.metrics import presets
from vdm_jax.metrics.lpips import LpipsOfPairs
from vdm_jax.metrics.pairs import PairPSNR, PairSSIM
from vdm_jax.metrics.resizing import (
    Antialiased,
    CenterCrop,
    HalfPixel,
    Legacy,
    Pillow,
    PixelStep,
    ShorterSide,
)
from vdm_jax.protocols.compression import Jpeg
from vdm_jax.protocols.cropping import Crop, SquareCrop
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measures import Frechet, Inception, KernelDistance, Mean
from vdm_jax.protocols.prompts import Classes, RealLabels
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.real import Position, Real
from vdm_jax.protocols.reference_sampling import (
    All,
    ReferenceSampling,
    SortedFirst,
    WithoutReplacement,
)

VIDEOS = {"all": 13_320, "train": 9_537, "test": 3_783}
RATES = (25.0, 29.97)
ANYWHERE = data.RandomWindow()
EACH_CLIP = data.EveryWindow(step=1)
TASK = "ucf101 generation"

FVD_TF = Frechet(presets.I3D, presets.FVD_TF.ddof)
FVD_SGV = Frechet(presets.I3D_TORCHSCRIPT, presets.FVD_SGV_2048_16F.ddof)
FVD_TATS = Frechet(presets.I3D_PORTED, presets.FVD_TATS_2048.ddof)
FVD_CD = Frechet(presets.VIDEO_MAE, presets.FVD_CD.ddof)
C3D_FID = Frechet(presets.C3D_FC7, ddof=1, name="c3d_fid", bootstrap=None)
IS_TGAN = Inception(presets.C3D_TGAN, scores.TGAN)
IS_TGANV2 = Inception(presets.C3D_TGANV2, scores.TGANV2)
IS_MAGVIT = Inception(presets.C3D_MAGVIT, scores.MAGVIT)
IS_SGV = Inception(presets.C3D_TORCHSCRIPT, scores.STYLEGAN_V)
IN_THE_FILE = "c3d_ucf101.pt preprocesses frames itself; according to its author as TGANv2's code."


def real(
    split: str,
    pixels: tuple[PixelStep, ...],
    windows: data.Windows = ANYWHERE,
    take: ReferenceSampling = All(),
    crop_positions: tuple[Position, ...] | None = ((0.5, 0.5),),
    **changes,
) -> Real:
    """The real clips of a split of UCF-101."""
    return Real("UCF-101", split, windows=windows, take=take, pixels=pixels, videos=VIDEOS[split],
                crop_positions=crop_positions, rates=RATES, **changes)  # fmt: skip


def torch_crop(size: int) -> tuple[PixelStep, ...]:
    """VideoGPT's and TATS': PyTorch's bilinear resize of the shorter side, then a center crop."""
    return HalfPixel(ShorterSide(size, "up")), CenterCrop(size)


def square(size: int) -> tuple[PixelStep, ...]:
    """DIGAN's and PVDM's: a center crop, then PyTorch's bilinear resize."""
    return SquareCrop(), HalfPixel(size)


def lanczos_jpeg(size: int) -> tuple[PixelStep, ...]:
    """StyleGAN-V's converter: Lanczos, center crop, JPEG of quality 75 (its 95 is ignored)."""
    return Pillow(ShorterSide(size), "lanczos"), CenterCrop(size), Jpeg(75)


def legacy_crop(size: int) -> tuple[PixelStep, ...]:
    """MAGVIT's: TensorFlow 1's bilinear resize, then a random crop."""
    return Legacy(ShorterSide(size)), Crop(size)


def antialiased(size: int) -> tuple[PixelStep, ...]:
    """An antialiased bilinear resize of the shorter side, then a center crop."""
    return Antialiased(ShorterSide(size)), CenterCrop(size)


BY_CLASS = Classes("train")
SMALL = "The resize to 64 x 64 is not stated: antialiased bilinear, center crop."

TGAN = Protocol(
    "ucf101_tgan_64", TASK, "inception score of 10,000 samples, unconditional, 64 x 64",
    "Saito et al. 2017 (TGAN) and their code",
    real("train", antialiased(64)), Generated(10_000, size=64), (IS_TGAN,),
    assumed="10,000 samples; their code rounds to 9,984 by its batches.",
)  # fmt: skip
TGANV2 = Protocol(
    "ucf101_tganv2_128", TASK, "inception score and C3D-FID of 10 x 2,048 samples, unconditional",
    "Saito et al. 2020 (TGANv2) and their code",
    real("train", torch_crop(128), take=WithoutReplacement(2048)), Generated(2048, size=128),
    (IS_TGANV2, C3D_FID), repeats=10, assumed="Real frames are cropped as in TATS.",
)  # fmt: skip
VDM = Protocol(
    "ucf101_vdm_64", TASK, "inception score and C3D-FID of 10,000 samples, unconditional, 64 x 64",
    "Ho et al. 2022 (VDM), arXiv 2204.03458", real("all", antialiased(64)),
    Generated(10_000, size=64), (IS_TGANV2, C3D_FID), assumed=SMALL,
)  # fmt: skip
DVD_GAN = Protocol(
    "ucf101_dvd_gan_128", TASK, "FVD and inception score of 2,048 samples, by class, 128 x 128",
    "Clark et al. 2019 (DVD-GAN), as later tables use it",
    real("all", antialiased(128), take=WithoutReplacement(2048)),
    Generated(2048, Classes("total"), size=128), (FVD_TF, IS_TGANV2),
    assumed="Frames antialiased bilinear, center crop; the score as in TGANv2.",
)  # fmt: skip
MOCOGAN_HD = Protocol(
    "ucf101_mocogan_hd_128", TASK, "FVD and inception score of 2,048 samples, 128 x 128",
    "Tian et al. 2021 (MoCoGAN-HD) and their code",
    real("all", torch_crop(128), take=WithoutReplacement(2048)), Generated(2048, size=128),
    (FVD_TF, IS_TGANV2), assumed="Real frames are cropped as in TATS.",
)  # fmt: skip
DIGAN = Protocol(
    "ucf101_digan_128", TASK, "FVD, KVD and inception score of 10 x 2,048 samples, 128 x 128",
    "Yu et al. 2022 (DIGAN) and their code: train and test lists together",
    real("all", square(128), take=WithoutReplacement(2048)), Generated(2048, size=128),
    (FVD_TATS, KernelDistance(presets.I3D_PORTED), IS_TGANV2), repeats=10,
    assumed="The same real clips for all repeats.",
)  # fmt: skip
STYLEGAN_V = Protocol(
    "ucf101_styleganv_256", TASK, "FVD (fvd2048_16f) and inception score of 2,048 samples",
    "Skorokhodov et al. 2022 (StyleGAN-V) and their code: the first 2,048 videos by name",
    real("all", lanczos_jpeg(256), take=SortedFirst(2048)), Generated(2048, size=256),
    (FVD_SGV, IS_SGV), assumed=IN_THE_FILE,
)  # fmt: skip
STYLEGAN_V_LONG = Protocol(
    "ucf101_styleganv_128f_256", TASK, "FVD (fvd2048_128f) of 2,048 samples of 128 frames",
    "Skorokhodov et al. 2022 (StyleGAN-V) and their code",
    real("all", lanczos_jpeg(256), take=SortedFirst(2048), frames=128),
    Generated(2048, frames=128, size=256), (FVD_SGV,),
)  # fmt: skip
STYLEGAN_V_STRIDED = Protocol(
    "ucf101_styleganv_128f_subsample8f_256", TASK,
    "FVD (fvd2048_128f_subsample8f) of 2,048 samples: 16 of 128 frames, 8 apart",
    "Skorokhodov et al. 2022 (StyleGAN-V) and their code",
    real("all", lanczos_jpeg(256), take=SortedFirst(2048), stride=8),
    Generated(2048, stride=8, size=256), (FVD_SGV,),
)  # fmt: skip
TATS = Protocol(
    "ucf101_tats_128", TASK, "FVD and KVD of 2,048 samples, unconditional, 128 x 128",
    "Ge et al. 2022 (TATS) and their code: 2,048 of all clips of the train list",
    real("train", torch_crop(128), EACH_CLIP, WithoutReplacement(2048)), Generated(2048, size=128),
    (FVD_TATS, KernelDistance(presets.I3D_PORTED), IS_TGANV2),
    assumed="Their inception score is of 10,000 samples: --set protocol.generated.count=10000.",
)  # fmt: skip
TATS_CLASS = replace(
    TATS, name="ucf101_tats_class_128", generated=Generated(2048, BY_CLASS, size=128),
    summary="FVD and KVD of 2,048 samples, by class, 128 x 128",
)  # fmt: skip
PVDM = Protocol(
    "ucf101_pvdm_256", TASK, "FVD and KVD of 2,048 samples, unconditional, 256 x 256",
    "Yu et al. 2023 (PVDM) and their code",
    real("train", square(256), take=WithoutReplacement(2048)),
    Generated(2048, size=256), (FVD_TATS, KernelDistance(presets.I3D_PORTED), IS_TGANV2),
)  # fmt: skip
LATTE = Protocol(
    "ucf101_latte_256", TASK, "FVD of 2,048 samples against real clips of every third frame",
    "Ma et al. 2024 (Latte) and their code",
    real("all", lanczos_jpeg(256), take=WithoutReplacement(2048), stride=3),
    Generated(2048, Classes("total"), size=256), (FVD_SGV,),
    assumed="Labels drawn by class frequency.",
)  # fmt: skip
MAGVIT = Protocol(
    "ucf101_magvit_128", TASK, "FVD and inception score of 4 x 10,000 samples, by class, 128 x 128",
    "Yu et al. 2023 (MAGVIT) and their code; W.A.L.T, CMD, LARP, EVATok follow it",
    real("train", legacy_crop(128), crop_positions=None), Generated(10_000, BY_CLASS, size=128),
    (FVD_TF, IS_MAGVIT), repeats=4,
    assumed="The real clips are one clip of each training video.",
)  # fmt: skip
CMD = replace(
    MAGVIT, name="ucf101_cmd_2048_128", generated=Generated(2048, BY_CLASS, size=128), repeats=1,
    real=real("train", antialiased(128), take=WithoutReplacement(2048)),
    summary="FVD and inception score of 2,048 samples, by class, 128 x 128",
    source="Yu et al. 2024 (CMD) and Gu et al. 2025 (FAR), 2,048 samples",
    assumed="Frames antialiased bilinear, center crop.",
)  # fmt: skip
HPDM = replace(
    STYLEGAN_V, name="ucf101_hpdm_256", generated=Generated(2048, Classes("total"), size=256),
    summary="FVD and inception score of 2,048 samples, by class, 256 x 256",
    source="Skorokhodov et al. 2024 (HPDM), by StyleGAN-V's code",
    assumed=f"Labels drawn by class frequency. {IN_THE_FILE}",
)  # fmt: skip
HPDM_10K = replace(
    HPDM, name="ucf101_hpdm_10k_256", generated=Generated(10_000, Classes("total"), size=256),
    real=real("all", lanczos_jpeg(256), take=SortedFirst(10_000)),
    summary="FVD and inception score of 10,000 samples, by class, 256 x 256",
)  # fmt: skip
MAKE_A_VIDEO = Protocol(
    "ucf101_make_a_video_256", TASK, "FVD and inception score of 10,000 samples, fine-tuned",
    "Singer et al. 2022 (Make-A-Video), arXiv 2209.14792, fine-tuned on UCF-101",
    real("train", antialiased(256), take=WithoutReplacement(10_000)),
    Generated(10_000, Classes("train", "class_name"), size=256), (FVD_TF, IS_MAGVIT),
    assumed="Its template sentences are not published: raw class names. Frames antialiased.",
)  # fmt: skip
CD_FVD = Protocol(
    "ucf101_cd_fvd_128", TASK, "content-debiased FVD of 2,048 samples, 128 x 128",
    "Ge et al. 2024, On the content bias in FVD, and their code (real='full', seed 42)",
    real("all", antialiased(128), seed=42), Generated(2048, size=128), (FVD_CD,),
)  # fmt: skip


def _reconstruction(split: str, summary: str, source: str) -> Protocol:
    """Reconstructions by an autoencoder of one clip of each video of a split."""
    clips = real(split, legacy_crop(128), windows=data.Center())
    return Protocol(
        f"ucf101_reconstruction_{split}_128", "ucf101 reconstruction", summary, source, clips,
        Generated(None, RealLabels(), source=clips, given=16, size=128),
        (FVD_TF, Mean(PairPSNR(), "psnr", pairs=True),
         Mean(PairSSIM(), "ssim", pairs=True), Mean(LpipsOfPairs(), "lpips", pairs=True)),
        assumed="The middle clip of each video, center crop.",
    )  # fmt: skip


RECONSTRUCTION = _reconstruction(
    "train", "rFVD, PSNR and SSIM of reconstructions of every training video",
    "Yu et al. 2023 (MAGVIT); EVATok and others follow it",
)  # fmt: skip
RECONSTRUCTION_TEST = _reconstruction(
    "test", "rFVD, PSNR and SSIM of reconstructions of every test video", "VideoAR"
)

ALL = (
    *(TGAN, TGANV2, VDM, DVD_GAN, MOCOGAN_HD, DIGAN, STYLEGAN_V, STYLEGAN_V_LONG),
    *(STYLEGAN_V_STRIDED, TATS, TATS_CLASS, PVDM, LATTE, MAGVIT, CMD, HPDM, HPDM_10K),
    *(MAKE_A_VIDEO, CD_FVD, RECONSTRUCTION, RECONSTRUCTION_TEST),
)
