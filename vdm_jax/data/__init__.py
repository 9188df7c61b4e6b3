"""Data: sources of clips, captions as tokens, and the loader that makes batches of them."""

from vdm_jax.data.batches import append_images, collate
from vdm_jax.data.buckets import Bucket, Buckets
from vdm_jax.data.caption_choices import (
    CaptionOf,
    Captions,
    CaptionWithId,
    EveryCaption,
    FirstCaption,
    OneCaption,
)
from vdm_jax.data.clips import Clips
from vdm_jax.data.crops import CentreCrop, Crop, RandomCrop, RandomPart, Stretch
from vdm_jax.data.embeddings import Embeddings
from vdm_jax.data.loader import Batches, Loader
from vdm_jax.data.mixtures import Mixture, WithImages
from vdm_jax.data.moving_shapes import MovingShapes, Object
from vdm_jax.data.packs import Packed
from vdm_jax.data.patches import Patches, Window
from vdm_jax.data.pixels import quantised, scaled
from vdm_jax.data.pseudo_videos import Motion, Pan, PseudoVideos, Shift, Zoom
from vdm_jax.data.shards import Shards
from vdm_jax.data.short_videos import Drop, Hold, Loop, Refuse, Short
from vdm_jax.data.sources import Element, Size, Source, Split, sides
from vdm_jax.data.text import Text, Words
from vdm_jax.data.tokenizers import ClipBPE, SentencePiece
from vdm_jax.data.video_folder import VideoFolder
from vdm_jax.data.windows import Centre, EveryWindow, First, RandomWindow, Windows

__all__ = [
    "Batches",
    "Bucket",
    "Buckets",
    "CaptionOf",
    "CaptionWithId",
    "Captions",
    "Centre",
    "CentreCrop",
    "ClipBPE",
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
    "Mixture",
    "Motion",
    "MovingShapes",
    "Object",
    "OneCaption",
    "Packed",
    "Pan",
    "Patches",
    "PseudoVideos",
    "RandomCrop",
    "RandomPart",
    "RandomWindow",
    "Refuse",
    "SentencePiece",
    "Shards",
    "Shift",
    "Short",
    "Size",
    "Source",
    "Split",
    "Stretch",
    "Text",
    "VideoFolder",
    "Window",
    "Windows",
    "WithImages",
    "Words",
    "Zoom",
    "append_images",
    "collate",
    "quantised",
    "scaled",
    "sides",
]
