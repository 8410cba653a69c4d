"""The registry of settings: every environment variable is declared here once, and read from here.

`buddy settings` lists them, docs/core/settings.md is made of them, and tests hold `deploy/`, `profiles/` and the macros
to them. Command options take precedence where a command has one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.validators import ATHLETE_ID, ATHLETE_ID_WORDS, name_suffix

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
# BigQuery takes 64 for a job; dbt adds its own.
_MAX_LABELS = 50
_DISCORD_ID = re.compile(r"\d{5,20}")
_WEBHOOK_KEY = re.compile(r"[A-Za-z0-9._~-]{8,}")

# Where a deployment sets a variable.
ENV, SECRETS, IMAGE = "deploy/env.example", "deploy/secrets.env.example", "deploy/Dockerfile"

_ENGLISH: tuple[str, ...] = ("en",)
_NOTHING: tuple[str, ...] = ()

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Variable(Generic[_Value]):
    """One environment variable. An empty one is not set: compose files and CI state it so.

    Attributes:
        room: the part of the project that uses it.
        about: one line for people.
        parse: makes the value of a text; raises ValueError with what was expected.
        default: the value if it is not set.
        default_words: the default for people, where the value itself says too little.
        is_secret: the value is never shown.
        profile_key: the key of the target in profiles/profiles.yml that holds the value.
        deployed_in: the file of `deploy/` that sets it on a server; empty if none does.
        deployed_as: the name there, if it is another one.
        is_per_athlete: whether each further athlete of BUDDY_ATHLETES has one, too (see :meth:`of_further`).
    """

    name: str
    room: str
    about: str
    parse: Callable[[str], _Value]
    default: _Value
    default_words: str = ""
    is_secret: bool = False
    profile_key: str = ""
    deployed_in: str = ""
    deployed_as: str = ""
    is_per_athlete: bool = False

    def of_further(self, athlete_id: str) -> Variable[_Value]:
        """Return the variable of an athlete who is not BUDDY_ATHLETE: its name ends with the athlete's."""
        return replace(self, name=self.name + name_suffix(athlete_id))

    def stated(self) -> str:
        """Return the text of the environment; empty if it is not set."""
        return os.environ.get(self.name, "")

    def read(self) -> _Value:
        """Return the value.

        Raises:
            UsageError: the text is not of the variable's type.
        """
        stated = self.stated()
        if not stated.strip():
            return self.default
        try:
            return self.parse(stated)
        except ValueError as error:
            found = "" if self.is_secret else f", found {stated!r}"
            raise UsageError(f"{self.name}: expected {error}{found}") from None

    def default_for_people(self) -> str:
        """Return the default as text."""
        return self.default_words or _shown(self.default)


VARIABLES: dict[str, Variable[Any]] = {}


def _declare(
    room: str, name: str, parse: Callable[[str], _Value], default: _Value, about: str, **more: Any
) -> Variable[_Value]:
    variable = Variable(name, room, about, parse, default, **more)
    VARIABLES[name] = variable
    return variable


def unknown_names() -> list[str]:
    """Return the names of the environment that look like settings and are none, such as misspelled ones."""
    known = {*VARIABLES, *_names_of_further()}
    return sorted(name for name in os.environ if name.startswith("BUDDY_") and name not in known)


def _names_of_further() -> set[str]:
    """Return the names of the settings of further athletes; none while BUDDY_ATHLETES cannot be read."""
    try:
        athletes = ATHLETES.read()
    except UsageError:
        return set()
    return {one.of_further(athlete).name for one in VARIABLES.values() if one.is_per_athlete for athlete in athletes}


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items()) or "none"
    if isinstance(value, tuple | frozenset):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in (None, "") else str(value)


# Types.


def _text(stated: str) -> str:
    return stated.strip()  # spaces come from copying


def _path(stated: str) -> Path | None:
    return Path(stated.strip()).expanduser()


def _schema(stated: str) -> str:
    if not re.fullmatch(r"\w*", stated, re.ASCII):
        raise ValueError("letters, digits and '_'")
    return stated


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(stated: str) -> str:
        if stated not in words:
            raise ValueError(" or ".join(words))
        return stated

    return parse


# macros/incremental/daily.sql refuses the same.
_switch = _one_of("true", "false")


