"""Folders and files that are there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etils import epath

from vdm_jax.checkpoints.store import CheckpointError
from vdm_jax.storage import copy, is_remote


@contextmanager
def atomic_folder(folder: str | os.PathLike) -> Iterator[Path]:
    """A hidden folder to write in, which gets its name when all is written.

    For one in a bucket it is a folder of this machine, sent when all is written. If anything fails
    on the way, nothing is left.

    Raises:
      CheckpointError: there is something of this name already, and it is not an empty folder.
    """
    if is_remote(folder):
        _refuse(epath.Path(folder))
        with _sent(folder) as partial:
            partial.mkdir()
            yield partial
        return
    folder = Path(os.path.abspath(folder))
    _refuse(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield partial
        usual = folder.parent.stat().st_mode & 0o777  # mkdtemp makes what only we can read
        partial.chmod(usual)
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """A hidden file to write, which takes the place of `path` when all is written.

    For one in a bucket it is a file of this machine, sent when all is written.
    """
    if is_remote(path):
        with _sent(path) as partial:
            yield partial
        return
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _refuse(folder: Path | epath.Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CheckpointError(f"{folder} is there already; remove it, or name another")


@contextmanager
def _sent(path: str | os.PathLike) -> Iterator[Path]:
    """A name on this machine, for what is sent to a bucket when it is written."""
    with tempfile.TemporaryDirectory(prefix="vdm_jax.") as temporary:
        partial = Path(temporary) / epath.Path(path).name
        yield partial
        copy(partial, path)
