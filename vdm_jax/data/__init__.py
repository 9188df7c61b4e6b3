"""Data: sources of clips, captions as tokens, and the loader that makes batches of them."""

from vdm_jax.data.batches import append_images, collate
from vdm_jax.data.caption_choices import (
    CaptionOf,
    Captions,
    CaptionWithId,
    EveryCaption,
    FirstCaption,
    OneCaption,
)
from vdm_jax.data.clips import Clips
from vdm_jax.data.crops import CentreCrop, Crop, RandomCrop, Stretch
from vdm_jax.data.embeddings import Embeddings
from vdm_jax.data.loader import Batches, Loader
from vdm_jax.data.moving_shapes import MovingShapes, Object
from vdm_jax.data.shards import Shards
from vdm_jax.data.short_videos import Drop, Hold, Loop, Refuse, Short
from vdm_jax.data.sources import Element, Source, Split
from vdm_jax.data.text import Text, Words
from vdm_jax.data.video_folder import VideoFolder
from vdm_jax.data.windows import Centre, EveryWindow, First, RandomWindow, Windows

__all__ = [
    "Batches",
    "CaptionOf",
    "CaptionWithId",
    "Captions",
    "Centre",
    "CentreCrop",
    "Clips",
    "Crop",
    "Drop",
    "Element",
    "Embeddings",
    "EveryCaption",
    "EveryWindow",
    "First",
    "FirstCaption",
    "Hold",
    "Loader",
    "Loop",
    "MovingShapes",
    "Object",
    "OneCaption",
    "RandomCrop",
    "RandomWindow",
    "Refuse",
    "Shards",
    "Short",
    "Source",
    "Split",
    "Stretch",
    "Text",
    "VideoFolder",
    "Windows",
    "Words",
    "append_images",
    "collate",
]
