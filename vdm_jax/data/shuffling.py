"""The endless order of training clips: a function of the seed alone."""

from functools import partial
from typing import Any

import grain
import numpy as np

from vdm_jax.data.collate import append_images
from vdm_jax.data.mixtures import MixtureClips
from vdm_jax.data.sources import ImageSplit, Split, draw


def endless(clips: Split, seed: int, images: int = 0) -> grain.MapDataset:
    """Every clip once an epoch, each epoch in a new order, without a gap between epochs.

    A mixture gives its members' clips in proportion to their weights. A clip's random choices, and
    the `images` appended to it, are a function of (seed, epoch, clip).
    """
    if isinstance(clips, MixtureClips):
        members = [
            endless(member, member_seed(seed, number), images)
            for number, member in enumerate(clips.members)
        ]
        return grain.MapDataset.mix(members, clips.weights)
    pool = clips.images if isinstance(clips, ImageSplit) else clips
    if len(clips) < 1 or (images and len(pool) < (2 if pool is clips else 1)):
        raise ValueError(
            f"{len(clips)} clips are too few for Loader.images={images}: add clips, or lower it"
        )
    return (
        grain.MapDataset.range(len(clips))
        .seed(seed)
        .random_map(partial(_training_element, clips=clips, pool=pool, images=images))
        .shuffle()
        .repeat()
    )


def member_seed(seed: int, member: int) -> int:
    """A separate seed for each of several sources, so that equal lengths shuffle differently."""
    return int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def _training_element(
    index: int, rng: np.random.Generator, *, clips: Split, pool: Split, images: int
) -> Any:
    """Clip `index` as training sees it, followed by frames of `images` clips of the `pool`."""
    first = draw(clips, index, rng)
    if images == 0:
        return first
    if pool is clips:
        places = (index + rng.integers(1, len(clips), size=images)) % len(clips)
    else:
        places = rng.integers(len(pool), size=images)
    others = [draw(pool, int(place), rng) for place in places]
    frames = [int(rng.integers(len(other["video"]))) for other in others]
    return append_images(first, others, frames)
