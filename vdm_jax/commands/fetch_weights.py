"""Download the published weights of networks that metrics use, and check them.

    vdm-jax fetch-weights --list
    vdm-jax fetch-weights i3d_kinetics400
    vdm-jax fetch-weights i3d_kinetics400 --from ~/Downloads/rgb_scratch

Files go to $VDM_JAX_WEIGHTS, or to ~/.cache/vdm_jax/weights, after checks of size, SHA-256, names
and shapes of tensors, and variant. No code in a file is run. Weights without a download address are
listed with the page that publishes them.
"""

import argparse
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vdm_jax import config
from vdm_jax.checkpoints import PUBLISHED, Published, weights_folder
from vdm_jax.progress import progress_bar

MIB = 1 << 20
TIMEOUT_SECONDS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="weights of --list")
    parser.add_argument(
        "--list", action="store_true", help="list all weights and which are available"
    )
    parser.add_argument(
        "--from", dest="source", metavar="PATH",
        help="copy from a file, or from the folder that holds it, instead of downloading",
    )  # fmt: skip
    parser.add_argument(
        "--symlink", action="store_true", help="with --from: make a symbolic link, not a copy"
    )


def run(args: argparse.Namespace) -> None:
    if args.list or not args.names:
        print_list()
        return
    if args.source and len(args.names) > 1:
        raise config.ConfigError("--from is the file of one NAME")
    if args.symlink and not args.source:
        raise config.ConfigError("--symlink needs --from PATH")
    for name in args.names:
        if name not in PUBLISHED:
            raise config.ConfigError(f"no weights {name!r}; {config.nearest(name, PUBLISHED)}")
    for name in args.names:
        published = PUBLISHED[name]
        if is_available(published) and not args.source:
            published.check()
            print(f"{name} is available and passes all checks: {published.path()}")
        elif args.source:
            install(published, partial(copy_files, Path(args.source).expanduser(), args.symlink))
        else:
            install(published, download)


def print_list() -> None:
    """Prints a paragraph for each of the weights."""
    print(f"weights in {weights_folder()}\n")
    for name, published in sorted(PUBLISHED.items()):
        size = published.bytes or (None if published.companions else published.size)
        size = f", {format_size(size)}" if size else ""
        print(f"{name}  ({'available' if is_available(published) else 'not available'}{size})")
        print(f"    {published.file}\n    published at {published.page}")
        if not published.urls:
            print(f"    no download address: use fetch-weights {name} --from PATH")


def format_size(size: int) -> str:
    """Bytes in MB or kB."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def is_available(published: Published) -> bool:
    """Whether every file is in the folder of weights."""
    return all((weights_folder() / file).is_file() for file in published.files)


def install(published: Published, get: Callable[[Published, Path], None]) -> None:
    """Gets the files into a hidden folder, checks them, and moves them to the folder of weights."""
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{published.name}.") as temporary:
        get(published, Path(temporary))
        published.check(Path(temporary) / Path(published.file).name)
        for file in published.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(temporary) / Path(file).name, folder / file)
    print(f"{published.name} passes all checks and is in {folder / published.file}")


def copy_files(source: Path, symlink: bool, published: Published, folder: Path) -> None:
    """Copies or links the files from a path: the first file, or the folder that holds them.

    Raises:
      FileNotFoundError: one of them is missing.
    """
    beside = source.parent if source.is_file() else source
    for number, file in enumerate(published.files):
        name = Path(file).name
        original = source if number == 0 and source.is_file() else beside / name
        if not original.is_file():
            raise FileNotFoundError(
                f"{published.name} consists of {', '.join(Path(f).name for f in published.files)}, "
                f"and there is no {original}"
            )
        if symlink:
            (folder / name).symlink_to(original.resolve())
        else:
            shutil.copyfile(original, folder / name)


def download(published: Published, folder: Path) -> None:
    """Downloads the files.

    Raises:
      ValueError: they have no address.
      OSError: a download failed.
    """
    if len(published.urls) != len(published.files):
        raise ValueError(
            f"{published.name} has no download address: get {Path(published.file).name} from "
            f"{published.page}, then run `vdm-jax fetch-weights {published.name} --from PATH`"
        )
    for url, file in zip(published.urls, published.files, strict=True):
        print(f"{published.name}: {url}")
        try:
            _download_file(url, folder / Path(file).name)
        except OSError as error:
            raise OSError(
                f"the download of {url} failed ({error}): on a machine without a network, copy "
                f"{Path(file).name} from {published.page}, then run `vdm-jax fetch-weights "
                f"{published.name} --from PATH`"
            ) from error


def _download_file(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        with progress_bar(f"{path.name}, MiB", -(-size // MIB)) as advance:
            while chunk := answer.read(MIB):
                file.write(chunk)
                advance(1)
    if size and path.stat().st_size != size:
        raise OSError(f"the server stopped after {path.stat().st_size:,} of {size:,} bytes")
