"""Frame prediction protocols: Kinetics-600 from five frames, BAIR robot pushing from one."""

from dataclasses import replace

from vdm_jax import data
from vdm_jax.metrics import presets
from vdm_jax.metrics.resizing import Legacy, PixelStep, ShorterSide
from vdm_jax.protocols.cropping import Crop
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measures import Frechet
from vdm_jax.protocols.prompts import RealLabels
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.real import Position, Real
from vdm_jax.protocols.reference_sampling import (
    All,
    EvenlySpaced,
    ReferenceSampling,
    WithoutReplacement,
    WithReplacement,
)
from vdm_jax.protocols.ucf101 import FVD_TF, antialiased

KINETICS = "kinetics-600 prediction"
BAIR = "bair prediction"
LEFT_MIDDLE_RIGHT = ((0.5, 0.0), (0.5, 0.5), (0.5, 1.0))
LEGACY_64 = (Legacy(ShorterSide(64)), Crop(64))


def kinetics(
    pixels: tuple[PixelStep, ...],
    windows: data.Windows,
    take: ReferenceSampling = All(),
    crop_positions: tuple[Position, ...] = ((0.5, 0.5),),
) -> Real:
    """The real clips of Kinetics-600's evaluation videos."""
    return Real(
        "Kinetics-600",
        "val",
        windows=windows,
        take=take,
        pixels=pixels,
        crop_positions=crop_positions,
    )


def prediction(source: Real, count: int, given: int, each: int = 1) -> Generated:
    """Samples that continue the first `given` frames of real clips."""
    return Generated(count, RealLabels(), each=each, source=source, given=given, size=64)


EVAL = kinetics(LEGACY_64, EvenlySpaced(2), crop_positions=LEFT_MIDDLE_RIGHT)
MAGVIT = Protocol(
    "kinetics600_magvit_64", KINETICS, "FVD of 4 x 50,000 predictions, 5 frames to 11, 64 x 64",
    "Yu et al. 2023 (MAGVIT) and their code: six clips of each evaluation video",
    EVAL, prediction(EVAL, 50_000, 5), (FVD_TF,), repeats=4,
)  # fmt: skip
MIDDLE = kinetics(antialiased(64), data.Center())
VDM = Protocol(
    "kinetics600_vdm_64", KINETICS, "FVD of 50,000 predictions, 5 frames to 11, 64 x 64",
    "Ho et al. 2022 (VDM), arXiv 2204.03458: real clips without replacement",
    kinetics(antialiased(64), data.EveryWindow(), WithoutReplacement(50_000)),
    prediction(MIDDLE, 50_000, 5),
    (FVD_TF,), assumed="Non-overlapping clips; frames antialiased bilinear, center crop.",
)  # fmt: skip
VDM_REPLACEMENT = replace(
    VDM, name="kinetics600_vdm_replacement_64",
    real=kinetics(antialiased(64), data.EveryWindow(), WithReplacement(50_000)),
    source="Ho et al. 2022 (VDM), arXiv 2204.03458: real clips with replacement",
)  # fmt: skip


def bair(
    camera: str, windows: data.Windows = data.First(), take: ReferenceSampling = All()
) -> Real:
    """The real clips of BAIR's test videos of one camera; the two cameras are not comparable."""
    return Real(f"BAIR {camera}", "test", windows=windows, take=take, videos=256)


AUX_1, MAIN = bair("image_aux1"), bair("image_main")
BAIR_AUX_1 = Protocol(
    "bair_aux1_64", BAIR, "FVD of 25,600 predictions, 1 frame to 15, against 256 real clips",
    "Yu et al. 2023 (MAGVIT), camera image_aux1: 100 samples of each of 256 test videos",
    AUX_1, prediction(AUX_1, 25_600, 1, each=100), (FVD_TF,),
)  # fmt: skip
BAIR_DEBIASED = replace(
    BAIR_AUX_1, name="bair_aux1_debiased_64",
    real=bair("image_aux1", data.EveryWindow(step=1)),
    summary="FVD of 25,600 predictions, 1 frame to 15, against all 3,840 real clips",
)  # fmt: skip
BAIR_MAIN = replace(
    BAIR_AUX_1, name="bair_main_64", real=MAIN, generated=prediction(MAIN, 25_600, 1, each=100),
    source="Ho et al. 2022 (VDM) and others, camera image_main",
)  # fmt: skip
BAIR_VIDEOGPT = Protocol(
    "bair_videogpt_64", BAIR, "FVD of 256 predictions, 1 frame to 15, against 256 real clips",
    "Yan et al. 2021 (VideoGPT) and their code", MAIN, prediction(MAIN, 256, 1),
    (Frechet(presets.I3D_CROPPED, presets.FVD_VIDEOGPT_256.ddof),),
    assumed="The camera is image_main.",
)  # fmt: skip

ALL = (MAGVIT, VDM, VDM_REPLACEMENT, BAIR_AUX_1, BAIR_DEBIASED, BAIR_MAIN, BAIR_VIDEOGPT)
