"""The command line, `vdm-jax`: one file per subcommand."""

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
    compilation,
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
from vdm_jax.training import Interrupted, NotFinite

COMMANDS = (
    train, sample, evaluate, compare, sensitivity, sweep, fetch_weights, embed, export, import_,
    describe, plan,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="vdm-jax",
        description="Train, sample and measure video diffusion models.",
        epilog="Start with: vdm-jax train experiments/quickstart.py --workdir runs/quickstart",
    )
    top.add_argument("--version", action="version", version=f"vdm_jax {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        # `import` is a word of Python's own, and a file has no hyphen in its name.
        name = module.__name__.rpartition(".")[-1].rstrip("_").replace("_", "-")
        lines = (module.__doc__ or "").strip().split("\n\n", 1)
        sub = commands.add_parser(
            name,
            help=lines[0].rstrip("."),
            description="\n\n".join(lines),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line. Bad input is one line on stderr and status 2.

    A run stopped by a signal ends with status 128 + its number, as shells expect; so does one whose
    reader, such as `head`, has left. With VDM_JAX_TRACEBACK set, errors keep their tracebacks.
    """
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("vdm_jax").setLevel(logging.INFO)
    arguments = parser().parse_args(argv)
    compilation.keep()
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except Interrupted as stop:
        print(f"\n{stop}. To go on, run the same command again.", file=sys.stderr)
        return 128 + stop.signum
    except (ValueError, OSError, NotFinite) as error:
        if isinstance(error, BrokenPipeError) and unread():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # flushed at the end
            return 128 + signal.SIGPIPE
        if os.environ.get("VDM_JAX_TRACEBACK"):
            raise
        print(f"vdm-jax {arguments.command}: error: {explained(error)}", file=sys.stderr)
        return 2
    return 0


def explained(error: Exception) -> str:
    """What went wrong: the error's own words, or better ones than the system's."""
    in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
    if in_the_way and error.filename and not os.path.isdir(error.filename):
        return f"{error.filename}: a file is where a folder has to be; name another path"
    return str(error)


def unread() -> bool:
    """Whether nobody reads what is printed: another pipe that breaks is an error like any other."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
