"""Folders that appear complete or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etils import epath

from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.storage import is_remote, upload_when_complete


@contextmanager
def atomic_folder(folder: str | os.PathLike) -> Iterator[Path]:
    """A temporary folder to write in, which is renamed to `folder` at the end.

    For a remote `folder` it is local, and uploaded at the end. After an error nothing remains.

    Raises:
      CheckpointError: `folder` exists and is not an empty folder.
    """
    if is_remote(folder):
        _check_free(epath.Path(folder))
        with upload_when_complete(folder) as partial:
            partial.mkdir()
            yield partial
        return
    folder = Path(os.path.abspath(folder))
    _check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield partial
        mode = folder.parent.stat().st_mode & 0o777  # mkdtemp folders are private
        partial.chmod(mode)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _check_free(folder: Path | epath.Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CheckpointError(f"{folder} exists already; remove it, or choose another name")
