"""Remote paths, gs:// and s3://: download, upload, and local folders for code that needs them."""

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

log = logging.getLogger("vdm_jax.storage")

# Use fsspec (gcsfs, s3fs) even where TensorFlow is installed: TensorFlow does not support s3://.
os.environ.setdefault("EPATH_USE_TF", "false")


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is remote. (`pathlib.Path` turns gs:// into a folder called gs:.)"""
    return "://" in os.fspath(path)


def local_path(path: str | os.PathLike) -> Path:
    """Local path of a file or folder.

    gs:// and s3:// paths are downloaded once, to a temporary folder deleted at exit. A missing
    remote file gives a path that does not exist.
    """
    return _download(os.fspath(path)) if is_remote(path) else Path(path).expanduser()


@functools.cache
def _download(path: str) -> Path:
    source, folder = epath.Path(path), Path(tempfile.mkdtemp(prefix="vdm_jax."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / source.name
    if source.exists():
        copy(source, target)
    return target


DATA = "VDM_JAX_DATA"
"""The environment variable with the cache folder of data sets."""


def cached_copy(path: str | os.PathLike) -> Path:
    """Local path of a folder. gs:// and s3:// folders are downloaded to a permanent cache.

    The cache is ~/.cache/vdm_jax/data, or `VDM_JAX_DATA`. A cached file of the right length is not
    downloaded again; a partial download has another name.
    """
    if not is_remote(path):
        return Path(path).expanduser()
    cache = Path(os.environ.get(DATA, "~/.cache/vdm_jax/data")).expanduser()
    target = cache / os.fspath(path).replace("://", "/")
    _for_each(_cache_file, _files(path, target))
    return target


def _cache_file(source: epath.Path, target: epath.Path) -> None:
    if target.exists() and target.stat().length == source.stat().length:
        return
    with atomic_file(target) as partial:
        log.info("downloading %s to %s", source, target)
        _copy_file(source, epath.Path(partial))


def copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file or a folder, each local or remote.

    Not all remote storage reports modification times: a downloaded file's time is a checksum of its
    content, so downloads of equal files have equal times.
    """
    _for_each(_copy_file, _files(source, target))


Pairs = Iterator[tuple[epath.Path, epath.Path]]


def _for_each(function: Callable[[epath.Path, epath.Path], None], pairs: Pairs) -> None:
    """Calls a function for 16 files in parallel, because remote storage has a high latency."""
    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(function, *pair) for pair in pairs]:
            future.result()


def _files(source: str | os.PathLike, target: str | os.PathLike) -> Pairs:
    """(source, target) of each file; creates the folders of the targets."""
    a, b = epath.Path(source), epath.Path(target)
    if not a.is_dir():
        yield a, b
        return
    top = None
    for here, _, names in a.walk():  # walk yields remote paths without their s3://
        top = str(here) if top is None else top
        inside = str(here)[len(top) :].strip("/")
        (b / inside).mkdir(parents=True, exist_ok=True)
        yield from ((a / inside / name, b / inside / name) for name in names)


def _copy_file(source: epath.Path, target: epath.Path) -> None:
    digest = 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(2**24):
            digest = zlib.crc32(chunk, digest)
            writer.write(chunk)
    if is_remote(source) and not is_remote(target):
        os.utime(target, ns=(digest, digest))


@contextmanager
def output_dir(path: str | os.PathLike) -> Iterator[Path]:
    """A local folder to write to, created if missing.

    For a gs:// or s3:// path it is a temporary folder, uploaded at the end, also after an error.
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
            print(f"uploaded to {path}")


@contextmanager
def resumable_dir(path: str | os.PathLike) -> Iterator[Path]:
    """`output_dir` with its present files, for commands that resume.

    Files deleted from the local folder are deleted from the remote one at the end.
    """
    if not is_remote(path):
        with output_dir(path) as out:
            yield out
        return
    remote = epath.Path(path)
    names = sorted(file.name for file in remote.iterdir()) if remote.exists() else []
    with output_dir(path) as out:
        if names:
            copy(path, out)
        yield out
        for name in names:
            if not (out / name).exists():
                (remote / name).unlink()


@contextmanager
def temporary_copy(path: str | os.PathLike) -> Iterator[Path]:
    """A local folder to read. A gs:// or s3:// folder is downloaded, and deleted on exit."""
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
    """Appends to a text file. Remote files cannot be appended to: they are rewritten whole."""
    file = epath.Path(path)
    if not is_remote(path):
        with file.open("a") as stream:
            stream.write(text)
        return
    content = file.read_text() if file.exists() else ""
    file.write_text(content + text)


@contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """A hidden file to write, renamed to `path` when complete and deleted after an error.

    For a gs:// or s3:// path it is a temporary file, uploaded when complete.
    """
    if is_remote(path):
        with upload_when_complete(path) as partial:
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


@contextmanager
def upload_when_complete(path: str | os.PathLike) -> Iterator[Path]:
    """A local path to write a file or folder to, uploaded when complete, not after an error."""
    with tempfile.TemporaryDirectory(prefix="vdm_jax.") as temporary:
        partial = Path(temporary) / epath.Path(path).name
        yield partial
        copy(partial, path)
