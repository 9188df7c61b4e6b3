"""Protocols: everything that a published number depends on, by name."""

from vdm_jax.evaluation.protocols import msr_vtt, predictions, ucf101, ucf101_zero_shot
from vdm_jax.evaluation.protocols.captions import ClipSimilarity, RPrecision
from vdm_jax.evaluation.protocols.choices import (
    Every,
    Sample,
    SampleAgain,
    SortedFirst,
    Spread,
    Take,
)
from vdm_jax.evaluation.protocols.footage import Collection, Footage, collect
from vdm_jax.evaluation.protocols.frames import Part, Square
from vdm_jax.evaluation.protocols.generated import Generated
from vdm_jax.evaluation.protocols.measured import Measured
from vdm_jax.evaluation.protocols.measures import (
    Frechet,
    Inception,
    KernelDistance,
    Mean,
    MeanOfSome,
    Measure,
    MotionDistance,
)
from vdm_jax.evaluation.protocols.measuring import Pairs, measure, statistics_folder
from vdm_jax.evaluation.protocols.pairs import PairPSNR, PairSSIM
from vdm_jax.evaluation.protocols.prompts import Ask, Classes, Nothing, RealCaptions, RealLabels
from vdm_jax.evaluation.protocols.protocol import Protocol, identity, protocol_hash
from vdm_jax.evaluation.protocols.real import Real
from vdm_jax.evaluation.protocols.samples import asks_of, generate
from vdm_jax.evaluation.protocols.storage import H264, Gif, Jpeg
from vdm_jax.evaluation.protocols.tables import read_captions, read_list

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (*ucf101.ALL, *ucf101_zero_shot.ALL, *msr_vtt.ALL, *predictions.ALL)
}
"""Every protocol of the library, by name."""

__all__ = [
    "H264",
    "PROTOCOLS",
    "Ask",
    "Classes",
    "ClipSimilarity",
    "Collection",
    "Every",
    "Footage",
    "Frechet",
    "Generated",
    "Gif",
    "Inception",
    "Jpeg",
    "KernelDistance",
    "Mean",
    "MeanOfSome",
    "Measure",
    "Measured",
    "MotionDistance",
    "Nothing",
    "PairPSNR",
    "PairSSIM",
    "Pairs",
    "Part",
    "Protocol",
    "RPrecision",
    "Real",
    "RealCaptions",
    "RealLabels",
    "Sample",
    "SampleAgain",
    "SortedFirst",
    "Spread",
    "Square",
    "Take",
    "asks_of",
    "collect",
    "generate",
    "identity",
    "measure",
    "protocol_hash",
    "read_captions",
    "read_list",
    "statistics_folder",
]
