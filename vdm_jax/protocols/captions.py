"""Measures of samples against their captions: CLIPSIM and CLIP R-precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from vdm_jax import data, models
from vdm_jax.checkpoints.published import find_weights
from vdm_jax.metrics.bootstrap import Bootstrap
from vdm_jax.metrics.clipsim import (
    CaptionVectors,
    clip_directions,
    clip_frames,
    clipsim,
    r_precision,
)
from vdm_jax.metrics.features import Features
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.protocols.clip_features import ClipFeatures
from vdm_jax.protocols.measures import OneSample, interval_record

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
B32 = Pretrained(models.ClipText.vit_b32(), "clip_vit_b32_text")
B16 = Pretrained(models.ClipText.vit_b16(), "clip_vit_b16_text")
FRAMES_B32 = clip_frames()
FRAMES_B16 = clip_frames("clip_vit_b16", models.ClipImage.vit_b16())


@dataclass(frozen=True)
class ClipSimilarity(OneSample):
    """CLIPSIM: the cosine of each frame and the caption, averaged over frames, then over clips.

    features: CLIP's image embeddings, one vector per frame.
    encoder: the text encoder of the same CLIP.
    vocabulary: its byte-pair table, a path or a name in the folder of weights.
    name: the metric's key in results.
    bootstrap: of the interval.
    """

    features: Features = FRAMES_B32
    encoder: Pretrained = B32
    vocabulary: str = VOCABULARY
    name: str = "clipsim"
    bootstrap: Bootstrap = Bootstrap()
    needs_captions: ClassVar[bool] = True

    def value(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> float:
        return float(self.clips(generated, captions).mean())

    def spread(
        self, generated: ClipFeatures, real: ClipFeatures | None, captions: Sequence[str]
    ) -> dict[str, Any]:
        return (
            interval_record(self.bootstrap.mean(self.clips(generated, captions)))
            if generated.clips > 1
            else {}
        )

    def clips(self, generated: ClipFeatures, captions: Sequence[str]) -> Float[np.ndarray, "b"]:
        """The score of each clip."""
        return clipsim(*self.vectors(generated, captions))

    def vectors(
        self, generated: ClipFeatures, captions: Sequence[str]
    ) -> tuple[Float[np.ndarray, "b d"], Float[np.ndarray, "b d"]]:
        """The clips' directions and the captions' vectors; equal captions are encoded once."""
        clips = np.concatenate([clip_directions(chunk) for chunk in generated.by_clip()])
        unique = list(dict.fromkeys(captions))
        text = data.ClipBPE(str(vocabulary_path(self.vocabulary)))
        vectors = CaptionVectors(text, self.encoder)(unique)
        index = {caption: i for i, caption in enumerate(unique)}
        return clips, vectors[[index[caption] for caption in captions[: generated.clips]]]


@dataclass(frozen=True)
class RPrecision(ClipSimilarity):
    """The fraction of clips whose own caption has the highest CLIPSIM among the candidates.

    candidates: number of captions compared per clip; None is all.
    seed: seed of the random candidates.
    """

    candidates: int | None = None
    seed: int = 0
    name: str = "r_precision"

    def clips(self, generated: ClipFeatures, captions: Sequence[str]) -> Float[np.ndarray, "b"]:
        clips, vectors = self.vectors(generated, captions)
        count = self.candidates
        return r_precision(clips, vectors, count and min(count, len(vectors)), self.seed)


def vocabulary_path(file: str) -> Path:
    """The path of CLIP's byte-pair table.

    Raises:
      CheckpointError: it is missing; says where it is published.
    """
    return find_weights(
        file,
        "there is no {}: CLIP's vocabulary is published at "
        "https://github.com/openai/CLIP, clip/bpe_simple_vocab_16e6.txt.gz; put it there",
    )
