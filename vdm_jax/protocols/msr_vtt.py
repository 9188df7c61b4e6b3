"""Zero-shot protocols on MSR-VTT and WebVid, and protocols for any samples.

MSR-VTT's official test split has 2,990 videos with 20 captions each.
"""

from dataclasses import replace

from vdm_jax import data
from vdm_jax.metrics import presets
from vdm_jax.metrics.clipsim import clip_frames
from vdm_jax.metrics.resizing import PixelStep
from vdm_jax.metrics.warping import WarpingError
from vdm_jax.protocols.captions import B16, FRAMES_B16, ClipSimilarity, RPrecision
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measures import Frechet, MaskedMean, Mean, MotionDistance
from vdm_jax.protocols.prompts import RealCaptions, Unconditional
from vdm_jax.protocols.protocol import Protocol
from vdm_jax.protocols.real import Real
from vdm_jax.protocols.reference_sampling import All, ReferenceSampling, WithoutReplacement
from vdm_jax.protocols.ucf101 import FVD_SGV, FVD_TATS, FVD_TF, antialiased

TASK = "msr-vtt zero-shot"
FID = Frechet(presets.INCEPTION, ddof=1, name="fid", bootstrap=None)
CLIP_FID = Frechet(clip_frames(), ddof=1, name="clip_fid", bootstrap=None)
CENTER = "Frames antialiased bilinear, center crop."


def real(
    pixels: tuple[PixelStep, ...] = antialiased(256),
    windows: data.Windows = data.RandomWindow(),
    take: ReferenceSampling = All(),
    split: str = "test",
    videos: int = 2990,
    stride: int = 1,
) -> Real:
    """The real clips of MSR-VTT's test videos."""
    return Real("MSR-VTT", split, windows=windows, take=take, pixels=pixels, videos=videos,
                stride=stride)  # fmt: skip


ONE = Generated(2990, RealCaptions("one"))
ONE_CAPTION = Protocol(
    "msr_vtt_one_caption", TASK, "CLIPSIM and FVD of 2,990 samples, one caption of each video",
    "Wang et al. 2023 (LaVie), Ren et al. 2024 (ConsistI2V), Wang et al. 2023 (ModelScope)",
    real(), ONE, (ClipSimilarity(), FVD_TATS),
    assumed=f"Captions drawn with seed 0; the papers' are not published. {CENTER}",
)  # fmt: skip
ALL_CAPTIONS = Protocol(
    "msr_vtt_all_captions", TASK, "CLIPSIM and frame FID of 59,800 samples, one for each caption",
    "Wu et al. 2021 (GODIVA) and those after it; CogVideo's papers have 59,794",
    real(), Generated(59_800, RealCaptions("every")), (ClipSimilarity(), FID), assumed=CENTER,
)  # fmt: skip
ONE_K_A = Protocol(
    "msr_vtt_1k_a", TASK, "CLIPSIM and R-precision of 1,000 samples, the captions of 1k-A",
    "Yu et al. 2018 (JSFusion), the list MSRVTT_JSFUSION_test.csv",
    real(split="test_1k_a", videos=1000), Generated(1000, RealCaptions("first")),
    (ClipSimilarity(), RPrecision(), RPrecision(candidates=100, name="r_precision_100")),
)  # fmt: skip
SHOW_1 = Protocol(
    "msr_vtt_show1", TASK, "FVD and frame FID of 2,048 samples against 2,048 test videos",
    "Zhang et al. 2023 (Show-1)", real(take=WithoutReplacement(2048)),
    Generated(2048, RealCaptions("one")), (FVD_TF, FID, ClipSimilarity()),
    assumed=f"Its CLIPSIM is of all captions. {CENTER}",
)  # fmt: skip
VIDEO_POET = Protocol(
    "msr_vtt_videopoet", TASK, "FVD of 20 x 2,048 samples against the middle of 2,048 test videos",
    "Kondratyuk et al. 2023 (VideoPoet): the first 40,960 captions, CLIP B/16",
    real(windows=data.Center(), take=WithoutReplacement(2048)),
    Generated(2048, RealCaptions("every")),
    (FVD_TF, ClipSimilarity(FRAMES_B16, B16)), repeats=20, assumed=CENTER,
)  # fmt: skip
DYNAMI_CRAFTER = Protocol(
    "msr_vtt_dynamicrafter", TASK, "FVD of 2,048 samples against real clips of every third frame",
    "Xing et al. 2023 (DynamiCrafter)", real(take=WithoutReplacement(2048), stride=3),
    Generated(2048, RealCaptions("one")), (FVD_TATS,), assumed=CENTER,
)  # fmt: skip
SNAP = Protocol(
    "msr_vtt_snap", TASK, "CLIP-FID, FVD and CLIPSIM of 59,800 samples, one for each caption",
    "Menapace et al. 2024 (Snap Video)", real(), Generated(59_800, RealCaptions("every")),
    (CLIP_FID, FVD_SGV, ClipSimilarity()), assumed=f"CLIP B/32. {CENTER}",
)  # fmt: skip
WEBVID = Protocol(
    "webvid_cmd", "webvid zero-shot", "FVD and CLIPSIM of 5,000 samples, WebVid's validation set",
    "Yu et al. 2024 (CMD), as VideoFactory",
    Real("WebVid", "val", pixels=antialiased(256), videos=5000),
    Generated(5000, RealCaptions("first")), (FVD_TATS, ClipSimilarity()), assumed=CENTER,
)  # fmt: skip

_WARPING = WarpingError()
STEADINESS = Protocol(
    "any_steadiness", "any samples", "warping error and motion magnitude, without real clips",
    "Lai et al. 2018, with RAFT's flow of the samples themselves",
    Real("none", "none"), Generated(None, Unconditional()),
    (
        MaskedMean(_WARPING, "warping_error", where=2),
        Mean(_WARPING, "motion_magnitude", column=1),
    ),
)  # fmt: skip
FITTING = replace(
    STEADINESS, name="any_captions", summary="CLIPSIM and R-precision with the samples' captions",
    source="Wu et al. 2021 (GODIVA); Park et al. 2021", measures=(ClipSimilarity(), RPrecision()),
)  # fmt: skip

MOTION = Protocol(
    "any_motion", "any samples", "distance of the motion of 2,048 samples from that of real videos",
    "Liu et al. 2024 (FVMD), its histograms and distance, with points that follow RAFT's flow",
    Real("any", "all", take=WithoutReplacement(2048)), Generated(2048), (MotionDistance(),),
    assumed="Not FVMD, whose tracker is PIPs++: comparable only with results of this protocol.",
)  # fmt: skip

ALL = (
    *(ONE_CAPTION, ALL_CAPTIONS, ONE_K_A, SHOW_1, VIDEO_POET, DYNAMI_CRAFTER, SNAP, WEBVID),
    *(STEADINESS, FITTING, MOTION),
)
