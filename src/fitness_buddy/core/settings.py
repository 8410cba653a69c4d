"""The settings of one command: options over the environment over defaults, and the target of profiles/profiles.yml."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import platformdirs

from fitness_buddy.core import variables
from fitness_buddy.core.athletes import require_listed
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.state import state_dir
from fitness_buddy.core.validators import ATHLETE_ID, ATHLETE_ID_WORDS

if TYPE_CHECKING:
    import jinja2

PROFILE_NAME = "fitness_buddy"
# The project inside an installed wheel (pyproject.toml puts it there); a checkout has none.
PACKAGED_PROJECT = Path(__file__).resolve().parents[1] / "project"
_AS_NUMBER = re.compile(r"\|\s*as_number\s*\}\}$")


@dataclass(frozen=True, slots=True)
class Settings:
    """The project, the warehouse and the athlete of one command.

    Attributes:
        project_dir: the folder of dbt_project.yml; commands only read it.
        target: the name of the output in profiles/profiles.yml.
        profile: that output with its ``env_var`` calls rendered: dbt connects with the same.
        athlete_id: the athlete whose data is loaded or shown.
        raw_schema: the schema of the raw tables.
        schema_prefix: the prefix of the names of all other schemas.
        labels: the labels of every job on BigQuery, for the bill.
    """

    project_dir: Path
    target: str
    profile: Mapping[str, Any] = field(repr=False)  # may hold a key file's path or a token
    athlete_id: str
    raw_schema: str
    schema_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        """The folder that commands write to: BUDDY_DATA_DIR, else a checkout itself, else the user's data folder.

        Relative paths begin there. An installed package is never written to: it may be read-only, and an update
        replaces it.
        """
        if stated := variables.DATA_DIR.read():
            return stated.absolute()
        if self.project_dir == PACKAGED_PROJECT:
            return platformdirs.user_data_path("fitness-buddy", appauthor=False)
        return self.project_dir

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
        """The schema of results, ledgers and calls."""
        return f"{self.schema_prefix}ops"

    def schema_of(self, schema: Literal["ops", "raw"]) -> str:
        """Return the name of the schema in the warehouse."""
        return self.ops_schema if schema == "ops" else self.raw_schema

    @property
    def seeds_dir(self) -> Path:
        return self.project_dir / "seeds"

    @property
    def schemas(self) -> tuple[str, ...]:
        """The names of all schemas in the warehouse."""
        built = (self.staging_schema, self.intermediate_schema, self.marts_schema, self.ops_schema)
        return (self.raw_schema, *built)


def load_settings(
    *, target: str | None = None, athlete_id: str | None = None, default_athlete_id: str | None = None
) -> Settings:
    """Resolve the settings of one command.

    Raises:
        UsageError: no project, target or profile of that name, an athlete id that is not one plain word, or an athlete
            whom BUDDY_ATHLETES does not list.
    """
    project_dir = find_project_dir()
    athlete_id = athlete_id or variables.ATHLETE.stated() or default_athlete_id or variables.ATHLETE.default
    if not re.fullmatch(ATHLETE_ID, athlete_id):
        raise UsageError(f"athlete {athlete_id!r}: expected {ATHLETE_ID_WORDS}")
    if athlete_id != default_athlete_id:
        require_listed(athlete_id)
    target, profile = _read_profile(project_dir, target)
    return Settings(
        project_dir=project_dir,
        target=target,
        profile=profile,
        athlete_id=athlete_id,
        raw_schema=variables.RAW_SCHEMA.read(),
        schema_prefix=variables.SCHEMA_PREFIX.read(),
        labels=variables.BIGQUERY_LABELS.read(),
    )


def find_project_dir() -> Path:
    """Return the dbt project: BUDDY_PROJECT_DIR, else the nearest above the working folder, else this code's own.

    The code's own is its checkout, or the project in the installed package.

    Raises:
        UsageError: there is none.
    """
    stated = variables.PROJECT_DIR.read()
    if stated:
        candidates = [stated.resolve()]
    else:
        here = Path.cwd()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[3], PACKAGED_PROJECT]
    for folder in candidates:
        project_file = folder / "dbt_project.yml"
        if project_file.is_file() and f"name: {PROFILE_NAME}\n" in project_file.read_text(encoding="utf-8"):
            return folder
    raise UsageError(
        "no Fitness Buddy project found: run inside its checkout, "
        "or set BUDDY_PROJECT_DIR to the folder of its dbt_project.yml"
    )


def profiles_dir(project_dir: Path) -> Path:
    """Return the folder of profiles.yml: DBT_PROFILES_DIR as for dbt, else the project's own."""
    stated = variables.PROFILES_DIR.read()
    return (project_dir / stated).resolve() if stated else project_dir / "profiles"


