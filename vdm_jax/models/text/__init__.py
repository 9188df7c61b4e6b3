"""Text encoders: token ids to token embeddings."""

from vdm_jax.models.text.clip import ClipText
from vdm_jax.models.text.t5 import T5, FeedForward, GatedFeedForward
from vdm_jax.models.text.words import WordEncoder

__all__ = ["T5", "ClipText", "FeedForward", "GatedFeedForward", "WordEncoder"]
