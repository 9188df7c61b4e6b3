"""Old names of subcommands and flags end with status 2 and one line that gives the new name."""

import argparse

import pytest

from vdm_jax import commands
from vdm_jax.commands.helpers.renamed import RENAMED

SUBPARSERS = next(
    action.choices
    for action in commands.build_parser()._actions
    if isinstance(action, argparse._SubParsersAction)
)
FLAGS = [(*old.split(), new) for old, new in RENAMED.items() if " " in old]


def flags(subcommand: str) -> set[str]:
    return set(SUBPARSERS[subcommand]._option_string_actions)


@pytest.mark.parametrize("form", ["{flag}", "{flag}=value"])
@pytest.mark.parametrize(("subcommand", "flag", "new"), FLAGS)
def test_an_old_flag_is_refused_by_its_new_name(subcommand, flag, new, form, capsys):
    assert commands.main([subcommand, "something", form.format(flag=flag), "more"]) == 2
    error = capsys.readouterr().err
    assert error == f"vdm-jax {subcommand}: error: {flag} is called {new} now\n"


@pytest.mark.parametrize(("subcommand", "flag", "new"), FLAGS)
def test_the_new_flag_exists_and_the_old_one_does_not(subcommand, flag, new):
    assert new in flags(subcommand) and flag not in flags(subcommand)


def test_an_old_subcommand_is_refused_by_its_new_name(capsys):
    renamed = {old: new for old, new in RENAMED.items() if " " not in old}
    for old, new in renamed.items():
        assert new in SUBPARSERS and old not in SUBPARSERS
        assert commands.main([old, "--out", "somewhere"]) == 2
        assert capsys.readouterr().err == f"vdm-jax: error: {old} is called {new} now\n"
    assert renamed == {"knobs": "sensitivity"}


def test_flags_cannot_be_abbreviated(capsys):
    with pytest.raises(SystemExit) as end:
        commands.main(["sample", "run", "--firs", "2"])
    assert end.value.code == 2 and "unrecognized arguments: --firs 2" in capsys.readouterr().err


def test_words_after_two_hyphens_are_no_flags(capsys):
    with pytest.raises(SystemExit):
        commands.main(["compare", "--published", "--bogus", "--", "--apart"])
    assert "is called" not in capsys.readouterr().err