def _list(stated: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in stated.split(",") if part.strip())


def _addresses(stated: str) -> tuple[str, ...]:
    """Split addresses at commas and spaces before the next one; an address may hold commas itself."""
    addresses = tuple(part for part in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", stated.strip()) if part)
    if not all(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", address) for address in addresses):
        raise ValueError("addresses such as discord://…, commas between")
    return tuple(address.rstrip(",") for address in addresses)


def _seconds(least: float) -> Callable[[str], float]:
    return _number(f"a number of seconds from {least:g} on", least)


def _number(expected: str, least: float) -> Callable[[str], float]:
    def parse(stated: str) -> float:
        try:
            number = float(stated)
        except ValueError:
            number = least - 1
        if not least <= number < float("inf"):
            raise ValueError(expected)
        return number

    return parse


_usd: Callable[[str], float | None] = _number("an amount in US dollars such as 2.50", 0)


def _bytes(stated: str) -> int:
    if not stated.strip().isdecimal():
        raise ValueError("a whole number of bytes")
    return int(stated)


def _http_url(stated: str) -> str:
    if not stated.strip().startswith(("http://", "https://")):
        raise ValueError("an address such as https://api.openai.com/v1")
    return stated.strip()


def _discord_users(stated: str) -> dict[int, str]:
    """Read ``ID`` or ``ATHLETE=ID``, commas between; the value is the athlete, empty where none is named."""
    users: dict[int, str] = {}
    for part in _list(stated):
        athlete_id, _, user = part.rpartition("=")
        is_named = re.fullmatch(ATHLETE_ID, athlete_id) if "=" in part else True
        if not is_named or not _DISCORD_ID.fullmatch(user) or int(user) in users:
            raise ValueError("Discord's ids as ID or ATHLETE=ID, each once, commas between")
        users[int(user)] = athlete_id
    return users


def _athletes(stated: str) -> dict[str, str]:
    """Read ``ATHLETE=ZONE``, commas between, such as ``ada=Europe/Berlin,ben=America/New_York``."""
    athletes: dict[str, str] = {}
    suffixes: set[str] = set()
    for part in _list(stated):
        athlete_id, _, zone = (word.strip() for word in part.partition("="))
        if not re.fullmatch(ATHLETE_ID, athlete_id):
            raise ValueError(f"athletes as ATHLETE=ZONE, commas between, each athlete {ATHLETE_ID_WORDS}")
        if not _is_zone(zone):
            raise ValueError(f"a time zone of {athlete_id} such as Europe/Berlin")
        if name_suffix(athlete_id) in suffixes:
            raise ValueError(f"athletes whose settings have different names ({name_suffix(athlete_id)} twice)")
        suffixes.add(name_suffix(athlete_id))
        athletes[athlete_id] = zone
    return athletes


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _discord_ids(stated: str) -> frozenset[int]:
    parts = _list(stated)
    if not all(_DISCORD_ID.fullmatch(part) for part in parts):
        raise ValueError("Discord's ids, whole numbers with commas between")
    return frozenset(map(int, parts))


def _webhook_key(stated: str) -> str:
    if not _WEBHOOK_KEY.fullmatch(stated.strip()):
        raise ValueError("8 letters, digits and . _ ~ - or more")
    return stated.strip()


def _labels(stated: str) -> dict[str, str]:
    """Read ``key=value,key=value`` by BigQuery's rules; macros/query_comment.sql gives the same to dbt's jobs."""
    labels: dict[str, str] = {}
    for label in _list(stated):
        key, equals, value = label.partition("=")
        if not equals or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value) or key in labels:
            raise ValueError(
                "key=value,key=value with each key once, up to 63 lowercase letters, digits, '_' and '-' on either "
                "side, keys beginning with a letter"
            )
        labels[key] = value
    if len(labels) > _MAX_LABELS:
        raise ValueError(f"up to {_MAX_LABELS} labels")
    return labels


# The project, and what all commands share.

ATHLETE = _declare("core", "BUDDY_ATHLETE", _text, "me", "the athlete whose data is loaded and shown", deployed_in=ENV)
ATHLETES = _declare(
    "core",
    "BUDDY_ATHLETES",
    _athletes,
    dict[str, str](),
    "the athletes of this server and their time zones, commas between: ATHLETE=ZONE; BUDDY_ATHLETE is one of them",
    default_words="BUDDY_ATHLETE only",
    deployed_in=ENV,
)
PROJECT_DIR = _declare(
    "core",
    "BUDDY_PROJECT_DIR",
    _path,
    None,
    "the folder of dbt_project.yml",
    default_words="the project around the working folder",
    deployed_in=IMAGE,
)
DATA_DIR = _declare(
    "core",
    "BUDDY_DATA_DIR",
    _path,
    None,
    "the folder that is written to: the warehouse, the demo's files, dbt's target and logs; relative paths begin there",
    default_words="the checkout; if the package is installed, the user's data folder, such as "
    "~/.local/share/fitness-buddy",
    deployed_in=IMAGE,
)
STATE_DIR = _declare(
    "core",
    "BUDDY_STATE_DIR",
    _path,
    None,
    "the folder of logins, high-water marks and the last build; files of mode 0600",
    default_words="the user's folder for state, such as ~/.local/state/fitness-buddy",
    deployed_in=IMAGE,
)
HTTP_TIMEOUT_S = _declare(
    "core",
    "BUDDY_HTTP_TIMEOUT_S",
    _seconds(0.01),
    60.0,
    "the deadline of one attempt, from the connection to the last byte",
)
HTTP_BACKOFF_S = _declare(
    "core",
    "BUDDY_HTTP_BACKOFF_S",
    _seconds(0),
    1.0,
    "the first pause before another attempt; each further one is twice as long",
)

# The warehouse. profiles/profiles.yml reads most of these, for dbt and for buddy alike.

TARGET = _declare(
    "warehouse",
    "BUDDY_TARGET",
    _text,
    "duckdb",
    "the target in profiles/profiles.yml: duckdb or bigquery",
    deployed_in=ENV,
)
DUCKDB_PATH = _declare(
    "warehouse",
    "BUDDY_DUCKDB_PATH",
    _text,
    "data/buddy.duckdb",
    "the warehouse's file; a relative path begins at BUDDY_DATA_DIR",
    profile_key="path",
    deployed_in=IMAGE,
)
RAW_SCHEMA = _declare("warehouse", "BUDDY_RAW_SCHEMA", _schema, "raw", "the schema of the raw tables")
SCHEMA_PREFIX = _declare(
    "warehouse",
    "BUDDY_SCHEMA_PREFIX",
    _schema,
    "",
    "the prefix of all schemas but raw's: a developer's own on a shared warehouse",
    deployed_in=ENV,
)
BIGQUERY_PROJECT = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_PROJECT",
    _text,
    "fitness-buddy",
    "the project in Google Cloud",
    profile_key="project",
    deployed_in=ENV,
)
BIGQUERY_LOCATION = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_LOCATION",
    _text,
    "EU",
    "the location of the datasets",
    profile_key="location",
    deployed_in=ENV,
)
BIGQUERY_KEYFILE = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_KEYFILE",
    _text,
    "",
    "the key file of a service account, instead of application default credentials",
    profile_key="keyfile",
    deployed_in=ENV,
)
BIGQUERY_IMPERSONATE = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_IMPERSONATE",
    _text,
    "",
    "the service account to act as",
    profile_key="impersonate_service_account",
    deployed_in=ENV,
)
BIGQUERY_MAXIMUM_BYTES_BILLED = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED",
    _bytes,
    0,
    "the limit of a single job",
    default_words="no limit",
    profile_key="maximum_bytes_billed",
    deployed_in=ENV,
)
BIGQUERY_LABELS = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_LABELS",
    _labels,
    dict[str, str](),
    "labels of every job, for the bill: key=value,key=value",
    deployed_in=ENV,
)
BIGQUERY_ENDPOINT = _declare(
    "warehouse",
    "BUDDY_BIGQUERY_ENDPOINT",
    _text,
    "",
    "the address of an emulator: http://127.0.0.1:PORT",
    default_words="Google",
    profile_key="api_endpoint",
)

