"""Named evaluation protocols, samples for them, their results, and published numbers."""

from vdm_jax.metrics.pairs import PairPSNR, PairSSIM
from vdm_jax.protocols import msr_vtt, predictions, ucf101, ucf101_zero_shot
from vdm_jax.protocols.captions import ClipSimilarity, RPrecision
from vdm_jax.protocols.compression import H264, Gif, Jpeg
from vdm_jax.protocols.cropping import Crop, SquareCrop
from vdm_jax.protocols.generated import Generated
from vdm_jax.protocols.measurement import Pairs, measure, statistics_folder
from vdm_jax.protocols.measures import (
    Frechet,
    Inception,
    KernelDistance,
    MaskedMean,
    Mean,
    Measure,
    MotionDistance,
)
from vdm_jax.protocols.prompts import Classes, Prompt, RealCaptions, RealLabels, Unconditional
from vdm_jax.protocols.protocol import Protocol, identity, protocol_hash
from vdm_jax.protocols.protocol_evaluation import ProtocolEvaluation
from vdm_jax.protocols.real import Real
from vdm_jax.protocols.reference_sampling import (
    All,
    EvenlySpaced,
    ReferenceSampling,
    SortedFirst,
    WithoutReplacement,
    WithReplacement,
)
from vdm_jax.protocols.samples import generate, prompts_of
from vdm_jax.protocols.tables import read_captions, read_list
from vdm_jax.protocols.video_files import Collection, VideoFile, collect

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (*ucf101.ALL, *ucf101_zero_shot.ALL, *msr_vtt.ALL, *predictions.ALL)
}
"""Every protocol of the library, by name."""

__all__ = [
    "H264",
    "PROTOCOLS",
    "All",
    "Classes",
    "ClipSimilarity",
    "Collection",
    "Crop",
    "EvenlySpaced",
    "Frechet",
    "Generated",
    "Gif",
    "Inception",
    "Jpeg",
    "KernelDistance",
    "MaskedMean",
    "Mean",
    "Measure",
    "MotionDistance",
    "PairPSNR",
    "PairSSIM",
    "Pairs",
    "Prompt",
    "Protocol",
    "ProtocolEvaluation",
    "RPrecision",
    "Real",
    "RealCaptions",
    "RealLabels",
    "ReferenceSampling",
    "SortedFirst",
    "SquareCrop",
    "Unconditional",
    "VideoFile",
    "WithReplacement",
    "WithoutReplacement",
    "collect",
    "generate",
    "identity",
    "measure",
    "prompts_of",
    "protocol_hash",
    "read_captions",
    "read_list",
    "statistics_folder",
]
