"""Published weights for tests with known outputs, which are skipped without the files."""

import pytest

from vdm_jax.checkpoints import PUBLISHED, CheckpointError, Published


def published_or_skip(name: str) -> Published:
    """The weights of this name; skips the test, naming the missing file, without them."""
    published = PUBLISHED[name]
    try:
        published.path()
    except CheckpointError as error:
        known = [f"CRC-32C of {tensor}: {crc}" for tensor, crc in published.crc32c]
        known += [f"SHA-256: {published.sha256}"] if published.sha256 else []
        known += [f"git id: {published.blob}"] if published.blob else []
        pytest.skip(f"{error} ({'; '.join(known)})")
    return published