# Builds.

INCREMENTAL = _declare(
    "transform",
    "BUDDY_INCREMENTAL",
    _switch,
    "",
    "whether a build replaces only the days that new data touches: true or false",
    default_words="true on BigQuery, else false",
)
AS_OF_DATE = _declare(
    "transform", "BUDDY_AS_OF_DATE", _text, "", "the as-of date of the models; set for dbt by `buddy build --as-of`"
)
NOW = _declare(
    "transform", "BUDDY_NOW", _text, "", "the instant that counts as now in the models; set for dbt by `--now`"
)
PROFILES_DIR = _declare(
    "transform", "DBT_PROFILES_DIR", _text, "", "the folder of profiles.yml", default_words="profiles"
)
TARGET_PATH = _declare(
    "transform", "DBT_TARGET_PATH", _text, "target", "the folder that dbt writes to", deployed_in=IMAGE
)
LOG_PATH = _declare(
    "transform", "DBT_LOG_PATH", _text, "", "the folder of dbt's logs", default_words="logs", deployed_in=IMAGE
)

# Sources.

FITBIT_CLOCK = _declare(
    "ingest",
    "BUDDY_FITBIT_CLOCK",
    _one_of("utc", "local"),
    "",
    "the clock of Fitbit's JSON if no CSV of the same minutes decides it: utc or local",
    default_words="utc, and a note says so",
)
STRAVA_CLIENT_ID = _declare(
    "ingest", "STRAVA_CLIENT_ID", _text, "", "the id of your application at Strava", deployed_in=SECRETS
)
STRAVA_CLIENT_SECRET = _declare(
    "ingest",
    "STRAVA_CLIENT_SECRET",
    _text,
    "",
    "the secret of your application at Strava",
    is_secret=True,
    deployed_in=SECRETS,
)
STRAVA_REFRESH_TOKEN = _declare(
    "ingest",
    "STRAVA_REFRESH_TOKEN",
    _text,
    "",
    "instead of `buddy auth strava`; the tokens that follow from it are in the state",
    is_secret=True,
    deployed_in=SECRETS,
)
STRAVA_BASE_URL = _declare(
    "ingest", "STRAVA_BASE_URL", _text, "https://www.strava.com/api/v3", "Strava's API; tokens come from there, too"
)
GOOGLE_HEALTH_CLIENT_ID = _declare(
    "ingest", "GOOGLE_HEALTH_CLIENT_ID", _text, "", "the id of your OAuth client at Google", deployed_in=SECRETS
)
GOOGLE_HEALTH_CLIENT_SECRET = _declare(
    "ingest",
    "GOOGLE_HEALTH_CLIENT_SECRET",
    _text,
    "",
    "the secret of your OAuth client at Google",
    is_secret=True,
    deployed_in=SECRETS,
)
GOOGLE_HEALTH_REFRESH_TOKEN = _declare(
    "ingest",
    "GOOGLE_HEALTH_REFRESH_TOKEN",
    _text,
    "",
    "instead of `buddy auth google-health`",
    is_secret=True,
    deployed_in=SECRETS,
)
GOOGLE_HEALTH_BASE_URL = _declare(
    "ingest", "GOOGLE_HEALTH_BASE_URL", _text, "https://health.googleapis.com/v4", "Google's Health API"
)
GOOGLE_HEALTH_TOKEN_URL = _declare(
    "ingest",
    "GOOGLE_HEALTH_TOKEN_URL",
    _text,
    "https://oauth2.googleapis.com/token",
    "the address that gives its tokens",
)
GOOGLE_HEALTH_AUTHORIZE_URL = _declare(
    "ingest",
    "GOOGLE_HEALTH_AUTHORIZE_URL",
    _text,
    "https://accounts.google.com/o/oauth2/v2/auth",
    "its login page",
)
INBOX_DIR = _declare(
    "ingest",
    "BUDDY_INBOX_DIR",
    _text,
    "",
    "the folder that a phone syncs its files to, for the flow steps_daily",
    deployed_in=IMAGE,
)

