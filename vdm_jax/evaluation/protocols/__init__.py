"""Protocols: everything that a published number depends on, by name."""

from vdm_jax.evaluation.protocols.choices import (
    Every,
    Sample,
    SampleAgain,
    SortedFirst,
    Spread,
    Take,
)
from vdm_jax.evaluation.protocols.footage import Collection, Footage, collect
from vdm_jax.evaluation.protocols.frames import Jpeg, Part, Square
from vdm_jax.evaluation.protocols.generated import Generated
from vdm_jax.evaluation.protocols.measured import Measured
from vdm_jax.evaluation.protocols.measures import Frechet, Inception, KernelDistance, Mean, Measure
from vdm_jax.evaluation.protocols.measuring import measure
from vdm_jax.evaluation.protocols.prompts import Ask, Classes, Nothing, RealCaptions, RealLabels
from vdm_jax.evaluation.protocols.protocol import Protocol, identity, protocol_hash
from vdm_jax.evaluation.protocols.real import Real
from vdm_jax.evaluation.protocols.samples import asks_of, generate
from vdm_jax.evaluation.protocols.tables import read_captions, read_list

PROTOCOLS: dict[str, Protocol] = {}

__all__ = [
    "PROTOCOLS",
    "Ask",
    "Classes",
    "Collection",
    "Every",
    "Footage",
    "Frechet",
    "Generated",
    "Inception",
    "Jpeg",
    "KernelDistance",
    "Mean",
    "Measure",
    "Measured",
    "Nothing",
    "Part",
    "Protocol",
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
]
