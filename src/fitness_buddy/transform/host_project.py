"""Write a dbt project of an analyst's own, which has this project as a package (`buddy project init`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import PROFILE_NAME, Settings, profiles_dir
from fitness_buddy.core.yaml_text import parse_yaml
from fitness_buddy.warehouse import Warehouse

_FILES = Path(__file__).with_name("host_files")
# Names in the templates that a folder needs with another name: a wheel would leave out a hidden file.
_NAMES = {"gitignore": ".gitignore"}
_SCHEMA = "analysis"


@dataclass(frozen=True, slots=True)
class HostProject:
    """The files of the project, relative to its folder: written now, or kept because they existed."""

    name: str
    written: list[str]
    kept: list[str]


def write_host_project(settings: Settings, warehouse: Warehouse, folder: Path) -> HostProject:
    """Write the files that the folder lacks; existing files stay as they are.

    Raises:
        UsageError: the folder is inside of this project, or its name cannot be the name of a dbt project.
        BuddyError: the folder cannot be written.
    """
    folder = folder.absolute()
    if folder.resolve().is_relative_to(settings.project_dir):
        outside = f"a folder outside of {settings.project_dir}, which it has as a package"
        raise UsageError(f"{folder}: expected {outside}, such as ../{folder.name}")
    name = _project_name(folder)
    written, kept = [], []
    for place, content in sorted(_contents(settings, warehouse, name)):
        path = folder / place
        if path.exists():
            kept.append(place)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise BuddyError(f"{path}: cannot be written: {error.strerror}") from error
        written.append(place)
    return HostProject(name, written, kept)


def _project_name(folder: Path) -> str:
    """Return the name of a folder as dbt writes names: lowercase letters, digits and '_'."""
    name = re.sub(r"\W+", "_", folder.name.lower(), flags=re.ASCII).strip("_")
    if not re.match(r"[a-z_]", name) or name == PROFILE_NAME:
        raise UsageError(
            f"{folder}: expected a folder whose name begins with a letter and is not {PROFILE_NAME}: "
            "it is the name of the dbt project"
        )
    return name


def _contents(settings: Settings, warehouse: Warehouse, name: str) -> Iterator[tuple[str, str]]:
    """Yield (path in the folder, content) of every file."""
    words = {
        "name": name,
        "package": json.dumps(str(settings.project_dir)),  # in quotes that YAML reads
        "warehouse": warehouse.name,
        "schema": f"{settings.schema_prefix}{_SCHEMA}",
    }
    for path in sorted(path for path in _FILES.rglob("*") if path.is_file()):
        place = path.relative_to(_FILES)
        template = Template(path.read_text(encoding="utf-8"))
        yield place.with_name(_NAMES.get(place.name, place.name)).as_posix(), template.substitute(words)
    yield "profiles.yml", _profile(settings, name)


def _profile(settings: Settings, name: str) -> str:
    """Return this project's profile for the host: the same warehouses, another schema, an absolute path of the file."""
    import yaml

    path = profiles_dir(settings.project_dir) / "profiles.yml"
    profile = parse_yaml(path.read_text(encoding="utf-8"))[PROFILE_NAME]
    outputs: dict[str, dict[str, Any]] = profile["outputs"]
    for target, output in outputs.items():
        output["dataset" if "dataset" in output else "schema"] = "{{ env_var('BUDDY_SCHEMA_PREFIX', '') }}" + _SCHEMA
        if output["type"] == "duckdb":
            stated = settings.profile["path"] if target == settings.target else "data/buddy.duckdb"
            default = json.dumps(str(settings.data_dir / stated))
            output["path"] = "{{ env_var('BUDDY_DUCKDB_PATH', " + default + ") }}"
    head = "# The warehouse of `buddy`, with a schema for your own models. Made from Fitness Buddy's profile.\n"
    return head + yaml.safe_dump({name: profile}, sort_keys=False, width=1000)
