"""What a video is conditioned on: one typed pytree of optional fields."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

EXACT = ("lowres_logsnr", "guidance")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditioning:
    """Conditions of `b` rows; an absent one is `None`.

    A row usually holds one clip. In joint image-video training it holds `n`: then `segments` says
    which clip each frame belongs to, and the other fields carry an axis `n` after `b`.

    label: class index, -1 for none.
    tokens: ids of the caption's words, for a network with its own text encoder.
    text: token embeddings of a text encoder.
    text_mask: True where a token is real; a caption without real tokens is no caption.
    segments: the clip of each frame.
    lowres: the video at a low resolution, with fewer frames or smaller ones, and noise.
    lowres_logsnr: how much noise; one value a row or, with `segments`, one a frame of the result.
    guidance: the weight of guidance, for a network distilled to know it; never dropped.
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

    def keep(self, kept: Bool[Array, "b *n"]) -> "Conditioning":
        """The same conditions where `kept`, none elsewhere. Which frames are a clip stays
        known."""

        def masked(mask):
            return mask & kept.reshape(*kept.shape, 1)

        return dataclasses.replace(
            self,
            label=None if self.label is None else jnp.where(kept, self.label, -1),
            text_mask=None if self.text_mask is None else masked(self.text_mask),
        )

    def cast(self, dtype: Any) -> "Conditioning":
        """The same with floats of another type, but for the numbers of a row, which stay exact."""

        def cast(path, leaf):
            kept = path[0].name in EXACT or not jnp.issubdtype(leaf.dtype, jnp.floating)
            return leaf if kept else leaf.astype(dtype)

        return jax.tree_util.tree_map_with_path(cast, self)

    @property
    def clips(self) -> tuple[int, ...] | None:
        """The shape `b` or `b n` of what can be dropped; None where there is nothing to drop."""
        if self.label is not None:
            return self.label.shape
        return None if self.text_mask is None else self.text_mask.shape[:-1]

    def null(self) -> "Conditioning":
        """The unconditional side of classifier-free guidance."""
        return self if self.clips is None else self.keep(jnp.zeros(self.clips, bool))

    def drop(self, key: jax.Array, rate: float) -> "Conditioning":
        """Each clip's conditions dropped together with probability `rate`, to train for guidance.

        (Ho & Salimans 2022, algorithm 1)
        """
        if self.clips is None or not rate:
            return self
        return self.keep(jax.random.bernoulli(key, 1 - rate, self.clips))
