"""Get the published weights that metrics look through, or say where they are.

    vdm-jax fetch-weights --list
    vdm-jax fetch-weights i3d_kinetics400
    vdm-jax fetch-weights i3d_kinetics400 --from ~/Downloads/rgb_scratch

Files go to $VDM_JAX_WEIGHTS, or to ~/.cache/vdm_jax/weights. Each is checked before it is put there
(size, SHA-256, names and shapes of its tensors, and which variant it is); no code in it is run.
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
from vdm_jax.progress import counted

MIB = 1 << 20
SECONDS = 60  # without a byte, after which a server is given up


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="which weights (see --list)")
    parser.add_argument("--list", action="store_true", help="all there are, and which are at hand")
    parser.add_argument(
        "--from", dest="source", metavar="PATH",
        help="a file, or a folder that holds it, instead of the network",
    )  # fmt: skip
    parser.add_argument(
        "--link", action="store_true", help="with --from: a symbolic link instead of a copy"
    )


def run(args: argparse.Namespace) -> None:
    if args.list or not args.names:
        show()
        return
    if args.source and len(args.names) > 1:
        raise config.ConfigError("--from is the file of one NAME")
    if args.link and not args.source:
        raise config.ConfigError("--link goes with --from PATH")
    for name in args.names:
        if name not in PUBLISHED:
            raise config.ConfigError(f"no weights {name!r}; {config.nearest(name, PUBLISHED)}")
    for name in args.names:
        published = PUBLISHED[name]
        if at_hand(published) and not args.source:
            published.check()
            print(f"{name} is at hand, and what it should be: {published.path()}")
        elif args.source:
            put(published, partial(local, Path(args.source).expanduser(), args.link))
        else:
            put(published, download)


def show() -> None:
    """A paragraph for each of the weights."""
    print(f"weights in {weights_folder()}\n")
    for name, published in sorted(PUBLISHED.items()):
        whole = published.bytes or (None if published.beside else published.size)
        size = f", {_told(whole)}" if whole else ""
        print(f"{name}  ({'at hand' if at_hand(published) else 'not at hand'}{size})")
        print(f"    {published.file}\n    published at {published.where}")
        if not published.urls:
            print(f"    no address of the file itself: fetch-weights {name} --from PATH")


def _told(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def at_hand(published: Published) -> bool:
    """Whether every file is in the folder of weights."""
    return all((weights_folder() / file).is_file() for file in published.files)


def put(published: Published, get: Callable[[Published, Path], None]) -> None:
    """Gets the files into a hidden folder, checks them, and only then gives them their place."""
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{published.name}.") as temporary:
        get(published, Path(temporary))
        published.check(Path(temporary) / Path(published.file).name)
        for file in published.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(temporary) / Path(file).name, folder / file)
    print(f"{published.name} is what it should be, and now in {folder / published.file}")


def local(source: Path, link: bool, published: Published, folder: Path) -> None:
    """Copies or links the files from a path: the first of them, or a folder that holds them."""
    beside = source.parent if source.is_file() else source
    for number, file in enumerate(published.files):
        name = Path(file).name
        found = source if number == 0 and source.is_file() else beside / name
        if not found.is_file():
            raise FileNotFoundError(
                f"{published.name} consists of {', '.join(Path(f).name for f in published.files)}, "
                f"and there is no {found}"
            )
        if link:
            (folder / name).symlink_to(found.resolve())
        else:
            shutil.copyfile(found, folder / name)


def download(published: Published, folder: Path) -> None:
    """Downloads the files."""
    if len(published.urls) != len(published.files):
        raise ValueError(
            f"{published.name} has no address from which a program can get it: download "
            f"{Path(published.file).name} from {published.where}, then "
            f"`vdm-jax fetch-weights {published.name} --from PATH`"
        )
    for url, file in zip(published.urls, published.files, strict=True):
        print(f"{published.name}: {url}")
        try:
            _fetch(url, folder / Path(file).name)
        except OSError as error:
            raise OSError(
                f"{url} cannot be had ({error}): where there is no network, get "
                f"{Path(file).name} from {published.where} elsewhere, then "
                f"`vdm-jax fetch-weights {published.name} --from PATH`"
            ) from error


def _fetch(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        with counted(f"{path.name}, MiB", -(-size // MIB)) as advance:
            while chunk := answer.read(MIB):
                file.write(chunk)
                advance(1)
    if size and path.stat().st_size != size:
        raise OSError(f"the server stopped after {path.stat().st_size:,} of {size:,} bytes")
