"""Files of a bucket, gs:// or s3://, for what reads and writes files of this machine."""

import atexit
import functools
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from etils import epath

log = logging.getLogger("vdm_jax.buckets")

# By fsspec (gcsfs, s3fs) whether or not TensorFlow is installed, which knows no s3://.
os.environ.setdefault("EPATH_USE_TF", "false")


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path names a bucket. (`pathlib.Path` makes gs:// a folder called gs:.)"""
    return "://" in os.fspath(path)


def local_path(path: str | os.PathLike) -> Path:
    """A file or folder as one of this machine: itself, or a copy of what is in a bucket.

    A copy is made once, and goes when the program ends. What is not there is a path that is not
    there either.
    """
    return _copy(os.fspath(path)) if is_remote(path) else Path(path).expanduser()


@functools.cache
def _copy(path: str) -> Path:
    source, folder = epath.Path(path), Path(tempfile.mkdtemp(prefix="vdm_jax."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / source.name
    if source.exists():
        copy(source, target)
    return target


DATA = "VDM_JAX_DATA"
"""The environment variable that says where copies of data sets are kept."""


def cached_copy(path: str | os.PathLike) -> Path:
    """A folder as one of this machine: itself, or a copy of one in a bucket, kept between runs.

    In ~/.cache/vdm_jax/data, or where VDM_JAX_DATA says. A file that is there with its whole length
    is not copied again, and a half-copied one has another name.
    """
    if not is_remote(path):
        return Path(path).expanduser()
    where = Path(os.environ.get(DATA, "~/.cache/vdm_jax/data")).expanduser()
    target = where / os.fspath(path).replace("://", "/")
    _all(_keep, _files(path, target))
    return target


def _keep(source: epath.Path, target: epath.Path) -> None:
    if target.exists() and target.stat().length == source.stat().length:
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        log.info("copying %s to %s", source, target)
        _send(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file, or a folder with all that is in it, from anywhere to anywhere.

    Buckets do not all tell when a file was written: the time of a copy from one is made of what is
    in the file, so that equal files are equal wherever and whenever they were copied.
    """
    _all(_send, _files(source, target))


Pairs = Iterator[tuple[epath.Path, epath.Path]]


def _all(what: Callable[[epath.Path, epath.Path], None], pairs: Pairs) -> None:
    """Many files at once, for a bucket is slow to answer."""
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(what, *pair) for pair in pairs]:
            done.result()


def _files(source: str | os.PathLike, target: str | os.PathLike) -> Pairs:
    """The files at a place and where they go, for which folders are made."""
    a, b = epath.Path(source), epath.Path(target)
    if not a.is_dir():
        yield a, b
        return
    top = None
    for here, _, names in a.walk():  # what is in a bucket is told without its s3://
        top = str(here) if top is None else top
        inside = str(here)[len(top) :].strip("/")
        (b / inside).mkdir(parents=True, exist_ok=True)
        yield from ((a / inside / name, b / inside / name) for name in names)


def _send(source: epath.Path, target: epath.Path) -> None:
    digest = 0
    with source.open("rb") as read, target.open("wb") as written:
        while part := read.read(2**24):
            digest = zlib.crc32(part, digest)
            written.write(part)
    if is_remote(source) and not is_remote(target):
        os.utime(target, ns=(digest, digest))


@contextmanager
def output_dir(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to write in, made if needed; for one in a bucket, a folder of this machine.

    What was written in that is sent to the bucket at the end, whether or not anything failed.
    """
    if not is_remote(path):
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
            copy(out, path)
            print(f"sent to {path}")


@contextmanager
def resumable_dir(path: str | os.PathLike) -> Iterator[Path]:
    """`output_dir` with what is in it already, for what goes on where it was stopped.

    What has gone from it at the end goes from the bucket too.
    """
    if not is_remote(path):
        with output_dir(path) as out:
            yield out
        return
    there = epath.Path(path)
    before = sorted(file.name for file in there.iterdir()) if there.exists() else []
    with output_dir(path) as out:
        if before:
            copy(path, out)
        yield out
        for name in before:
            if not (out / name).exists():
                (there / name).unlink()


@contextmanager
def temporary_copy(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to read, for as long as this is open: itself, or a copy of one in a bucket."""
    if not is_remote(path):
        yield Path(path).expanduser()
        return
    source = epath.Path(path)
    with tempfile.TemporaryDirectory(prefix="vdm_jax.") as temporary:
        target = Path(temporary) / source.name
        if source.exists():
            copy(source, target)
        yield target


def append(path: str | os.PathLike, text: str) -> None:
    """Adds to the end of a text file. Nothing can be in a bucket: there it is written anew."""
    file = epath.Path(path)
    if not is_remote(path):
        with file.open("a") as opened:
            opened.write(text)
        return
    before = file.read_text() if file.exists() else ""
    file.write_text(before + text)
