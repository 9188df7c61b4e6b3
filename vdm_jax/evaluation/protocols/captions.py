"""Measures of samples and their captions: CLIPSIM and CLIP R-precision."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from vdm_jax import data, models
from vdm_jax.checkpoints.published import at_hand
from vdm_jax.evaluation.bootstrap import Bootstrap
from vdm_jax.evaluation.clipsim import (
    CaptionVectors,
    clip_frames,
    clipsim,
    directions,
    r_precision,
)
from vdm_jax.evaluation.features import Features
from vdm_jax.evaluation.pretrained import Pretrained
from vdm_jax.evaluation.protocols.measures import OneSample, interval_record
from vdm_jax.evaluation.protocols.rows import Rows

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
B32 = Pretrained(models.ClipText.vit_b32(), "clip_vit_b32_text")
B16 = Pretrained(models.ClipText.vit_b16(), "clip_vit_b16_text")
FRAMES_B32 = clip_frames()
FRAMES_B16 = clip_frames("clip_vit_b16", models.ClipImage.vit_b16())


@dataclass(frozen=True)
class ClipSimilarity(OneSample):
    """CLIPSIM: the cosine between each frame and the caption, averaged over frames, then clips.

    features: of frames, a row each. encoder: of captions, of the same CLIP. vocabulary: its table
    of byte pairs, a path or a name in the folder of weights.
    """

    features: Features = FRAMES_B32
    encoder: Pretrained = B32
    vocabulary: str = VOCABULARY
    name: str = "clipsim"
    bootstrap: Bootstrap = Bootstrap()
    captioned: ClassVar[bool] = True

    def value(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> float:
        return float(self.clips(made, captions).mean())

    def spread(self, made: Rows, real: Rows | None, captions: Sequence[str]) -> dict[str, Any]:
        return (
            interval_record(self.bootstrap.mean(self.clips(made, captions)))
            if made.clips > 1
            else {}
        )

    def clips(self, made: Rows, captions: Sequence[str]) -> Float[np.ndarray, "b"]:
        """Of each clip."""
        return clipsim(*self.vectors(made, captions))

    def vectors(
        self, made: Rows, captions: Sequence[str]
    ) -> tuple[Float[np.ndarray, "b d"], Float[np.ndarray, "b d"]]:
        """Of clips and of captions; captions that are there often are looked at once."""
        clips = np.concatenate([directions(part) for part in made.by_clip()])
        different = list(dict.fromkeys(captions))
        text = data.ClipBPE(str(vocabulary(self.vocabulary)))
        known = CaptionVectors(text, self.encoder)(different)
        places = {caption: place for place, caption in enumerate(different)}
        return clips, known[[places[caption] for caption in captions[: made.clips]]]


@dataclass(frozen=True)
class RPrecision(ClipSimilarity):
    """The share of clips that fit their own caption best, of `candidates` (all: None)."""

    candidates: int | None = None
    seed: int = 0
    name: str = "r_precision"

    def clips(self, made: Rows, captions: Sequence[str]) -> Float[np.ndarray, "b"]:
        clips, vectors = self.vectors(made, captions)
        count = self.candidates
        return r_precision(clips, vectors, count and min(count, len(vectors)), self.seed)


def vocabulary(file: str) -> Path:
    """The table of CLIP's byte pairs.

    Raises:
      CheckpointError: it is not at hand; says where it is published.
    """
    return at_hand(
        file,
        "there is no {}: CLIP's vocabulary is published at "
        "https://github.com/openai/CLIP, clip/bpe_simple_vocab_16e6.txt.gz; put it there",
    )
