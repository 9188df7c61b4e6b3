"""`Conditioning`: the conditions of a batch of videos as one typed pytree of optional fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

EXACT = ("lowres_logsnr", "guidance")
"""Fields that `cast` leaves in float32."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditioning:
    """Conditions of `b` batch elements; an absent one is `None`.

    A batch element usually is one clip. In joint image-video training it packs `n` clips: then
    `segments` holds the clip of each frame, and the other fields have an axis `n` after `b`.

    label: class index, -1 for none.
    tokens: token ids of the caption, for a network with its own text encoder.
    text: token embeddings of a text encoder.
    text_mask: True for tokens of the caption, False for padding; all False: no caption.
    segments: the clip of each frame.
    lowres: the low-resolution video, with fewer or smaller frames, and noise.
    lowres_logsnr: the log-SNR of that noise; one per batch element or, with `segments`, one per
      frame of the output.
    guidance: the guidance weight, for a network distilled to take it; never dropped.
    """

    label: Int[Array, "b *n"] | None = None
    tokens: Int[Array, "b *n l"] | None = None
    text: Float[Array, "b *n l d"] | None = None
    text_mask: Bool[Array, "b *n l"] | None = None
    segments: Int[Array, "b f"] | None = None
    lowres: Float[Array, "b _ h w c"] | None = None
    lowres_logsnr: Float[Array, "b *f"] | None = None
    guidance: Float[Array, "b"] | None = None

    @classmethod
    def of(cls, batch: Mapping[str, Any]) -> "Conditioning":
        """The conditions among the arrays of a batch."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in batch.items() if name in names})

    def where(self, clips: Bool[Array, "b *n"]) -> "Conditioning":
        """The same with label and caption only for clips that are True; `segments` stay."""
        label, text_mask = self.label, self.text_mask
        if label is not None:
            label = jnp.where(clips, label, -1)
        if text_mask is not None:
            text_mask = text_mask & clips.reshape(*clips.shape, 1)
        return dataclasses.replace(self, label=label, text_mask=text_mask)

    def cast(self, dtype: Any) -> "Conditioning":
        """The same with floats of another type, except the fields in `EXACT`."""

        def cast(path, leaf):
            exact = path[0].name in EXACT or not jnp.issubdtype(leaf.dtype, jnp.floating)
            return leaf if exact else leaf.astype(dtype)

        return jax.tree_util.tree_map_with_path(cast, self)

    @property
    def clips(self) -> tuple[int, ...] | None:
        """The shape `b` or `b n` of the clips with a label or caption; None: there are none."""
        if self.label is not None:
            return self.label.shape
        return None if self.text_mask is None else self.text_mask.shape[:-1]

    def null(self) -> "Conditioning":
        """The conditions of the unconditional model in classifier-free guidance."""
        return self if self.clips is None else self.where(jnp.zeros(self.clips, bool))

    def drop(self, key: jax.Array, rate: float) -> "Conditioning":
        """Drops label and caption of each clip together, with probability `rate`.

        (Ho & Salimans 2022, algorithm 1: training for classifier-free guidance)
        """
        if self.clips is None or not rate:
            return self
        return self.where(jax.random.bernoulli(key, 1 - rate, self.clips))
