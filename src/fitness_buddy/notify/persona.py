"""Read the persona: a voice for a language model, and lines for when there is no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from fitness_buddy.core import variables
from fitness_buddy.core.errors import InputError, Refusal
from fitness_buddy.core.yaml_text import parse_yaml

DEFAULT = Path(__file__).with_name("persona.yaml")
KINDS = ("meditation", "no_workout", "goal_met", "goal_missed", "no_steps", "no_meals")
# Of one line, by the persona or by a model in its voice.
MAX_LINE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Persona:
    """The persona of the buddy.

    Attributes:
        name: the name of the buddy.
        voice: the instructions for a language model.
        lines: one or more lines of each kind.
    """

    name: str
    voice: str
    lines: Mapping[str, Sequence[str]]

    def line(self, kind: str, day: date) -> str:
        """Return the line of a day; lines alternate from day to day."""
        lines = self.lines[kind]
        return lines[day.toordinal() % len(lines)]


def persona_path() -> Path:
    """Return the file that BUDDY_PERSONA names, else the file of this package."""
    return variables.PERSONA.read() or DEFAULT


def load_persona() -> Persona:
    """Read the persona of :func:`persona_path`.

    Raises:
        InputError: the file is missing, or has another form.
    """
    path = persona_path()
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError([Refusal(str(path), None, None, f"expected a persona as YAML: {problem}")]) from None
    problems = _problems(document)
    if problems:
        raise InputError([Refusal(str(path), None, field, problem) for field, problem in problems.items()])
    return Persona(document["name"].strip(), document["voice"].strip(), document["lines"])


def _problems(document: Any) -> dict[str, str]:
    if not isinstance(document, dict):
        return {"name": "expected the keys name, voice and lines"}
    problems = {key: "expected a text" for key in ("name", "voice") if not _is_text(document.get(key))}
    lines = document.get("lines")
    if not isinstance(lines, dict):
        return problems | {"lines": f"expected lists of lines: {', '.join(KINDS)}"}
    for kind in KINDS:
        said = lines.get(kind)
        if not isinstance(said, list) or not said or not all(_is_text(line) for line in said):
            problems[f"lines.{kind}"] = "expected a list of one line or more"
        elif any(len(line) > MAX_LINE_CHARACTERS for line in said):
            problems[f"lines.{kind}"] = f"expected lines of up to {MAX_LINE_CHARACTERS} characters"
    return problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
