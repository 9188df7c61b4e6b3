"""Tests of known answers of published weights wait until these are at hand."""

import pytest

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, Published


def at_hand(name: str) -> Published:
    """The weights of this name, or the test is skipped and says which file is missing."""
    published = PUBLISHED[name]
    try:
        published.path()
    except CheckpointError as error:
        known = [f"CRC-32C of {tensor}: {crc}" for tensor, crc in published.crc32c]
        known += [f"SHA-256: {published.sha256}"] if published.sha256 else []
        known += [f"git id: {published.blob}"] if published.blob else []
        pytest.skip(f"{error} ({'; '.join(known)})")
    return published