# Language models.

LLM_BASE_URL = _declare(
    "llm",
    "BUDDY_LLM_BASE_URL",
    _http_url,
    "",
    "any endpoint that speaks OpenAI's API, such as http://localhost:11434/v1; needs BUDDY_LLM_MODEL",
    deployed_in=ENV,
)
LLM_MODEL = _declare(
    "llm", "BUDDY_LLM_MODEL", _text, "", "the name of the language model; needs BUDDY_LLM_BASE_URL", deployed_in=ENV
)
LLM_API_KEY = _declare(
    "llm",
    "BUDDY_LLM_API_KEY",
    _text,
    "",
    "the key of the endpoint; a local server needs none",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="LLM_API_KEY",
)
LLM_IMAGE_MODEL = _declare(
    "llm", "BUDDY_LLM_IMAGE_MODEL", _text, "", "the model that draws the buddy eating your meal", deployed_in=ENV
)
LLM_TIMEOUT_S = _declare(
    "llm",
    "BUDDY_LLM_TIMEOUT_S",
    _seconds(0.01),
    60.0,
    "the deadline of one attempt, from the connection to the last byte; there are four",
    deployed_in=ENV,
)
LLM_INPUT_USD_PER_MILLION = _declare(
    "llm", "BUDDY_LLM_INPUT_USD_PER_MILLION", _usd, None, "the price of a million input tokens", deployed_in=ENV
)
LLM_OUTPUT_USD_PER_MILLION = _declare(
    "llm", "BUDDY_LLM_OUTPUT_USD_PER_MILLION", _usd, None, "the price of a million output tokens", deployed_in=ENV
)
LLM_IMAGE_USD = _declare("llm", "BUDDY_LLM_IMAGE_USD", _usd, None, "the price of a picture", deployed_in=ENV)
LLM_MONTHLY_BUDGET_USD = _declare(
    "llm",
    "BUDDY_LLM_MONTHLY_BUDGET_USD",
    _usd,
    None,
    "when it is spent, no model is asked until next month; needs the prices",
    default_words="no limit",
    deployed_in=ENV,
)

