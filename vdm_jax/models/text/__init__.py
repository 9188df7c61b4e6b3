"""Text encoders: token ids to token embeddings."""

from vdm_jax.models.text.words import WordEncoder

__all__ = ["WordEncoder"]
