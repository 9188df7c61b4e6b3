"""Frozen text encoders: the embeddings of data sets (precomputed) and of prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Sharding
from jaxtyping import Array, Bool

from vdm_jax import config, data, models
from vdm_jax.checkpoints import CheckpointError, read_weights
from vdm_jax.checkpoints.layouts import T5_ORIGINAL, T5_V1_1
from vdm_jax.types import Params

RECORD = "encoder.json"
"""The file beside stored embeddings with the encoder that made them."""


@dataclass(frozen=True)
class TextEncoder:
    """A published T5, which encodes captions in bfloat16. It loads its weights at first use.

    model: the network.
    weights: the published file, or the folder of files.
    tokens: the tokenizer, with the file spiece.model and the number of tokens per caption.
    """

    model: models.T5
    weights: str
    tokens: data.SentencePiece

    @cached_property
    def _params(self) -> Params:
        gated = isinstance(self.model.feed_forward, models.GatedFeedForward)
        layout = T5_V1_1 if gated else T5_ORIGINAL
        if not epath.Path(self.weights).expanduser().exists():
            raise CheckpointError(
                f"no weights of a text encoder at {self.weights!r}: download one of the published "
                f"files ({'; '.join(layout.files)}) from huggingface.co, and pass its path"
            )
        tokens = jnp.zeros((1, self.tokens.length), jnp.int32)
        like = jax.eval_shape(self.model.init, jax.random.key(0), tokens)["params"]
        weights = read_weights(self.weights)
        return layout.to_params(weights, like, jnp.bfloat16)

    def encode(
        self, captions: Sequence[str], sharding: Sharding | None = None
    ) -> tuple[Array, Bool[np.ndarray, "b l"]]:
        """(embeddings bfloat16 [b l d], mask of real tokens).

        sharding: of the batch, for many captions on several devices.
        """
        batch = self.tokens.batch(captions)
        tokens, mask = (jax.device_put(batch[k], sharding) for k in ("tokens", "text_mask"))
        return _encode(self.model, self._params, tokens, mask), batch["text_mask"]

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`text` float32 [b l d] and `text_mask` bool [b l], as those of `data.Embeddings`."""
        text, mask = self.encode(captions)
        return {"text": np.asarray(text, np.float32) * mask[..., None], "text_mask": mask}


@partial(jax.jit, static_argnums=0)
def _encode(model, params, tokens, mask) -> Array:
    return model.apply({"params": params}, tokens, mask)


def write_encoder(folder: Path, encoder: TextEncoder) -> None:
    """Writes the encoder beside the embeddings in a folder, for `encode_prompts`."""
    (folder / RECORD).write_text(json.dumps(config.to_json(encoder), indent=1) + "\n")


def encode_prompts(text: data.Text, captions: Sequence[str]) -> dict[str, np.ndarray]:
    """Captions as arrays of a batch.

    For `data.Embeddings`, captions without a stored embedding are encoded by the encoder beside it.

    Raises:
      CheckpointError: this encoder or its weights are missing.
    """
    if not isinstance(text, data.Embeddings) or all(text.has(c) for c in captions):
        return text.batch(captions)
    record = Path(text.path) / RECORD
    if not record.is_file():
        raise CheckpointError(
            f"the prompt {next(c for c in captions if not text.has(c))!r} has no embedding in "
            f"{text.path}, and no encoder ({record.name} is missing): run `vdm-jax embed` with a "
            "file of your prompts, or with the encoder's weights"
        )
    encoder = config.from_json(json.loads(record.read_text()))
    batch = encoder.batch(captions)
    length = min(text.length, batch["text"].shape[1])
    padded = np.zeros((len(captions), text.length, text.features), np.float32)
    mask = np.zeros((len(captions), text.length), bool)
    padded[:, :length] = batch["text"][:, :length]
    mask[:, :length] = batch["text_mask"][:, :length]
    return {"text": padded, "text_mask": mask}