MCP_TOKEN = _declare(
    "mcp_server",
    "BUDDY_MCP_TOKEN",
    _text,
    "",
    "the token that clients of `buddy mcp --http` send",
    default_words="a new one at each start, printed on standard error",
    is_secret=True,
)
# Messages.

NOTIFY = _declare(
    "notify",
    "BUDDY_NOTIFY",
    _addresses,
    _NOTHING,
    "the addresses of the channels of the athlete, commas between: discord://…, ntfy://…, any of apprise",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="NOTIFY",
)
DISCORD_WEBHOOK = _declare(
    "notify",
    "BUDDY_DISCORD_WEBHOOK",
    _text,
    "",
    "one more channel: the address of a webhook of Discord",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="DISCORD_URL",
)
PERSONA = _declare(
    "notify",
    "BUDDY_PERSONA",
    _path,
    None,
    "the file that says how the buddy speaks",
    default_words="the project's own",
    deployed_in=ENV,
)
DISCORD_BOT_TOKEN = _declare(
    "notify",
    "BUDDY_DISCORD_BOT_TOKEN",
    _text,
    "",
    "the token of the bot that reads messages",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="DISCORD_BOT_TOKEN",
)
DISCORD_USERS = _declare(
    "notify",
    "BUDDY_DISCORD_USERS",
    _discord_users,
    dict[int, str](),
    "the ids of the users who may speak to the bot, commas between; with BUDDY_ATHLETES each as ATHLETE=ID",
    deployed_in=ENV,
)
DISCORD_CHANNELS = _declare(
    "notify",
    "BUDDY_DISCORD_CHANNELS",
    _discord_ids,
    frozenset[int](),
    "the ids of the channels that the bot reads, besides direct messages",
    default_words="direct messages only",
    deployed_in=ENV,
)

# Reminders and events.

LANGUAGES = _declare(
    "remind",
    "BUDDY_LANGUAGES",
    _list,
    _ENGLISH,
    "the languages of reminders, the athlete's first, such as de,en",
    deployed_in=ENV,
)
CLAIM_S = _declare(
    "remind",
    "BUDDY_CLAIM_S",
    _seconds(1),
    300.0,  # the longest time of a post, with all its attempts and pauses
    "for how long a claim holds: a killed delivery is repeated after so many seconds",
)
CALENDAR_URL = _declare(
    "remind",
    "BUDDY_CALENDAR_URL",
    _text,
    "",
    "the address or path of an iCalendar feed",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="CALENDAR_URL",
)
EVENTS_SHEET_URL = _declare(
    "remind",
    "BUDDY_EVENTS_SHEET_URL",
    _text,
    "",
    "the address or path of a sheet as CSV, with the columns Title and Start Date",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="EVENTS_SHEET_URL",
)
EVENTS_EACH_DAY = _declare(
    "remind",
    "BUDDY_EVENTS_EACH_DAY",
    _switch,
    "false",
    "whether events of several days are announced on each of them: true or false",
    deployed_in=ENV,
)

