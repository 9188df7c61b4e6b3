"""Data: sources of clips, captions as tokens, and the loader that makes batches of them."""

from vdm_jax.data.batches import append_images, collate
from vdm_jax.data.crops import CentreCrop, Crop, RandomCrop, Stretch
from vdm_jax.data.embeddings import Embeddings
from vdm_jax.data.loader import Batches, Loader
from vdm_jax.data.moving_shapes import MovingShapes, Object
from vdm_jax.data.sources import Clips, Element, Source
from vdm_jax.data.text import Text, Words
from vdm_jax.data.video_folder import VideoFolder

__all__ = [
    "Batches",
    "CentreCrop",
    "Clips",
    "Crop",
    "Element",
    "Embeddings",
    "Loader",
    "MovingShapes",
    "Object",
    "RandomCrop",
    "Source",
    "Stretch",
    "Text",
    "VideoFolder",
    "Words",
    "append_images",
    "collate",
]
