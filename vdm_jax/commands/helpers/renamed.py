"""Old names of subcommands and flags: using one is an error that gives the new name."""

from collections.abc import Sequence

RENAMED = {
    "knobs": "sensitivity",
    "compare --apart": "--separate",
    "evaluate --only": "--video-list",
    "evaluate --prompts": "--write-prompts",
    "export --as": "--format",
    "fetch-weights --link": "--symlink",
    "sample --first": "--first-stage",
    "sample --keep": "--keep-stages",
    "sample --last": "--last-stage",
    "sample --together": "--all-in-memory",
    "sensitivity --only": "--video-list",
    "train --lost-after": "--heartbeat-timeout",
}
"""`subcommand` or `subcommand --flag`, and the new name of its last word."""


def find_renamed(argv: Sequence[str]) -> str | None:
    """The error message for the first old name on a command line, if there is one."""
    command, *words = (*argv, "")
    if command in RENAMED:
        return f"vdm-jax: error: {command} is called {RENAMED[command]} now"
    for word in words:
        if word == "--":
            break
        flag = word.partition("=")[0]
        if new := RENAMED.get(f"{command} {flag}"):
            return f"vdm-jax {command}: error: {flag} is called {new} now"
    return None
