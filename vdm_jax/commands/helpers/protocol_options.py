"""Options of `evaluate` and `sensitivity` that choose a protocol and its real videos."""

import argparse

from vdm_jax import config, storage
from vdm_jax.protocols import (
    PROTOCOLS,
    Collection,
    Protocol,
    collect,
    identity,
    read_captions,
    read_list,
)

PREFIX = "protocol."
"""How the paths of `--set` begin that change the protocol, not the experiment."""

Parser = argparse._ActionsContainer
"""An argument parser or one of its groups."""


def add_real_videos(parser: Parser) -> None:
    """Adds the options that name the real videos."""
    parser.add_argument("--real", metavar="DIR", help="real videos, or a data set built from them")
    parser.add_argument("--split", help="split of a built data set (default: the protocol's)")
    parser.add_argument(
        "--video-list", metavar="FILE",
        help="use only the real videos that this list names, e.g. trainlist01.txt",
    )  # fmt: skip
    parser.add_argument(
        "--captions", metavar="FILE",
        help="captions of real videos: MSR-VTT's JSON, 1k-A's CSV, or a CSV with file,caption",
    )  # fmt: skip


def add_random_weights(parser: Parser) -> None:
    """Adds `--random-weights`."""
    parser.add_argument(
        "--random-weights", metavar="SEED", type=int, nargs="?", const=0,
        help="test run with random network weights; the numbers mean nothing and are marked so",
    )  # fmt: skip


def select_protocol(args: argparse.Namespace) -> tuple[Protocol, list[str]]:
    """(protocol with fields overridden, differences from the protocol of that name)."""
    if args.protocol is None:
        raise config.ConfigError("name a --protocol (--list prints them)")
    if args.protocol not in PROTOCOLS:
        raise config.ConfigError(
            f"no protocol {args.protocol!r}; {config.nearest(args.protocol, PROTOCOLS)}"
        )
    named = PROTOCOLS[args.protocol]
    for assignment in args.assignments:
        if not assignment.startswith(PREFIX) and args.workdir is None:
            raise config.ConfigError(
                f"--set {assignment}: without a run, fields begin with {PREFIX}"
            )
    changes = [a.removeprefix(PREFIX) for a in args.assignments if a.startswith(PREFIX)]
    protocol = config.override(named, *changes)
    if args.random_weights is not None:
        protocol = protocol.untrained(args.random_weights)
    return protocol, config.differences(identity(protocol), identity(named))


def real_videos(args: argparse.Namespace, protocol: Protocol) -> Collection | None:
    """The real videos of `--real`, restricted and captioned as the options say; else None."""
    if not args.real:
        return None
    videos = collect(storage.cached_copy(args.real), args.split or protocol.real.split)
    if args.video_list:
        videos = videos.select(read_list(args.video_list), args.video_list)
    if args.captions:
        videos = videos.with_captions(read_captions(args.captions))
    return videos
