"""The registry of settings: its values, and that code, dbt, `deploy/` and docs agree with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import REPOSITORY, run_buddy

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.redaction import without_secrets
from fitness_buddy.core.validators import ATHLETE_ID_WORDS
from fitness_buddy.core.variables import ENV, IMAGE, SECRETS, VARIABLES, Variable

REGISTRY = REPOSITORY / "src/fitness_buddy/core/variables.py"
# The tests' own.
OF_TESTS = {"BUDDY_CHROMIUM", "BUDDY_TEST_BIGQUERY_LIVE"}
# Names of secrets and settings that only flows and Kestra read.
OF_FLOWS = {"DISCORD_ALERTS_URL", "GIT_TOKEN", "STEPS_WEBHOOK_KEY"}
OF_COMPOSE = {"COMPOSE_PROJECT_NAME", "POSTGRES_PASSWORD"}
ANY = list(VARIABLES.values())
USERS = "Discord's ids as ID or ATHLETE=ID, each once, commas between"


def name_of(variable: Variable[Any]) -> str:
    return variable.name


# Values


@pytest.mark.parametrize("variable", ANY, ids=name_of)
def test_an_empty_variable_is_not_set(variable: Variable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable.name, raising=False)
    assert variable.read() == variable.default
    monkeypatch.setenv(variable.name, "  ")
    assert variable.read() == variable.default


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.floats(0.01, 1e6))
def test_a_number_of_seconds_is_read_as_it_is_stated(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("BUDDY_HTTP_TIMEOUT_S", repr(seconds))
    assert variables.HTTP_TIMEOUT_S.read() == seconds


@pytest.mark.parametrize(
    ("name", "bad", "expected"),
    [
        ("BUDDY_HTTP_TIMEOUT_S", "soon", "a number of seconds from 0.01 on, found 'soon'"),
        ("BUDDY_HTTP_TIMEOUT_S", "0", "a number of seconds from 0.01 on, found '0'"),
        ("BUDDY_HTTP_BACKOFF_S", "inf", "a number of seconds from 0 on, found 'inf'"),
        ("BUDDY_CLAIM_S", "nan", "a number of seconds from 1 on, found 'nan'"),
        ("BUDDY_LLM_IMAGE_USD", "-1", "an amount in US dollars such as 2.50, found '-1'"),
        ("BUDDY_DISCORD_CHANNELS", "12345,ada", "Discord's ids, whole numbers with commas between, found '12345,ada'"),
        ("BUDDY_DISCORD_USERS", "12345,ada", f"{USERS}, found '12345,ada'"),
        ("BUDDY_DISCORD_USERS", "ada=12345,ben=12345", f"{USERS}, found 'ada=12345,ben=12345'"),
        ("BUDDY_DISCORD_USERS", "=12345", f"{USERS}, found '=12345'"),
        ("BUDDY_ATHLETES", "ada=Berlin", "a time zone of ada such as Europe/Berlin, found 'ada=Berlin'"),
        ("BUDDY_ATHLETES", "ada", "a time zone of ada such as Europe/Berlin, found 'ada'"),
        (
            "BUDDY_ATHLETES",
            "a b=UTC",
            f"athletes as ATHLETE=ZONE, commas between, each athlete {ATHLETE_ID_WORDS}, found 'a b=UTC'",
        ),
        (
            "BUDDY_ATHLETES",
            "a.b=UTC,A-b=UTC",
            "athletes whose settings have different names (_A_B twice), found 'a.b=UTC,A-b=UTC'",
        ),
        ("BUDDY_RAW_SCHEMA", " raw", "letters, digits and '_', found ' raw'"),
        ("BUDDY_SCHEMA_PREFIX", "dev-", "letters, digits and '_', found 'dev-'"),
        ("BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED", "1e9", "a whole number of bytes, found '1e9'"),
        ("BUDDY_INCREMENTAL", "yes", "true or false, found 'yes'"),
        (
            "BUDDY_LLM_BASE_URL",
            "api.openai.com",
            "an address such as https://api.openai.com/v1, found 'api.openai.com'",
        ),
        ("BUDDY_KESTRA_ASK_WEBHOOK_KEY", "short", "8 letters, digits and . _ ~ - or more"),
    ],
)
def test_a_value_of_another_type_is_refused(
    name: str, bad: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, bad)
    with pytest.raises(UsageError) as refused:
        VARIABLES[name].read()
    assert str(refused.value) == f"{name}: expected {expected}"


def test_lists_and_labels_may_have_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_FLOWS_ENABLED", "strava_daily, ,google_health_daily,")
    monkeypatch.setenv("BUDDY_DISCORD_CHANNELS", " 12345 , 67890")
    monkeypatch.setenv("BUDDY_DISCORD_USERS", " ada=12345 , 67890")
    monkeypatch.setenv("BUDDY_ATHLETES", " ada = Europe/Berlin , ben=America/New_York,")
    monkeypatch.setenv("BUDDY_BIGQUERY_LABELS", "team=health, cost-center=1,empty=")
    assert variables.FLOWS_ENABLED.read() == ("strava_daily", "google_health_daily")
    assert variables.DISCORD_CHANNELS.read() == {12345, 67890}
    assert variables.DISCORD_USERS.read() == {12345: "ada", 67890: ""}
    assert variables.ATHLETES.read() == {"ada": "Europe/Berlin", "ben": "America/New_York"}
    assert variables.BIGQUERY_LABELS.read() == {"team": "health", "cost-center": "1", "empty": ""}


@pytest.mark.parametrize("variable", [one for one in ANY if one.is_secret], ids=name_of)
def test_a_secret_is_in_no_words(variable: Variable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable.name, "planted/../secret")
    try:
        variable.read()
    except UsageError as refused:
        assert "planted" not in str(refused)
    assert without_secrets("the value planted/../secret.") == "the value ***."


# The command


def shown(*words: str, **environment: str) -> dict[str, dict[str, Any]]:
    answer = run_buddy("settings", "--json", *words, environment=environment)
    assert answer.exit_code == 0, answer.errors
    return {one["name"]: one for one in answer.json["settings"]}


def test_the_command_shows_each_value_and_where_it_comes_from(tmp_path: Path) -> None:
    found = shown("--athlete", "ada", BUDDY_LANGUAGES="de,en", BUDDY_TARGET="bigquery")
    assert list(found) == list(VARIABLES)

    def value(name: str) -> tuple[str, str]:
        return found[name]["value"], found[name]["origin"]

    assert value("BUDDY_ATHLETE") == ("ada", "option")
    assert value("BUDDY_TARGET") == ("bigquery", "environment")
    assert value("BUDDY_LANGUAGES") == ("de,en", "environment")
    assert value("BUDDY_BIGQUERY_PROJECT") == ("fitness-buddy", "profile")
    assert value("BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED") == ("no limit", "profile")
    assert value("BUDDY_CLAIM_S") == ("300", "default")
    assert value("BUDDY_STATE_DIR") == (str(tmp_path / "state"), "environment")
    assert value("BUDDY_PROJECT_DIR") == (str(REPOSITORY), "environment")


def test_the_command_shows_no_secret_only_whether_it_is_set() -> None:
    secrets = {variable.name: f"planted-{variable.name}" for variable in ANY if variable.is_secret}
    environment = {**secrets, "BUDDY_GIT_URL": "https://ada:planted@example.org/flows", "BUDDY_PERSONA": "[red]a[/red]"}
    for words in (["--json"], []):
        answer = run_buddy("settings", *words, environment=environment)
        assert "planted" not in answer.output + answer.errors
        assert "[red]a[/red]" in answer.output
    found = shown(**{"BUDDY_LLM_API_KEY": "planted"})
    secret = {name: (one["value"], one["is_set"]) for name, one in found.items() if one["is_secret"]}
    assert secret.keys() == secrets.keys()
    assert secret["BUDDY_LLM_API_KEY"] == (None, True)
    assert secret["BUDDY_DISCORD_WEBHOOK"] == (None, False)


def test_the_command_names_what_is_wrong_and_what_is_no_setting() -> None:
    answer = run_buddy("settings", "--json", environment={"BUDDY_CLAIM_S": "0", "BUDDY_LLM_MODLE": "x"})
    assert answer.exit_code == 2
    assert "BUDDY_CLAIM_S: expected a number of seconds from 1 on, found '0'" in answer.errors
    assert answer.json["unknown"] == ["BUDDY_LLM_MODLE"]
    assert len(answer.json["settings"]) == len(VARIABLES)
    assert (
        "BUDDY_LLM_MODLE is set, and is no setting"
        in run_buddy("settings", environment={"BUDDY_LLM_MODLE": "x"}).output
    )


# The registry is the only place


SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
# Who reads the environment for another reason: the profile's env_var, the values of secrets, and dbt's variables.
ENVIRONMENT = {"core/settings.py", "core/redaction.py", "core/variables.py", "transform/dbt.py"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_other_module_reads_the_environment(path: Path) -> None:
    if str(path.relative_to(REPOSITORY / "src/fitness_buddy")) not in ENVIRONMENT:
        assert not re.search(r"\benviron\b(?!ment)|\bgetenv\b", path.read_text())
    if path != REGISTRY:
        # Not even by a constant: a name is written out in words for people only.
        assert not re.search(
            r"""(environ|getenv)\W.*BUDDY_|^\w+ = ["'](BUDDY|STRAVA|GOOGLE_HEALTH)_""", path.read_text()
        )


