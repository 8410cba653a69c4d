"""The scripts of `buddy completion`, what they complete, and the list of commands in `buddy --help`."""

from __future__ import annotations

import shutil

import pytest
from support import BUDDY, run_buddy, run_process, spawn_buddy

from fitness_buddy.cli import main
from fitness_buddy.cli.sections import SECTIONS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_that_the_shell_accepts(shell: str) -> None:
    answer = run_buddy("completion", shell)
    assert answer.exit_code == 0, answer.errors
    assert "_BUDDY_COMPLETE" in answer.output
    if shutil.which(shell):
        checked = run_process([shell, "-n"], stdin=answer.output)
        assert (checked.exit_code, checked.errors) == (0, "")


def test_commands_and_options_are_completed() -> None:
    asked = {"_BUDDY_COMPLETE": "bash_complete", "COMP_WORDS": "buddy rep", "COMP_CWORD": "1"}
    assert spawn_buddy(environment=asked).output == "plain,report\n"
    asked |= {"COMP_WORDS": "buddy report --ht", "COMP_CWORD": "2"}
    assert spawn_buddy(environment=asked).output == "plain,--html\n"
    assert BUDDY.name == "buddy"  # the name that the scripts ask for


def test_every_command_is_in_one_section_of_the_help() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert main.commands.keys() - set(listed) == set()
    output = run_buddy("--help").output
    for name in main.commands:
        assert f"\n  {name} " in output
    assert "\nOther" not in output
