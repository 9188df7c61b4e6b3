"""Data: sources of clips, tokenizers, and the loader that makes batches."""

from vdm_jax.data.buckets import Bucket, Buckets
from vdm_jax.data.caption_choices import (
    CaptionOf,
    Captions,
    CaptionWithId,
    EveryCaption,
    FirstCaption,
    RandomCaption,
)
from vdm_jax.data.clips import Clips
from vdm_jax.data.collate import append_images, collate
from vdm_jax.data.crops import CenterCrop, Crop, RandomCrop, RandomPatch, Stretch
from vdm_jax.data.embeddings import Embeddings
from vdm_jax.data.loader import Batches, Loader
from vdm_jax.data.mixtures import Mixture, WithImages
from vdm_jax.data.moving_shapes import MovingShapes, Object
from vdm_jax.data.packs import Packed
from vdm_jax.data.pseudo_videos import Motion, Pan, PseudoVideos, Shift, Zoom
from vdm_jax.data.scaling import to_float, to_uint8
from vdm_jax.data.shards import Shards
from vdm_jax.data.short_videos import Drop, Loop, Raise, RepeatLast, Short
from vdm_jax.data.sources import (
    Element,
    ImageSplit,
    PackedSource,
    RandomSplit,
    ResampledSource,
    Size,
    Source,
    Split,
    StridedSource,
    SubclipSplit,
    Window,
    sides,
)
from vdm_jax.data.subclips import RandomSubclips
from vdm_jax.data.text import Text, WordTokenizer
from vdm_jax.data.tokenizers import ClipBPE, SentencePiece
from vdm_jax.data.video_folder import VideoFolder
from vdm_jax.data.windows import Center, EveryWindow, First, RandomWindow, Windows

__all__ = [
    "Batches",
    "Bucket",
    "Buckets",
    "CaptionOf",
    "CaptionWithId",
    "Captions",
    "Center",
    "CenterCrop",
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
    "ImageSplit",
    "Loader",
    "Loop",
    "Mixture",
    "Motion",
    "MovingShapes",
    "Object",
    "Packed",
    "PackedSource",
    "Pan",
    "PseudoVideos",
    "Raise",
    "RandomCaption",
    "RandomCrop",
    "RandomPatch",
    "RandomSplit",
    "RandomSubclips",
    "RandomWindow",
    "RepeatLast",
    "ResampledSource",
    "SentencePiece",
    "Shards",
    "Shift",
    "Short",
    "Size",
    "Source",
    "Split",
    "Stretch",
    "StridedSource",
    "SubclipSplit",
    "Text",
    "VideoFolder",
    "Window",
    "Windows",
    "WithImages",
    "WordTokenizer",
    "Zoom",
    "append_images",
    "collate",
    "sides",
    "to_float",
    "to_uint8",
]