READERS = sorted(
    path
    for place in ("src", "macros", "models", "profiles", "flows", "deploy", "docs", "scripts", "benchmarks", "*.md")
    for path in (REPOSITORY.glob(place) if "*" in place else (REPOSITORY / place).rglob("*"))
    if path.is_file() and path.suffix in {".py", ".sql", ".yml", ".yaml", ".md", ".j2", ".example", ""}
)


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_name_anywhere_is_in_the_registry(path: Path) -> None:
    try:
        named = set(re.findall(r"\b(?:BUDDY|STRAVA|GOOGLE_HEALTH)_[A-Z_]*[A-Z]\b", path.read_text()))
    except UnicodeDecodeError:
        return
    assert named - VARIABLES.keys() - OF_TESTS == set()


def test_dbt_has_the_same_defaults() -> None:
    """Jinja repeats them: ``env_var('NAME', 'default')``, where an empty variable counts ``or 'default'``."""
    text = "".join(
        path.read_text()
        for place in ("profiles", "macros", "models")
        for path in sorted((REPOSITORY / place).rglob("*"))
        if path.suffix in {".sql", ".yml"}
    )
    found: dict[str, set[str]] = {}
    for name, default, instead in re.findall(r"env_var\('(\w+)', '([^']*)'\)(?: or '([^']*)')?", text):
        found.setdefault(name, set()).add(instead or default)
    assert found.keys() == set(re.findall(r"env_var\('(\w+)'", text))
    stated = {name: {"" if VARIABLES[name].default in ({}, None) else str(VARIABLES[name].default)} for name in found}
    # The profile asks of some whether they are set at all.
    assert {name: defaults - {""} or {""} for name, defaults in found.items()} == stated


