"""Settings: command options over the environment over defaults. The warehouse is described in profiles/profiles.yml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitness_buddy.core.errors import BuddyError, UsageError

DEFAULT_ATHLETE_ID = "me"
PROFILE_NAME = "fitness_buddy"
# Athlete ids stand in file names, labels and SQL parameters: one plain word is enough for all of them.
_ATHLETE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_AS_NUMBER = re.compile(r"\|\s*as_number\s*\}\}$")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
# BigQuery takes 64 a job; dbt adds its own.
_MOST_LABELS = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """What one command needs to know before it starts.

    Attributes:
        project_dir: the folder of dbt_project.yml.
        target: name of the output in profiles/profiles.yml.
        profile: that output, its ``env_var`` calls rendered: exactly what dbt connects with.
        athlete_id: whose data is loaded or shown.
        raw_schema: schema of the raw tables.
        schema_prefix: what the names of all other schemas begin with.
        labels: what every job on BigQuery is labelled with, for the bill.
    """

    project_dir: Path
    target: str
    profile: Mapping[str, Any] = field(repr=False)  # may hold a key file's path or a token
    athlete_id: str
    raw_schema: str
    schema_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def marts_schema(self) -> str:
        # dbt-bigquery takes either word.
        return str(self.profile.get("dataset") or self.profile["schema"])

    @property
    def staging_schema(self) -> str:
        return f"{self.schema_prefix}staging"

    @property
    def intermediate_schema(self) -> str:
        return f"{self.schema_prefix}intermediate"

    @property
    def ops_schema(self) -> str:
        """Of the tables that tell how runs went."""
        return f"{self.schema_prefix}ops"

    @property
    def seeds_dir(self) -> Path:
        return self.project_dir / "seeds"


def load_settings(
    *, target: str | None = None, athlete_id: str | None = None, default_athlete_id: str | None = None
) -> Settings:
    """Resolve the settings of one command.

    Raises:
        UsageError: no project, target or profile of that name, or an athlete id that is not one plain word.
    """
    project_dir = find_project_dir()
    # An empty variable is how compose files and CI say "not set".
    athlete_id = athlete_id or os.environ.get("BUDDY_ATHLETE") or default_athlete_id or DEFAULT_ATHLETE_ID
    if not _ATHLETE_ID.fullmatch(athlete_id):
        raise UsageError(
            f"athlete {athlete_id!r}: expected 1 to 64 letters, digits, '_', '-' or '.', the first a letter or digit"
        )
    target, profile = _read_profile(project_dir, target)
    return Settings(
        project_dir=project_dir,
        target=target,
        profile=profile,
        athlete_id=athlete_id,
        raw_schema=os.environ.get("BUDDY_RAW_SCHEMA") or "raw",
        schema_prefix=os.environ.get("BUDDY_SCHEMA_PREFIX", ""),
        labels=_labels(os.environ.get("BUDDY_BIGQUERY_LABELS", "")),
    )


def _labels(stated: str) -> dict[str, str]:
    """``key=value,key=value`` by BigQuery's rules, in ASCII; macros/query_comment.sql gives the same to dbt's jobs."""
    labels: dict[str, str] = {}
    for label in filter(None, (part.strip() for part in stated.split(","))):
        key, equals, value = label.partition("=")
        if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value) or key in labels:
            raise UsageError(
                f"BUDDY_BIGQUERY_LABELS: expected key=value,key=value with each key once, up to 63 lowercase letters, "
                f"digits, '_' and '-' on either side, keys beginning with a letter; found {label!r}"
            )
        labels[key] = value
    if len(labels) > _MOST_LABELS:
        raise UsageError(f"BUDDY_BIGQUERY_LABELS: expected up to {_MOST_LABELS} labels, found {len(labels)}")
    return labels


def find_project_dir() -> Path:
    """The dbt project: BUDDY_PROJECT_DIR, else the nearest above the working folder, else the checkout of this code.

    Raises:
        UsageError: there is none.
    """
    stated = os.environ.get("BUDDY_PROJECT_DIR")
    if stated:
        candidates = [Path(stated).resolve()]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[3]]
    for folder in candidates:
        project_file = folder / "dbt_project.yml"
        if project_file.is_file() and f"name: {PROFILE_NAME}\n" in project_file.read_text(encoding="utf-8"):
            return folder
    raise UsageError(
        "no Fitness Buddy project found: run inside its checkout, "
        "or set BUDDY_PROJECT_DIR to the folder of its dbt_project.yml"
    )


def profiles_dir(project_dir: Path) -> Path:
    """Where profiles.yml is: DBT_PROFILES_DIR as for dbt, else the project's own."""
    stated = os.environ.get("DBT_PROFILES_DIR")
    return (project_dir / stated).resolve() if stated else project_dir / "profiles"


def _read_profile(project_dir: Path, target: str | None) -> tuple[str, dict[str, Any]]:
    # dbt's own profile loader costs five seconds of import; its contract is only "Jinja with env_var and as_number, in
    # YAML strings".
    import jinja2
    import yaml

    path = profiles_dir(project_dir) / "profiles.yml"
    if not path.is_file():
        raise UsageError(f"{path}: not found; it describes the warehouse for dbt and for buddy")

    def env_var(name: str, default: str | None = None) -> str:
        value = os.environ.get(name, default)
        if value is None:
            raise UsageError(f"{path}: the environment variable {name} is required by the target and is not set")
        return value

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.filters["as_number"] = lambda text: text

    def render(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: render(item) for key, item in value.items()}
        if isinstance(value, list):
            return [render(item) for item in value]
        if isinstance(value, str) and "{{" in value:
            rendered = environment.from_string(value).render(env_var=env_var)
            return _number(rendered, value) if _AS_NUMBER.search(value) else rendered
        return value

    def _number(rendered: str, template: str) -> int:
        if not rendered.isdecimal():
            raise UsageError(f"{path}: expected a whole number, found {rendered!r} in {template}")
        return int(rendered)

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        profile = document[PROFILE_NAME]
        outputs = profile["outputs"]
        target = target or str(render(profile["target"]))
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise BuddyError(f"{path}: not a dbt profile named {PROFILE_NAME}: {error}") from error
    if target not in outputs:
        raise UsageError(f"target {target!r} is not in {path}; it has: {', '.join(sorted(outputs))}")
    return target, render(outputs[target])