def _read_profile(project_dir: Path, target: str | None) -> tuple[str, dict[str, Any]]:
    # dbt's own profile loader costs five seconds of import; its contract is only "Jinja with env_var and as_number, in
    # YAML strings".
    import yaml

    from fitness_buddy.core.yaml_text import parse_yaml

    path = profiles_dir(project_dir) / "profiles.yml"
    if not path.is_file():
        raise UsageError(f"{path}: not found; it describes the warehouse for dbt and for buddy")

    def env_var(name: str, default: str | None = None) -> str:
        value = os.environ.get(name, default)
        if value is None:
            raise UsageError(f"{path}: the environment variable {name} is required by the target and is not set")
        return value

    def render(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: render(item) for key, item in value.items()}
        if isinstance(value, list):
            return [render(item) for item in value]
        if isinstance(value, str) and "{{" in value:
            rendered = _template(value).render(env_var=env_var)
            return _number(rendered, value) if _AS_NUMBER.search(value) else rendered
        return value

    def _number(rendered: str, template: str) -> int:
        if not rendered.isdecimal():
            raise UsageError(f"{path}: expected a whole number, found {rendered!r} in {template}")
        return int(rendered)

    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
        profile = document[PROFILE_NAME]
        outputs = profile["outputs"]
        target = target or str(render(profile["target"]))
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise BuddyError(f"{path}: not a dbt profile named {PROFILE_NAME}: {error}") from error
    if target not in outputs:
        raise UsageError(f"target {target!r} is not in {path}; it has: {', '.join(sorted(outputs))}")
    return target, render(outputs[target])


@cache
def _template(text: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.filters["as_number"] = lambda text: text
    return environment.from_string(text)


@dataclass(frozen=True, slots=True)
class SettingValue:
    """The value of one variable of the registry, and its origin.

    Attributes:
        value: as text; None for a secret.
        is_set: whether an option or the environment states it.
        origin: option, environment, profile (profiles/profiles.yml) or default.
        problem: what is wrong with the value; empty if nothing is.
    """

    name: str
    room: str
    value: str | None
    is_set: bool
    origin: str
    about: str
    is_secret: bool
    problem: str = ""


def setting_values(settings: Settings, options: Mapping[str, str | None]) -> list[SettingValue]:
    """Return the value and the origin of every variable, in the order of the registry.

    Args:
        options: the values of command options, by the variable's name; None where the option was not given.
    """
    # Defaults that depend on this machine.
    found = {
        variables.PROJECT_DIR.name: str(settings.project_dir),
        variables.DATA_DIR.name: str(settings.data_dir),
        variables.STATE_DIR.name: str(state_dir()),
        variables.PROFILES_DIR.name: str(profiles_dir(settings.project_dir)),
    }
    return [
        _setting_value(variable, settings, options.get(name), found.get(name) or variable.default_for_people())
        for name, variable in variables.VARIABLES.items()
    ]


def _setting_value(
    variable: variables.Variable[Any], settings: Settings, option: str | None, default: str
) -> SettingValue:
    stated, problem = variable.stated(), ""
    if option:
        origin, value = "option", option
    elif stated:
        origin, value = "environment", without_secrets(stated)
        try:
            variable.read()
        except UsageError as error:
            problem = str(error)
    elif variable.profile_key in settings.profile:
        origin, value = "profile", str(settings.profile[variable.profile_key] or default)
    else:
        origin, value = "default", default
    return SettingValue(
        variable.name,
        variable.room,
        None if variable.is_secret else value,
        bool(option or stated),
        origin,
        variable.about,
        variable.is_secret,
        problem,
    )
