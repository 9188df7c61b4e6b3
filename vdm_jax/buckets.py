"""Files of a bucket, gs:// or s3://, for what reads and writes files of this machine."""

import atexit
import functools
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    with ThreadPoolExecutor(16) as pool:  # a bucket is slow to answer, and answers many at once
        for sent in [pool.submit(_send, *pair) for pair in _files(source, target)]:
            sent.result()


def _files(
    source: str | os.PathLike, target: str | os.PathLike
) -> Iterator[tuple[epath.Path, epath.Path]]:
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
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written, 2**24)


def _digest(path: Path) -> int:
    digest = 0
    with path.open("rb") as file:
        while part := file.read(2**24):
            digest = zlib.crc32(part, digest)
    return digest


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


@contextmanager
def resumed(path: str | os.PathLike) -> Iterator[Path]:
    """`folder` with what is in it already, for what goes on where it was stopped.

    What has gone from it at the end goes from the bucket too.
    """
    if not in_bucket(path):
        with folder(path) as out:
            yield out
        return
    there = epath.Path(path)
    before = sorted(file.name for file in there.iterdir()) if there.exists() else []
    with folder(path) as out:
        if before:
            send(path, out)
        yield out
        for name in before:
            if not (out / name).exists():
                (there / name).unlink()


@contextmanager
def copied(path: str | os.PathLike) -> Iterator[Path]:
    """A folder to read, for as long as this is open: itself, or a copy of one in a bucket.

    Buckets do not all tell when a file was written: the times of a copy are made of what is in its
    files, so that equal files are equal wherever and whenever they were copied.
    """
    if not in_bucket(path):
        yield Path(path).expanduser()
        return
    source = epath.Path(path)
    with tempfile.TemporaryDirectory(prefix="vdm_jax.") as temporary:
        copy = Path(temporary) / source.name
        if source.exists():
            send(source, copy)
        for file in copy.rglob("*"):
            if file.is_file():
                digest = _digest(file)
                os.utime(file, ns=(digest, digest))
        yield copy


def append(path: str | os.PathLike, text: str) -> None:
    """Adds to the end of a text file. Nothing can be in a bucket: there it is written anew."""
    file = epath.Path(path)
    if not in_bucket(path):
        with file.open("a") as opened:
            opened.write(text)
        return
    before = file.read_text() if file.exists() else ""
    file.write_text(before + text)
