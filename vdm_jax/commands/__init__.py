"""The command line, `vdm-jax`: one file per subcommand, and their shared code in `helpers`."""

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence

from vdm_jax import __version__
from vdm_jax.commands import (
    compare,
    describe,
    embed,
    evaluate,
    export,
    fetch_weights,
    import_,
    plan,
    sample,
    sensitivity,
    sweep,
    train,
)
from vdm_jax.commands.helpers.compilation_cache import enable_compilation_cache
from vdm_jax.commands.helpers.renamed import find_renamed
from vdm_jax.training import Interrupted, NotFinite

COMMANDS = (
    train, sample, evaluate, compare, sensitivity, sweep, fetch_weights, embed, export, import_,
    describe, plan,
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="vdm-jax",
        description="Train, sample and evaluate video diffusion models.",
        epilog="Start with: vdm-jax train experiments/quickstart.py --workdir runs/quickstart",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"vdm_jax {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        # `import` is a keyword of Python, and module names have no hyphens.
        name = module.__name__.rpartition(".")[-1].rstrip("_").replace("_", "-")
        paragraphs = (module.__doc__ or "").strip().split("\n\n", 1)
        subparser = commands.add_parser(
            name,
            help=paragraphs[0].rstrip("."),
            description="\n\n".join(paragraphs),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status. Bad input is one line on stderr, status 2.

    A run stopped by a signal returns 128 + the signal's number, as shells expect; so does one whose
    output pipe was closed, for example by `head`. With VDM_JAX_TRACEBACK set, errors keep their
    tracebacks.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("vdm_jax").setLevel(logging.INFO)
    argv = sys.argv[1:] if argv is None else argv
    if message := find_renamed(argv):
        print(message, file=sys.stderr)
        return 2
    arguments = build_parser().parse_args(argv)
    enable_compilation_cache()
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except Interrupted as stop:
        print(f"\n{stop}. Run the same command again to resume.", file=sys.stderr)
        return 128 + stop.signum
    except (ValueError, OSError, NotFinite) as error:
        if isinstance(error, BrokenPipeError) and stdout_is_closed():
            # The interpreter flushes stdout once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        if os.environ.get("VDM_JAX_TRACEBACK"):
            raise
        print(f"vdm-jax {arguments.command}: error: {error_message(error)}", file=sys.stderr)
        return 2
    return 0


def error_message(error: Exception) -> str:
    """The error's own message, or a clearer one than the operating system's."""
    in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
    if in_the_way and error.filename and not os.path.isdir(error.filename):
        return f"{error.filename} is a file where a folder has to be; name another path"
    return str(error)


def stdout_is_closed() -> bool:
    """Whether the reader of stdout has closed the pipe; other broken pipes are errors."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
