"""CLIPSIM and CLIP R-precision: how well frames fit their caption, in the space of a CLIP.

(Wu et al. 2021, GODIVA, arXiv 2104.14806, section 4.2; Park et al. 2021 for R-precision)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdm_jax import data, models, parallel
from vdm_jax.evaluation.networks import NetworkFeatures
from vdm_jax.evaluation.normalization import CLIP, UNIT, Images
from vdm_jax.evaluation.pretrained import Pretrained
from vdm_jax.evaluation.resizing import CenterCrop, Pillow, ShorterSide, Step

PIXELS: tuple[Step, ...] = (
    Pillow(ShorterSide(224), "cubic"), CenterCrop(224, "nearest"), UNIT, CLIP, Images()
)  # fmt: skip
"""As OpenAI's CLIP does: PIL's bicubic to a shorter side of 224, the middle, its normalisation."""
BLOCK = 256
"""Clips of which the fit with all captions is in memory at a time."""


def clip_frames(
    name: str = "clip_vit_b32", network: models.ClipImage = models.ClipImage.vit_b32()
) -> NetworkFeatures:
    """A CLIP's vectors of frames, a row each; `{name}_image` are the weights."""
    return NetworkFeatures(name, network, f"{name}_image", PIXELS)


@dataclass(frozen=True)
class CaptionVectors:
    """A CLIP's vectors of captions, cut to 77 tokens: `captions -> [n d]`.

    text: their tokens, by the vocabulary of CLIP.
    """

    text: data.ClipBPE
    encoder: Pretrained = Pretrained(models.ClipText.vit_b32(), "clip_vit_b32_text")
    batch: int = 64

    def __call__(self, captions: Sequence[str]) -> Float[np.ndarray, "n d"]:
        params, encode = _loaded(self)
        rows = []
        for start in range(0, len(captions), self.batch):
            tokens = [self.text.encode(c) for c in captions[start : start + self.batch]]
            padded = np.full((self.batch, self.text.length), self.text.padding, np.int32)
            for row, ids in zip(padded, tokens, strict=False):
                row[: len(ids)] = ids
            rows.append(np.asarray(encode(params, padded))[: len(tokens)])
        return np.concatenate(rows)


@lru_cache(maxsize=2)
def _loaded(vectors: CaptionVectors) -> tuple[Any, Any]:
    """The parameters, and the compiled encoder."""
    network = vectors.encoder.network
    tokens = jnp.zeros((1, vectors.text.length), jnp.int32)
    params = vectors.encoder.parameters(lambda k: network.init(k, tokens)["params"])

    def encode(params, tokens):
        with jax.default_matmul_precision("highest"):
            return network.apply({"params": params}, tokens, method="pooled")

    return params, parallel.Jit(encode)


def directions(frames: Float[np.ndarray, "b f d"]) -> Float[np.ndarray, "b d"]:
    """The mean over frames of `frame / |frame|`: a clip, as far as captions are held against it."""
    return _unit(frames).mean(axis=1)


def clipsim(
    clips: Float[np.ndarray, "b d"], captions: Float[np.ndarray, "b d"]
) -> Float[np.ndarray, "b"]:
    """The mean over frames of `cos(frame, caption)`, for each clip with its caption, in -1..1.

    clips: their `directions`. The mean over clips is the CLIPSIM; some print it times 100. Nothing
    is clipped at zero.
    """
    _check_pairs(clips, captions)
    return np.einsum("bd,bd->b", clips, _unit(captions))


def r_precision(
    clips: Float[np.ndarray, "b d"],
    captions: Float[np.ndarray, "b d"],
    candidates: int | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "b"]:
    """Whether a clip fits its own caption better than the others, 1 or 0, for each clip.

    The fit is `clipsim`, clips are their `directions`. candidates: how many captions are compared,
    the clip's own and others at random, none twice; all where none are named. Chance is
    `1 / candidates`, which is also what k candidates score that fit equally well, each 1 / k.
    """
    _check_pairs(clips, captions)
    count = len(captions) if candidates is None else candidates
    if not 1 < count <= len(captions):
        raise ValueError(
            f"R-precision among {count} captions needs as many clips with captions, and at least "
            f"2; there are {len(captions)}"
        )
    others, found = _unit(captions).T, np.empty(len(clips))
    for start in range(0, len(clips), BLOCK):
        for i, row in enumerate(clips[start : start + BLOCK] @ others, start):
            rng = np.random.default_rng((seed, i))
            rest = row[rng.permutation(np.delete(np.arange(len(row)), i))[: count - 1]]
            found[i] = 0.0 if np.any(rest > row[i]) else 1 / (1 + np.sum(rest == row[i]))
    return found


def _check_pairs(clips: np.ndarray, captions: np.ndarray) -> None:
    if len(clips) != len(captions):
        raise ValueError(f"{len(clips)} clips need as many captions, not {len(captions)}")


def _unit(vectors: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    wide = np.asarray(vectors, np.float64)
    return wide / np.linalg.norm(wide, axis=-1, keepdims=True)