# Kestra.

KESTRA_URL = _declare(
    "kestra", "BUDDY_KESTRA_URL", _text, "http://localhost:8080", "Kestra's address: https://, or http:// on loopback"
)
KESTRA_IN_CLEAR = _declare(
    "kestra",
    "BUDDY_KESTRA_IN_CLEAR",
    _switch,
    "false",
    "whether login and keys may go to Kestra over http://, as inside of a cluster: true or false",
)
KESTRA_USERNAME = _declare(
    "kestra",
    "BUDDY_KESTRA_USERNAME",
    _text,
    "",
    "the name of Kestra's login",
    deployed_in=ENV,
    deployed_as="KESTRA_USERNAME",
)
KESTRA_PASSWORD = _declare(
    "kestra",
    "BUDDY_KESTRA_PASSWORD",
    _text,
    "",
    "the password of Kestra's login",
    is_secret=True,
    deployed_in=ENV,
    deployed_as="KESTRA_PASSWORD",
)
KESTRA_MEAL_WEBHOOK_KEY = _declare(
    "kestra",
    "BUDDY_KESTRA_MEAL_WEBHOOK_KEY",
    _webhook_key,
    "",
    "the key of the webhook for meals, which the bot calls",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="MEAL_WEBHOOK_KEY",
    is_per_athlete=True,
)
KESTRA_ASK_WEBHOOK_KEY = _declare(
    "kestra",
    "BUDDY_KESTRA_ASK_WEBHOOK_KEY",
    _webhook_key,
    "",
    "the key of the webhook for questions, which the bot calls",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="ASK_WEBHOOK_KEY",
    is_per_athlete=True,
)
KESTRA_REMIND_WEBHOOK_KEY = _declare(
    "kestra",
    "BUDDY_KESTRA_REMIND_WEBHOOK_KEY",
    _webhook_key,
    "",
    "the key of the webhook for reminders, which the bot calls",
    is_secret=True,
    deployed_in=SECRETS,
    deployed_as="REMIND_WEBHOOK_KEY",
    is_per_athlete=True,
)
FLOWS_ENABLED = _declare(
    "kestra",
    "BUDDY_FLOWS_ENABLED",
    _list,
    _NOTHING,
    "the ids of flows whose disabled triggers are deployed enabled, commas between",
    deployed_in=ENV,
)

# Read by deploy/compose.yaml only.

TIMEZONE = _declare(
    "kestra", "BUDDY_TIMEZONE", _text, "", "the time zone of schedules, an IANA name; for compose", deployed_in=ENV
)
INBOX_HOST_DIR = _declare(
    "kestra",
    "BUDDY_INBOX_HOST_DIR",
    _text,
    "",
    "the folder of this machine for files from phones; for compose",
    default_words="a volume",
    deployed_in=ENV,
)
BIND_ADDRESS = _declare(
    "kestra",
    "BUDDY_BIND_ADDRESS",
    _text,
    "127.0.0.1",
    "the address of this machine where Kestra is reachable; for compose",
    deployed_in=ENV,
)
PORT = _declare("kestra", "BUDDY_PORT", _text, "8080", "Kestra's port; for compose", deployed_in=ENV)
PUBLIC_URL = _declare(
    "kestra",
    "BUDDY_PUBLIC_URL",
    _text,
    "http://localhost:8080/",
    "Kestra's address in links of messages; for compose",
    deployed_in=ENV,
)
GIT_URL = _declare(
    "kestra",
    "BUDDY_GIT_URL",
    _text,
    "",
    "the repository that the server is compared with; for compose",
    deployed_in=ENV,
)
GIT_BRANCH = _declare("kestra", "BUDDY_GIT_BRANCH", _text, "main", "its branch; for compose", deployed_in=ENV)
