"""Protocols: everything that a published number depends on, by name."""

from vdm_jax.evaluation.protocols import msr_vtt, predictions, ucf101, ucf101_zero_shot
from vdm_jax.evaluation.protocols.captions import ClipSimilarity, RPrecision
from vdm_jax.evaluation.protocols.frames import Part, Square
from vdm_jax.evaluation.protocols.generated import Generated
from vdm_jax.evaluation.protocols.measured import Measured
from vdm_jax.evaluation.protocols.measures import (
    Frechet,
    Inception,
    KernelDistance,
    MaskedMean,
    Mean,
    Measure,
    MotionDistance,
)
from vdm_jax.evaluation.protocols.measuring import Pairs, measure, statistics_folder
from vdm_jax.evaluation.protocols.pairs import PairPSNR, PairSSIM
from vdm_jax.evaluation.protocols.prompts import (
    Classes,
    Prompt,
    RealCaptions,
    RealLabels,
    Unconditional,
)
from vdm_jax.evaluation.protocols.protocol import Protocol, identity, protocol_hash
from vdm_jax.evaluation.protocols.real import Real
from vdm_jax.evaluation.protocols.reference_sampling import (
    All,
    EvenlySpaced,
    ReferenceSampling,
    SortedFirst,
    WithoutReplacement,
    WithReplacement,
)
from vdm_jax.evaluation.protocols.samples import generate, prompts_of
from vdm_jax.evaluation.protocols.storage import H264, Gif, Jpeg
from vdm_jax.evaluation.protocols.tables import read_captions, read_list
from vdm_jax.evaluation.protocols.video_files import Collection, VideoFile, collect

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
    "Measured",
    "MotionDistance",
    "PairPSNR",
    "PairSSIM",
    "Pairs",
    "Part",
    "Prompt",
    "Protocol",
    "RPrecision",
    "Real",
    "RealCaptions",
    "RealLabels",
    "ReferenceSampling",
    "SortedFirst",
    "Square",
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