def test_the_page_is_made_of_the_registry() -> None:
    made = subprocess.run(
        [sys.executable, REPOSITORY / "scripts/settings_page.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (REPOSITORY / "docs/core/settings.md").read_text(), "run `make settings`"


def stated_in(name: str) -> dict[str, str]:
    lines = (REPOSITORY / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(("place", "others"), [(ENV, OF_COMPOSE), (SECRETS, OF_FLOWS)])
def test_the_examples_have_the_settings_of_a_server(place: str, others: set[str]) -> None:
    deployed = {variable.deployed_as or name: variable for name, variable in VARIABLES.items()}
    example = stated_in(place)
    assert example.keys() - others == {name for name, one in deployed.items() if one.deployed_in == place}
    for name in example.keys() - others - {"KESTRA_USERNAME"}:  # a name to begin with
        variable = deployed[name]
        default = "" if variable.default in (None, {}, (), frozenset()) else str(variable.default)
        assert example[name] in {"", default}, name
        assert not (variable.is_secret and example[name]), name
        assert not variable.is_secret or place == SECRETS or name == "KESTRA_PASSWORD", name


def test_the_image_and_the_chart_set_known_settings() -> None:
    (stated,) = re.findall(r"^ENV (.*?)\n\n", (REPOSITORY / IMAGE).read_text(), re.MULTILINE | re.DOTALL)
    image = set(re.findall(r"\b((?:BUDDY|DBT)_\w+)=", stated))
    assert image == {name for name, variable in VARIABLES.items() if variable.deployed_in == IMAGE}
    chart = yaml.safe_load((REPOSITORY / "deploy/helm/values.yaml").read_text())
    # ENV_…: what flows read as `envs`.
    named = {one["name"] for one in chart["common"]["extraEnv"] if not one["name"].startswith("ENV_")} - {"TZ"}
    assert named <= {name for name, variable in VARIABLES.items() if variable.deployed_in == ENV}
