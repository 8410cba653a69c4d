"""The command ``buddy persona``."""

from __future__ import annotations

from typing import Any

from fitness_buddy.cli.command import Run, command, main


@command(main, "persona")
def persona(run: Run) -> dict[str, Any]:
    """Check and show the persona: the file that BUDDY_PERSONA names, else the file of the project."""
    from fitness_buddy.notify.persona import load_persona, persona_path

    stated = load_persona()
    run.say(persona_path().read_text(encoding="utf-8").rstrip())
    return {
        "name": stated.name,
        "path": str(persona_path()),
        "lines": {kind: len(said) for kind, said in stated.lines.items()},
    }
