"""A protocol as an evaluation during training."""

import tempfile
from dataclasses import dataclass, replace

import jax
from etils import epath

from vdm_jax import data, storage
from vdm_jax.interfaces import Model, Results
from vdm_jax.protocols.measurement import measure
from vdm_jax.protocols.protocol import Protocol, protocol_hash
from vdm_jax.protocols.samples import generate
from vdm_jax.protocols.video_files import Collection, collect
from vdm_jax.types import Key


@dataclass(frozen=True)
class ProtocolEvaluation:
    """Measures samples of the model by a protocol.

    protocol: the protocol.
    real: folder of real videos, or of a data set built from them; None is the training data, in the
      protocol's split.
    samples: number of samples, which changes the protocol; None is the protocol's number.
    samples_dir: folder in which the samples of every step are saved; None deletes them.
    every: training steps between two evaluations; None is at the end only.
    """

    protocol: Protocol
    real: str | None = None
    samples: int | None = None
    samples_dir: str | None = None
    every: int | None = None

    @property
    def name(self) -> str:
        return self.protocol.name

    def __call__(self, key: Key, model: Model) -> Results:
        protocol, real = self.protocol, self._real(model)
        if self.samples is not None:
            rules = replace(protocol.generated, count=self.samples)
            protocol = replace(protocol, generated=rules)
        with tempfile.TemporaryDirectory() as temporary:
            folder = epath.Path(self.samples_dir or temporary) / protocol_hash(protocol)
            if self.samples_dir:  # one folder per step: each step has another key
                folder = folder / _hex(key)
            generate(model, key, protocol, real, folder, {"key": _hex(key)})
            with storage.temporary_copy(folder) as local:
                clips = protocol.generated.clips(collect(local), protocol.samples)
                result = measure(protocol, self.name, clips, real)
        fields = ("value", "low", "high", "std")
        values = {
            name: {k: float(v[k]) for k in fields if v.get(k) is not None}
            for name, v in result.values.items()
        }
        return {**values, "samples": float(len(clips)), "warnings": float(len(result.warnings))}

    def _real(self, model: Model) -> Collection | None:
        protocol = self.protocol
        generated = protocol.generated
        conditions = generated.prompts.needs_real or generated.source is not None
        if not (protocol.has_reference or conditions):
            return None
        if self.real is not None:
            return collect(storage.cached_copy(self.real), protocol.real.split)
        if isinstance(model.data, data.Clips):
            return collect(model.data.shards.folder, protocol.real.split)
        if isinstance(model.data, data.VideoFolder):
            return collect(model.data.path)
        raise ValueError(
            f"{self.name} needs real videos, and {type(model.data).__name__} is not a folder of "
            "them: set ProtocolEvaluation.real"
        )


def _hex(key: Key) -> str:
    return "-".join(f"{int(n):08x}" for n in jax.random.key_data(key).ravel())
