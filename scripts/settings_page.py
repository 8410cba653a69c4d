"""Print docs/core/settings.md, made from the registry of settings (`make settings` writes it)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fitness_buddy.core.variables import ENV, IMAGE, SECRETS, VARIABLES, Variable

TITLES = {
    "core": "All commands",
    "warehouse": "Warehouse",
    "transform": "Builds",
    "ingest": "Sources",
    "llm": "Language models",
    "mcp_server": "Agents",
    "notify": "Messages and the bot",
    "remind": "Reminders and events",
    "kestra": "Kestra and `deploy/`",
}
HEAD = """\
# Settings
Every setting is an environment variable; an empty one is not set. A command option takes precedence where there is one.
`buddy settings` shows the value of each, and where it comes from: option, environment,
profile (`profiles/profiles.yml`) or default.

`scripts/settings_page.py` makes this page from `src/fitness_buddy/core/variables.py`, where a setting is declared once:
change it there, then `make settings`. The last column names the file of `deploy/` that sets it on a server.
"""
PLACES = {ENV: "`.env`", SECRETS: "`secrets.env`", IMAGE: "`Dockerfile`", "": ""}
# A word of ours; other defaults without words of their own are values.
WORDS = {"none"}


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *(f"## {TITLES[room]}\n{table}" for room, table in tables())])


def tables() -> Iterator[tuple[str, str]]:
    """Yield the table of each room, in the order of the registry."""
    for room in dict.fromkeys(variable.room for variable in VARIABLES.values()):
        rows = [row(variable) for variable in VARIABLES.values() if variable.room == room]
        yield room, "\n".join(["| setting | default | what it is | on a server |", "|---|---|---|---|", *rows, ""])


def row(variable: Variable[Any]) -> str:
    """Return one setting as a row of a table."""
    default = variable.default_for_people()
    if not variable.default_words and default not in WORDS:
        default = f"`{default}`"
    place = PLACES[variable.deployed_in]
    if variable.deployed_as:
        place += f", as `{variable.deployed_as}`"
    about = variable.about + ("; a secret" if variable.is_secret else "")
    return f"| `{variable.name}` | {default} | {about} | {place} |"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - into the file
