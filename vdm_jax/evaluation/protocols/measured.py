"""A protocol as an evaluation of a run: the same measurement every so many steps."""

import tempfile
from dataclasses import dataclass, replace

import jax
from etils import epath

from vdm_jax import data, storage
from vdm_jax.evaluation.protocols.measuring import measure
from vdm_jax.evaluation.protocols.protocol import Protocol, protocol_hash
from vdm_jax.evaluation.protocols.samples import generate
from vdm_jax.evaluation.protocols.video_files import Collection, collect
from vdm_jax.evaluation.subject import Model, Results
from vdm_jax.types import Key


@dataclass(frozen=True)
class Measured:
    """The protocol by samples of the model in training.

    real: a folder of real videos, or of a data set built from them; None is what the model is
    trained on, in the protocol's split. samples: fewer than the protocol's, which is then another
    one. keep: a folder for the samples of every step; None keeps none.
    """

    protocol: Protocol
    real: str | None = None
    samples: int | None = None
    keep: str | None = None
    every: int | None = None

    @property
    def name(self) -> str:
        return self.protocol.name

    def __call__(self, key: Key, subject: Model) -> Results:
        protocol, real = self.protocol, self._real(subject)
        if self.samples is not None:
            rules = replace(protocol.generated, count=self.samples)
            protocol = replace(protocol, generated=rules)
        with tempfile.TemporaryDirectory() as temporary:
            folder = epath.Path(self.keep or temporary) / protocol_hash(protocol)
            if self.keep:  # a folder for each step, of which the key is a function
                folder = folder / _told(key)
            generate(subject, key, protocol, real, folder, {"key": _told(key)})
            with storage.temporary_copy(folder) as here:
                made = protocol.generated.clips(collect(here), protocol.samples)
                result = measure(protocol, self.name, made, real)
        numbers = ("value", "low", "high", "std")
        found = {
            name: {k: float(v[k]) for k in numbers if v.get(k) is not None}
            for name, v in result.values.items()
        }
        return {**found, "samples": float(len(made)), "warnings": float(len(result.warnings))}

    def _real(self, subject: Model) -> Collection | None:
        protocol = self.protocol
        asked = protocol.generated.asked.of_real or protocol.generated.source is not None
        if not (protocol.compared or asked):
            return None
        if self.real is not None:
            return collect(storage.cached_copy(self.real), protocol.real.split)
        if isinstance(subject.data, data.Clips):
            return collect(subject.data.shards.folder, protocol.real.split)
        if isinstance(subject.data, data.VideoFolder):
            return collect(subject.data.path)
        raise ValueError(
            f"{self.name} compares with real videos, and {type(subject.data).__name__} is no "
            "collection of them: name their folder in Measured.real"
        )


def _told(key: Key) -> str:
    return "-".join(f"{int(n):08x}" for n in jax.random.key_data(key).ravel())
