"""Frame prediction: Kinetics-600 from five frames, BAIR robot pushing from one."""

from dataclasses import replace

from vdm_jax import data
from vdm_jax.evaluation import presets
from vdm_jax.evaluation.protocols.frames import Part
from vdm_jax.evaluation.protocols.generated import Generated
from vdm_jax.evaluation.protocols.measures import Frechet
from vdm_jax.evaluation.protocols.prompts import RealLabels
from vdm_jax.evaluation.protocols.protocol import Protocol
from vdm_jax.evaluation.protocols.real import Place, Real
from vdm_jax.evaluation.protocols.reference_sampling import (
    All,
    EvenlySpaced,
    ReferenceSampling,
    WithoutReplacement,
    WithReplacement,
)
from vdm_jax.evaluation.protocols.ucf101 import FVD_TF, antialiased
from vdm_jax.evaluation.resizing import Legacy, ShorterSide, Step

KINETICS = "kinetics-600 prediction"
BAIR = "bair prediction"
LEFT_MIDDLE_RIGHT = ((0.5, 0.0), (0.5, 0.5), (0.5, 1.0))
LEGACY_64 = (Legacy(ShorterSide(64)), Part(64))


def kinetics(
    pixels: tuple[Step, ...],
    windows: data.Windows,
    take: ReferenceSampling = All(),
    places: tuple[Place, ...] = ((0.5, 0.5),),
) -> Real:
    """Clips of Kinetics-600's evaluation videos."""
    return Real("Kinetics-600", "val", windows=windows, take=take, pixels=pixels, places=places)


def after(source: Real, count: int, given: int, each: int = 1) -> Generated:
    """Samples that go on from the first frames of real clips."""
    return Generated(count, RealLabels(), each=each, source=source, given=given, size=64)


EVAL = kinetics(LEGACY_64, EvenlySpaced(2), places=LEFT_MIDDLE_RIGHT)
MAGVIT = Protocol(
    "kinetics600_magvit_64", KINETICS, "FVD of 4 x 50,000 predictions, 5 frames to 11, 64 x 64",
    "Yu et al. 2023 (MAGVIT) and their code: six clips of each evaluation video",
    EVAL, after(EVAL, 50_000, 5), (FVD_TF,), repeats=4,
)  # fmt: skip
MIDDLE = kinetics(antialiased(64), data.Center())
VDM = Protocol(
    "kinetics600_vdm_64", KINETICS, "FVD of 50,000 predictions, 5 frames to 11, 64 x 64",
    "Ho et al. 2022 (VDM), arXiv 2204.03458: real clips without replacement",
    kinetics(antialiased(64), data.EveryWindow(), WithoutReplacement(50_000)),
    after(MIDDLE, 50_000, 5),
    (FVD_TF,), assumed="Clips side by side; frames antialiased bilinear, the middle.",
)  # fmt: skip
VDM_REPLACEMENT = replace(
    VDM, name="kinetics600_vdm_replacement_64",
    real=kinetics(antialiased(64), data.EveryWindow(), WithReplacement(50_000)),
    source="Ho et al. 2022 (VDM), arXiv 2204.03458: real clips with replacement",
)  # fmt: skip


def bair(
    camera: str, windows: data.Windows = data.First(), take: ReferenceSampling = All()
) -> Real:
    """Clips of BAIR's test videos from one of the two cameras, whose numbers do not compare."""
    return Real(f"BAIR {camera}", "test", windows=windows, take=take, videos=256)


AUX_1, MAIN = bair("image_aux1"), bair("image_main")
BAIR_AUX_1 = Protocol(
    "bair_aux1_64", BAIR, "FVD of 25,600 predictions, 1 frame to 15, against 256 real clips",
    "Yu et al. 2023 (MAGVIT), camera image_aux1: 100 samples of each of 256 test videos",
    AUX_1, after(AUX_1, 25_600, 1, each=100), (FVD_TF,),
)  # fmt: skip
BAIR_DEBIASED = replace(
    BAIR_AUX_1, name="bair_aux1_debiased_64",
    real=bair("image_aux1", data.EveryWindow(step=1)),
    says="FVD of 25,600 predictions, 1 frame to 15, against all 3,840 real clips",
)  # fmt: skip
BAIR_MAIN = replace(
    BAIR_AUX_1, name="bair_main_64", real=MAIN, generated=after(MAIN, 25_600, 1, each=100),
    source="Ho et al. 2022 (VDM) and others, camera image_main",
)  # fmt: skip
BAIR_VIDEOGPT = Protocol(
    "bair_videogpt_64", BAIR, "FVD of 256 predictions, 1 frame to 15, against 256 real clips",
    "Yan et al. 2021 (VideoGPT) and their code", MAIN, after(MAIN, 256, 1),
    (Frechet(presets.I3D_CROPPED, presets.FVD_VIDEOGPT_256.ddof),),
    assumed="The camera is image_main.",
)  # fmt: skip

ALL = (MAGVIT, VDM, VDM_REPLACEMENT, BAIR_AUX_1, BAIR_DEBIASED, BAIR_MAIN, BAIR_VIDEOGPT)
