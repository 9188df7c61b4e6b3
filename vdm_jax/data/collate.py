"""Collation: elements into batches, and images appended to a clip."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vdm_jax.data.sources import Element
from vdm_jax.data.text import Text


def append_images(clip: Element, others: Sequence[Element], frames: Sequence[int]) -> dict:
    """An element of joint training: `clip`, followed by frame `frames[i]` of each of `others`.

    Ho et al. 2022, section 3 (joint training on video and image modeling). With K others the
    element has video [f+K h w c], segments [f+K] = 0, .., 0, 1, .., K, label [1+K] and 1+K
    captions, since every image is a separate example.
    """
    images = [other["video"][frame] for other, frame in zip(others, frames, strict=True)]
    members = (clip, *others)
    element: dict[str, Any] = {
        "video": np.concatenate([clip["video"], np.stack(images)]),
        "segments": np.concatenate(
            [np.zeros(len(clip["video"]), np.int32), np.arange(1, len(images) + 1, dtype=np.int32)]
        ),
        "key": "+".join(member["key"] for member in members),
    }
    if all("label" in member for member in members):
        element["label"] = np.array([member.get("label") for member in members], np.int32)
    if all("caption" in member for member in members):
        element["caption"] = tuple(member.get("caption") for member in members)
    return element


def collate(elements: Sequence[Any], text: Text | None = None) -> dict[str, np.ndarray]:
    """A batch of `elements` (clips, or elements of `append_images`) for the device.

    "video" uint8 [b f h w c]; "label" int32 [b] if the elements have labels; with `text`, "tokens"
    int32 [b l] and "text_mask" bool [b l]. Elements with K images have "segments" [b f+K], and
    label, tokens and text_mask with an axis 1+K after b.
    """
    if not elements:
        raise ValueError("no elements to make a batch of")
    present = [
        key for key in ("video", "label", "segments") if all(key in element for element in elements)
    ]
    batch = {key: np.stack([element[key] for element in elements]) for key in present}
    if text is not None:
        for element in elements:
            if "caption" not in element:
                raise ValueError(
                    f"clip {element['key']!r} has no caption to tokenize: give the source "
                    "captions, or set Loader.text to None"
                )
        captions = np.array([element["caption"] for element in elements], dtype=object)
        for name, rows in text.batch(captions.ravel().tolist()).items():
            batch[name] = rows.reshape(*captions.shape, *rows.shape[1:])
    return batch
