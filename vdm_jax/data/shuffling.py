"""The endless order in which training sees clips: a function of the seed alone."""

from functools import partial
from typing import Any

import grain
import numpy as np

from vdm_jax.data.collate import append_images
from vdm_jax.data.mixtures import Mixed, draw
from vdm_jax.data.sources import Split


def endless(clips: Split, seed: int, images: int = 0) -> grain.MapDataset:
    """Every clip once an epoch, each epoch in a new order, epochs without a gap between them.

    Of a mixture, its members' clips in proportion to their weights. A clip's random choices, and
    the `images` appended to it, are a function of (seed, epoch, clip).
    """
    if isinstance(clips, Mixed):
        members = [
            endless(member, member_seed(seed, number), images)
            for number, member in enumerate(clips.members)
        ]
        return grain.MapDataset.mix(members, clips.weights)
    pool = getattr(clips, "images", clips)
    if len(clips) < 1 or (images and len(pool) < (2 if pool is clips else 1)):
        raise ValueError(f"{len(clips)} clips are too few, with Loader.images={images}")
    return (
        grain.MapDataset.range(len(clips))
        .seed(seed)
        .random_map(partial(_row, clips=clips, pool=pool, images=images))
        .shuffle()
        .repeat()
    )


def member_seed(seed: int, member: int) -> int:
    """A seed for each of several sources: those of equal length would else be shuffled alike."""
    return int(np.random.SeedSequence((seed, member)).generate_state(1)[0])


def _row(index: int, rng: np.random.Generator, *, clips: Split, pool: Split, images: int) -> Any:
    """Clip `index` as training sees it, with frames of `images` clips of the `pool` behind it."""
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
