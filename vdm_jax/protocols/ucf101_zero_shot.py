"""Zero-shot protocols on UCF-101: each paper's prompts, counts, frames and real clips."""

from vdm_jax import data
from vdm_jax.metrics import presets
from vdm_jax.metrics.resizing import Antialiased, CenterCrop, HalfPixel, ShorterSide
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measures import Frechet
from vdm_jax.protocols.prompts import Classes
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.reference_sampling import All, WithoutReplacement
from vdm_jax.protocols.ucf101 import (
    FVD_SGV,
    FVD_TATS,
    FVD_TF,
    IS_MAGVIT,
    antialiased,
    real,
    torch_crop,
)

TASK = "ucf101 zero-shot"
CENTER = "Real frames antialiased bilinear, center crop."

PYOCO = Protocol(
    "ucf101_zero_shot_pyoco", TASK, "10,000 samples by class mix, PYoCo's phrases, 256 x 256",
    "Ge et al. 2023 (PYoCo), as others reprint it", real("train", antialiased(256)),
    Generated(10_000, Classes("train", "pyoco"), size=256), (FVD_TF, IS_MAGVIT),
    assumed=f"Real clips and network are not published: train list, TF-Hub's I3D. {CENTER}",
)  # fmt: skip
VIDEO_LDM = Protocol(
    "ucf101_zero_shot_video_ldm", TASK, "2,048 samples by class mix, raw class names, 320 x 512",
    "Blattmann et al. 2023 (Video LDM), as others quote it",
    real("train", antialiased(256), take=WithoutReplacement(2048)),
    Generated(2048, Classes("train", "class_name"), size=(320, 512),
              pixels=(Antialiased(ShorterSide(256)), CenterCrop(256))),
    (FVD_TF, IS_MAGVIT), assumed=f"Only count, prompts and size are published. {CENTER}",
)  # fmt: skip
CMD = Protocol(
    "ucf101_zero_shot_cmd", TASK, "100 samples of each class, PYoCo's phrases, 512 x 1024",
    "Yu et al. 2024 (CMD)", real("train", antialiased(256)),
    Generated(10_100, Classes("equal", "pyoco", exact=True), size=(512, 1024),
              pixels=(Antialiased(ShorterSide(256)), CenterCrop(256))),
    (FVD_TF, IS_MAGVIT), assumed=f"The crop of samples is not stated: center crop. {CENTER}",
)  # fmt: skip
LAVIE = Protocol(
    "ucf101_zero_shot_lavie", TASK, "100 samples of each class, raw class names, 320 x 512",
    "Wang et al. 2023 (LaVie), by TATS' I3D", real("train", torch_crop(256)),
    Generated(10_100, Classes("equal", "class_name", exact=True), size=(320, 512),
              pixels=(CenterCrop(270), HalfPixel(224))),
    (FVD_TATS,), assumed="Real clips: one of each training video, cropped as in TATS.",
)  # fmt: skip
SHOW_1 = Protocol(
    "ucf101_zero_shot_show1", TASK, "FVD of 2,048 samples, phrases after PYoCo's, squashed to 256",
    "Zhang et al. 2023 (Show-1)", real("train", (Antialiased(256),), take=WithoutReplacement(2048)),
    Generated(2048, Classes("train", "pyoco"), pixels=(Antialiased(256),)), (FVD_TF, IS_MAGVIT),
    assumed="Its inception score is of 10,000 samples: --set protocol.generated.count=10000.",
)  # fmt: skip
SVD = Protocol(
    "ucf101_zero_shot_svd", TASK, "13,320 samples, as many of each class as there are videos",
    "Blattmann et al. 2023 (Stable Video Diffusion), arXiv 2311.15127",
    real("all", (Antialiased((240, 320)),), take=All()),
    Generated(None, Classes("total", "class_name", exact=True), size=(320, 576),
              pixels=(Antialiased((240, 432)), CenterCrop((240, 320)))),
    (FVD_SGV,), assumed="One clip of each video, at a random position.",
)  # fmt: skip
VIDEO_POET = Protocol(
    "ucf101_zero_shot_videopoet", TASK, "10,000 samples by the test list's mix, PYoCo's phrases",
    "Kondratyuk et al. 2023 (VideoPoet): the middle 16 frames of 10,000 training videos",
    real("train", antialiased(256), windows=data.Center(), take=WithoutReplacement(10_000)),
    Generated(10_000, Classes("test", "pyoco"), size=128, pixels=(Antialiased(256, "cubic"),)),
    (FVD_TF, IS_MAGVIT), assumed=f"All of the list's 9,537 videos are used. {CENTER}",
)  # fmt: skip


def _snap(name: str, size: tuple[int, int]) -> Protocol:
    return Protocol(
        f"ucf101_zero_shot_snap_{name}", TASK,
        f"10,000 samples by class mix, its own phrases, {size[1]} x {size[0]}",
        "Menapace et al. 2024 (Snap Video)", real("all", antialiased(256)),
        Generated(10_000, Classes("total", "snap_video"), size=size), (FVD_SGV, IS_MAGVIT),
        assumed=f"StyleGAN-V's I3D and its covariance. {CENTER}",
    )  # fmt: skip


SNAP_288, SNAP_512 = _snap("288", (288, 288)), _snap("512", (288, 512))
LUMIERE = Protocol(
    "ucf101_zero_shot_lumiere", TASK, "10,235 samples by class mix, PYoCo's phrases",
    "Bar-Tal et al. 2024 (Lumiere), as others quote it: first 16 frames, 244 x 244",
    real("train", antialiased(244)),
    Generated(10_235, Classes("train", "pyoco"),
              pixels=(Antialiased(ShorterSide(244)), CenterCrop(244))),
    (FVD_TF, IS_MAGVIT), assumed=f"244 as printed, not 224. {CENTER}",
)  # fmt: skip
CONSIST_I2V = Protocol(
    "ucf101_zero_shot_consisti2v", TASK, "2,048 samples from a first frame, PYoCo's phrases",
    "Ren et al. 2024 (ConsistI2V), by TATS' code",
    real("train", torch_crop(256), take=WithoutReplacement(2048)),
    Generated(2048, Classes("train", "consisti2v"), size=256), (FVD_TATS,),
    assumed="First frames are not part of the protocol: give samples with --generated.",
)  # fmt: skip
PANDA = Protocol(
    "ucf101_zero_shot_panda", TASK, "10,000 samples by class mix, a prompt for each class, 256",
    "Chen et al. 2024 (Panda-70M), with AnimateDiff", real("all", antialiased(256)),
    Generated(10_000, Classes("total", "pyoco"), size=256), (FVD_TF,),
    assumed=f"Its prompts are not published: PYoCo's phrases. {CENTER}",
)  # fmt: skip
CD_FVD = Protocol(
    "ucf101_zero_shot_cd_fvd", TASK, "content-debiased FVD of 2,048 samples, raw class names",
    "Ge et al. 2024, On the content bias in FVD, and their code",
    real("all", antialiased(128), seed=42),
    Generated(2048, Classes("total", "class_name"),
              pixels=(Antialiased(ShorterSide(128)), CenterCrop(128))),
    (Frechet(presets.VIDEO_MAE, presets.FVD_CD.ddof),), assumed="Its metric, with these prompts.",
)  # fmt: skip

ALL = (
    *(PYOCO, VIDEO_LDM, CMD, LAVIE, SHOW_1, SVD, VIDEO_POET, SNAP_288, SNAP_512),
    *(LUMIERE, CONSIST_I2V, PANDA, CD_FVD),
)
