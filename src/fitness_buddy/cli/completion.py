"""The command ``buddy completion``."""

from __future__ import annotations

from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main

_SHELLS = ("bash", "zsh", "fish")


@command(main, "completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(run: Run, shell: str) -> dict[str, Any]:
    """Print the script that completes commands and options of buddy with the tab key.

    \b
    bash: echo 'eval "$(buddy completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(buddy completion zsh)"' >> ~/.zshrc, after compinit
    fish: buddy completion fish > ~/.config/fish/completions/buddy.fish
    """
    from click.shell_completion import get_completion_class

    script_of = get_completion_class(shell)
    assert script_of is not None  # noqa: S101 - click has all of _SHELLS
    script = script_of(main, {}, "buddy", "_BUDDY_COMPLETE").source()
    run.say(script)
    return {"shell": shell, "script": script}
