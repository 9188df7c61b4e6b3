"""Frozen text encoders: captions to embeddings, for data sets beforehand and prompts at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Sharding
from jaxtyping import Array, Bool

from vdm_jax import config, data, models
from vdm_jax.checkpoints import CheckpointError, read_weights
from vdm_jax.checkpoints.layouts import T5_ORIGINAL, T5_V1_1

RECORD = "encoder.json"
"""Beside stored embeddings: the encoder that made them."""


@dataclass(frozen=True)
class TextEncoder:
    """A published T5: captions to embeddings in bfloat16. Its weights are loaded when first needed.

    weights: the file, or the folder of files, as published. tokens: the file spiece.model, and how
    many tokens a caption has at the most.
    """

    model: models.T5
    weights: str
    tokens: data.SentencePiece

    @cached_property
    def _params(self) -> Any:
        gated = isinstance(self.model.feed_forward, models.GatedFeedForward)
        layout = T5_V1_1 if gated else T5_ORIGINAL
        if not epath.Path(self.weights).expanduser().exists():
            raise CheckpointError(
                f"no weights of a text encoder at {self.weights!r}: download one of the published "
                f"files ({'; '.join(layout.files)}) from huggingface.co, and give its path"
            )
        tokens = jnp.zeros((1, self.tokens.length), jnp.int32)
        like = jax.eval_shape(self.model.init, jax.random.key(0), tokens)["params"]
        weights = read_weights(self.weights)
        return layout.to_params(weights, like, jnp.bfloat16)

    def encode(
        self, captions: Sequence[str], rows: Sharding | None = None
    ) -> tuple[Array, Bool[np.ndarray, "b l"]]:
        """Embeddings bfloat16 [b l d], and where they are of real tokens.

        rows: which device has which rows, for many captions at a time.
        """
        found = self.tokens.batch(captions)
        tokens, mask = (jax.device_put(found[k], rows) for k in ("tokens", "text_mask"))
        return _encode(self.model, self._params, tokens, mask), found["text_mask"]

    def batch(self, captions: Sequence[str]) -> dict[str, np.ndarray]:
        """`text` float32 [b l d] and `text_mask` bool [b l], as `data.Embeddings` gives them."""
        text, mask = self.encode(captions)
        return {"text": np.asarray(text, np.float32) * mask[..., None], "text_mask": mask}


@partial(jax.jit, static_argnums=0)
def _encode(model, params, tokens, mask) -> Array:
    return model.apply({"params": params}, tokens, mask)


def write_encoder(folder: Path, encoder: TextEncoder) -> None:
    """Says beside stored embeddings how to make more of them."""
    (folder / RECORD).write_text(json.dumps(config.to_json(encoder), indent=1) + "\n")


def prompts(text: Any, captions: Sequence[str]) -> dict[str, np.ndarray]:
    """Captions as a model reads them. Those that are not stored are encoded now.

    Raises:
      CheckpointError: the encoder that would have to do it, or its weights, are not there.
    """
    if not isinstance(text, data.Embeddings) or all(text.knows(c) for c in captions):
        return text.batch(captions)
    record = Path(text.path) / RECORD
    if not record.is_file():
        raise CheckpointError(
            f"the prompt {next(c for c in captions if not text.knows(c))!r} has no embedding in "
            f"{text.path}, and {record.name} is not there to say how to make one: run "
            "`vdm-jax embed`, with a file of your prompts or with the encoder's weights"
        )
    found = config.from_json(json.loads(record.read_text())).batch(captions)
    length = min(text.length, found["text"].shape[1])
    rows = np.zeros((len(captions), text.length, text.features), np.float32)
    mask = np.zeros((len(captions), text.length), bool)
    rows[:, :length], mask[:, :length] = found["text"][:, :length], found["text_mask"][:, :length]
    return {"text": rows, "text_mask": mask}
