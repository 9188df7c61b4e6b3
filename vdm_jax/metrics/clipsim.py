"""CLIPSIM and CLIP R-precision: the agreement of frames and caption in CLIP's embedding space.

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
from vdm_jax.metrics.networks import NetworkFeatures
from vdm_jax.metrics.normalization import CLIP, UNIT, Images
from vdm_jax.metrics.pretrained import Pretrained
from vdm_jax.metrics.resizing import CenterCrop, Pillow, PixelStep, ShorterSide

PIXELS: tuple[PixelStep, ...] = (
    Pillow(ShorterSide(224), "cubic"), CenterCrop(224, "nearest"), UNIT, CLIP, Images()
)  # fmt: skip
"""OpenAI's preprocessing: PIL bicubic to a shorter side of 224, center crop, normalization."""
BLOCK = 256
"""Clips whose similarities to all captions are in memory at a time."""


def clip_frames(
    name: str = "clip_vit_b32", network: models.ClipImage = models.ClipImage.vit_b32()
) -> NetworkFeatures:
    """CLIP's image embeddings, one vector per frame; the weights are `{name}_image`."""
    return NetworkFeatures(name, network, f"{name}_image", PIXELS)


@dataclass(frozen=True)
class CaptionVectors:
    """CLIP's text embeddings, `captions -> [n d]`, of captions cut to 77 tokens.

    text: CLIP's tokenizer.
    encoder: CLIP's text encoder.
    batch: captions per batch.
    """

    text: data.ClipBPE
    encoder: Pretrained = Pretrained(models.ClipText.vit_b32(), "clip_vit_b32_text")
    batch: int = 64

    def __call__(self, captions: Sequence[str]) -> Float[np.ndarray, "n d"]:
        params, encode = _loaded(self)
        vectors = []
        for start in range(0, len(captions), self.batch):
            tokens = [self.text.encode(c) for c in captions[start : start + self.batch]]
            padded = np.full((self.batch, self.text.length), self.text.padding, np.int32)
            for caption, ids in zip(padded, tokens, strict=False):
                caption[: len(ids)] = ids
            vectors.append(np.asarray(encode(params, padded))[: len(tokens)])
        return np.concatenate(vectors)


@lru_cache(maxsize=2)
def _loaded(vectors: CaptionVectors) -> tuple[Any, Any]:
    """The parameters and the compiled encoder."""
    network = vectors.encoder.network
    tokens = jnp.zeros((1, vectors.text.length), jnp.int32)
    params = vectors.encoder.parameters(lambda k: network.init(k, tokens)["params"])

    def encode(params, tokens):
        with jax.default_matmul_precision("highest"):
            return network.apply({"params": params}, tokens, method="pooled")

    return params, parallel.Jit(encode)


def clip_directions(frames: Float[np.ndarray, "b f d"]) -> Float[np.ndarray, "b d"]:
    """The mean over frames of `frame / |frame|`, all that CLIPSIM needs of a clip."""
    return _unit(frames).mean(axis=1)


def clipsim(
    clips: Float[np.ndarray, "b d"], captions: Float[np.ndarray, "b d"]
) -> Float[np.ndarray, "b"]:
    """The mean over frames of `cos(frame, caption)` of each clip and its caption, in -1..1.

    clips: their `clip_directions`. CLIPSIM is the mean over clips; some papers print it times 100.
    Negative cosines are not clipped.
    """
    _check_pairs(clips, captions)
    return np.einsum("bd,bd->b", clips, _unit(captions))


def r_precision(
    clips: Float[np.ndarray, "b d"],
    captions: Float[np.ndarray, "b d"],
    candidates: int | None = None,
    seed: int = 0,
) -> Float[np.ndarray, "b"]:
    """1 for each clip whose own caption has the highest `clipsim` among the candidates, else 0.

    k captions that tie for the highest score 1 / k. Chance level is `1 / candidates`.

    clips: their `clip_directions`.
    candidates: captions compared per clip, its own and distinct random others; None is all.
    seed: seed of the random candidates.
    """
    _check_pairs(clips, captions)
    count = len(captions) if candidates is None else candidates
    if not 1 < count <= len(captions):
        raise ValueError(
            f"R-precision among {count} candidates needs 2 to {len(captions)} candidates, the "
            "number of captions"
        )
    units, scores = _unit(captions).T, np.empty(len(clips))
    for start in range(0, len(clips), BLOCK):
        for i, fits in enumerate(clips[start : start + BLOCK] @ units, start):
            rng = np.random.default_rng((seed, i))
            others = fits[rng.permutation(np.delete(np.arange(len(fits)), i))[: count - 1]]
            scores[i] = 0.0 if np.any(others > fits[i]) else 1 / (1 + np.sum(others == fits[i]))
    return scores


def _check_pairs(clips: np.ndarray, captions: np.ndarray) -> None:
    if len(clips) != len(captions):
        raise ValueError(f"{len(clips)} clips need one caption each, not {len(captions)} captions")


def _unit(vectors: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    wide = np.asarray(vectors, np.float64)
    return wide / np.linalg.norm(wide, axis=-1, keepdims=True)
