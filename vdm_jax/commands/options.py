"""Options that several commands share."""

import argparse


def overrides(parser: argparse.ArgumentParser, example: str) -> None:
    """`--set path=value`, any number of times."""
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help=f"change one field of the experiment, e.g. --set {example}; may be repeated",
    )


def run_folder(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """A run, and which of its checkpoints; `nargs` "?" where it may be left out."""
    parser.add_argument(
        "workdir",
        nargs=nargs,
        help="the folder of a run, as given to `vdm-jax train`, or a cascade",
    )
    parser.add_argument("--step", type=int, help="the checkpoint to use (default: the newest)")
