"""Files of a bucket, gs:// or s3://, for what reads and writes files of this machine."""

import atexit
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etils import epath

log = logging.getLogger("vdm_jax.buckets")

# By fsspec (gcsfs, s3fs) whether or not TensorFlow is installed, which knows no s3://.
os.environ.setdefault("EPATH_USE_TF", "false")


def in_bucket(path: str | os.PathLike) -> bool:
    """Whether a path names a bucket. (`pathlib.Path` makes gs:// a folder called gs:.)"""
    return "://" in os.fspath(path)


def local(path: str | os.PathLike) -> Path:
    """A file or folder as one of this machine: itself, or a copy of what is in a bucket.

    A copy is made once, and goes when the program ends. What is not there is a path that is not
    there either.
    """
    return _copy(os.fspath(path)) if in_bucket(path) else Path(path).expanduser()


@functools.cache
def _copy(path: str) -> Path:
    source, folder = epath.Path(path), Path(tempfile.mkdtemp(prefix="vdm_jax."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / source.name
    if source.exists():
        send(source, copy)
    return copy


DATA = "VDM_JAX_DATA"
"""The environment variable that says where copies of data sets are kept."""


def kept(path: str | os.PathLike) -> Path:
    """A folder as one of this machine: itself, or a copy of one in a bucket, kept between runs.

    In ~/.cache/vdm_jax/data, or where VDM_JAX_DATA says. A file that is there with its whole length
    is not copied again, and a half-copied one has another name.
    """
    if not in_bucket(path):
        return Path(path).expanduser()
    where = Path(os.environ.get(DATA, "~/.cache/vdm_jax/data")).expanduser()
    _keep(epath.Path(path), where / os.fspath(path).replace("://", "/"))
    return where / os.fspath(path).replace("://", "/")


def _keep(source: epath.Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for inside in source.iterdir():
            _keep(inside, target / inside.name)
    elif not target.is_file() or target.stat().st_size != source.stat().length:
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            log.info("copying %s to %s", source, target)
            send(source, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def send(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file, or a folder with all that is in it, from anywhere to anywhere."""
    a, b = epath.Path(source), epath.Path(target)
    if a.is_dir():
        b.mkdir(parents=True, exist_ok=True)
        for inside in a.iterdir():
            send(inside, b / inside.name)
        return
    with a.open("rb") as read, b.open("wb") as written:
        shutil.copyfileobj(read, written, 2**24)


@contextmanager
def folder(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to write in, made if needed; for one in a bucket, a folder of this machine.

    What was written in that is sent to the bucket at the end, whether or not anything failed.
    """
    if not in_bucket(path):
        out = Path(path).expanduser()
        out.mkdir(parents=True, exist_ok=True)
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="vdm_jax.") as temporary:
        out = Path(temporary) / epath.Path(path).name
        out.mkdir()
        try:
            yield out
        finally:
            send(out, path)
            print(f"sent to {path}")


def append(path: str | os.PathLike, text: str) -> None:
    """Adds to the end of a text file. Nothing can be in a bucket: there it is written anew."""
    file = epath.Path(path)
    if not in_bucket(path):
        with file.open("a") as opened:
            opened.write(text)
        return
    before = file.read_text() if file.exists() else ""
    file.write_text(before + text)
