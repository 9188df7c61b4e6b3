"""Options that several subcommands share."""

import argparse


def add_overrides(parser: argparse.ArgumentParser, example: str) -> None:
    """Adds `--set path=value`, repeatable, as `args.assignments`."""
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help=f"override a field of the experiment, e.g. --set {example}; may be repeated",
    )


def add_workdir(
    parser: argparse.ArgumentParser, nargs: str | None = None, *, cascade: bool = True
) -> None:
    """Adds the positional `workdir` and `--step`.

    nargs: "?" makes `workdir` optional.
    cascade: whether it may be a cascade's file.
    """
    run = "the folder of a run, as given to `vdm-jax train`, or of an export"
    parser.add_argument(
        "workdir", nargs=nargs, help=f"{run}; or a cascade's file" if cascade else run
    )
    parser.add_argument("--step", type=int, help="the checkpoint to load (default: the newest)")
