"""The files of deploy/: read, checked against each other, and run as far as possible without Docker."""

from __future__ import annotations

import base64
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from support import HANGS_AFTER_S, REPOSITORY, run_dbt

from fitness_buddy.core import variables

DEPLOY = REPOSITORY / "deploy"
# What buddy-sh takes away from tasks: the only names that may hold a secret in the server's environment.
SECRET_PREFIXES = ("SECRET_", "KESTRA_", "DATASOURCES_", "MICRONAUT_")
PINNED = re.compile(r"[\w.-]+(/[\w.-]+)*:v?\d+(\.\d+)+")
SECRET_SETTINGS = ("POSTGRES_PASSWORD", "KESTRA_USERNAME", "KESTRA_PASSWORD")
# Flows that ask for them do without: Kestra would fail them where there is none.
OF_AN_ATHLETE = {"NOTIFY", "DISCORD_URL", "CALENDAR_URL", "EVENTS_SHEET_URL"} | {
    *("STRAVA_REFRESH_TOKEN", "GOOGLE_HEALTH_REFRESH_TOKEN")
}
DISPENSABLE = {"LLM_API_KEY", *OF_AN_ATHLETE}
KEYS = {f"{name}_WEBHOOK_KEY" for name in ("STEPS", "MEAL", "ASK", "REMIND")}
ENV = "POSTGRES_PASSWORD=pg-Secret-1\nKESTRA_USERNAME=ada@example.com\nKESTRA_PASSWORD=kestra-Secret-1\n"


def run(*words: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    completed = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, check=False, timeout=HANGS_AFTER_S, **options
    )
    assert not check or completed.returncode == 0, completed.stderr
    return completed


def settings_of(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


# --- encode_secrets -------------------------------------------------------------------------------------------------


def encode(
    folder: Path, secrets: str | bytes, env: str = ENV, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    (folder / ".env").write_text(env)
    (folder / "secrets.env").write_bytes(secrets.encode() if isinstance(secrets, str) else secrets)
    return run(DEPLOY / "encode_secrets", folder, check=check)


def decoded(folder: Path) -> dict[str, str]:
    """The secrets as Kestra would read them, its own login and the empty ones left out."""
    encoded = settings_of(folder / "secrets.encoded.env")
    assert {name for name, value in encoded.items() if not value} <= {f"SECRET_{name}" for name in DISPENSABLE}
    encoded = {name: value for name, value in encoded.items() if value}
    assert base64.b64decode(encoded.pop("SECRET_KESTRA_USERNAME")) == b"ada@example.com"
    assert base64.b64decode(encoded.pop("SECRET_KESTRA_PASSWORD")) == b"kestra-Secret-1"
    return {name.removeprefix("SECRET_"): base64.b64decode(value).decode() for name, value in encoded.items()}


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ("plain", "plain"),
        ("a=b==", "a=b=="),
        ("a#b # c", "a#b # c"),
        ('it\'s "so"', 'it\'s "so"'),
        ('"in quotes "', "in quotes "),
        ("' # = '", " # = "),
        ('"don\'t"', "don't"),
        ("'say \"hi\"'", 'say "hi"'),
        ("$HOME `id` $(id) \\n *", "$HOME `id` $(id) \\n *"),
        ("  spaces around  ", "spaces around"),
        ("windows\r", "windows"),
        ("Grüße 🚴", "Grüße 🚴"),
        ("x" * 3000, "x" * 3000),
        ("-n -e", "-n -e"),
    ],
)
def test_a_secret_keeps_its_value(tmp_path: Path, stated: str, value: str) -> None:
    said = encode(tmp_path, f"# a comment\n\n   \nSTRAVA_CLIENT_SECRET={stated}\nDISCORD_URL=last-line-without-end")
    assert decoded(tmp_path) == {"STRAVA_CLIENT_SECRET": value, "DISCORD_URL": "last-line-without-end"}
    assert "STRAVA_CLIENT_SECRET DISCORD_URL" in said.stdout
    assert value not in said.stdout + said.stderr


@pytest.mark.parametrize("stated", ["", '""', "''", "   "])
def test_an_empty_secret_is_not_set(tmp_path: Path, stated: str) -> None:
    encode(tmp_path, f"STEPS_WEBHOOK_KEY={stated}\n")
    assert decoded(tmp_path) == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("hunter2", "expected NAME=value"),
        ("export STEPS_WEBHOOK_KEY=hunter2", "expected NAME=value"),
        ("STEPS_WEBHOOK_KEY = hunter2", "expected NAME=value"),
        ("webhook_key=hunter2", "expected NAME=value"),
        ("WEBHOOK-KEY=hunter2", "expected NAME=value"),
        ("1KEY=hunter2", "expected NAME=value"),
        ("=hunter2", "expected NAME=value"),
        ("  STEPS_WEBHOOK_KEY=hunter2", "expected NAME=value"),
        ('STEPS_WEBHOOK_KEY="hunter2', "STEPS_WEBHOOK_KEY: a quote without its end"),
        ("STEPS_WEBHOOK_KEY='hunter2\"", "STEPS_WEBHOOK_KEY: a quote without its end"),
        ('STEPS_WEBHOOK_KEY="', "STEPS_WEBHOOK_KEY: a quote without its end"),
        ("DISCORD_URL=hunter2", "DISCORD_URL is stated before"),
        ("KESTRA_PASSWORD=hunter2", "KESTRA_PASSWORD is stated before, there or in .env"),
    ],
)
def test_a_malformed_line_is_refused_by_its_number_and_nothing_is_written(
    tmp_path: Path, line: str, problem: str
) -> None:
    refused = encode(tmp_path, f"# first\nDISCORD_URL=x\n{line}\nGIT_TOKEN=y\n", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"encode_secrets: secrets.env, line 3: {problem}")
    assert "hunter2" not in refused.stdout + refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "secrets.env"]


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        (ENV.replace("kestra-Secret-1", "kestra-Secret-$1"), "KESTRA_PASSWORD: expected letters, digits"),
        (ENV.replace("kestra-Secret-1", ""), "KESTRA_PASSWORD: expected letters, digits"),
        (ENV.replace("kestra-Secret-1", "Short1"), "KESTRA_PASSWORD: expected 8 characters or more"),
        (ENV.replace("kestra-Secret-1", "kestra-secret-1"), "KESTRA_PASSWORD: expected 8 characters or more"),
        (ENV.replace("pg-Secret-1", "pg'Secret"), "POSTGRES_PASSWORD: expected letters, digits"),
        (ENV.replace("KESTRA_USERNAME=ada@example.com\n", ""), "KESTRA_USERNAME: expected letters, digits"),
        (ENV + "KESTRA_PASSWORD=kestra-Secret-2\n", "KESTRA_PASSWORD: expected letters, digits"),
    ],
)
def test_a_login_that_kestra_or_compose_would_not_take_is_refused(tmp_path: Path, env: str, problem: str) -> None:
    refused = encode(tmp_path, "", env, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"encode_secrets: .env: {problem}")
    assert "ecret-" not in refused.stderr


def test_encoding_again_changes_nothing_and_only_its_user_reads_it(tmp_path: Path) -> None:
    first = encode(tmp_path, "STEPS_WEBHOOK_KEY=a\n")
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    (tmp_path / "secrets.encoded.env").chmod(0o644)
    before = (tmp_path / "secrets.encoded.env").stat()
    again = run(DEPLOY / "encode_secrets", tmp_path)
    after = (tmp_path / "secrets.encoded.env").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600
    assert again.stdout == first.stdout
    encode(tmp_path, "STEPS_WEBHOOK_KEY=b\n")
    assert decoded(tmp_path) == {"STEPS_WEBHOOK_KEY": "b"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".env", "bot.env"),
        *("secrets.encoded.env", "secrets.env"),
    ]


def test_a_name_that_no_flow_asks_for_is_noted(tmp_path: Path) -> None:
    said = encode(tmp_path, "STRAVA_CLIENT_IDD=hunter2\nGIT_TOKEN=x\n")
    assert said.stderr == "Note: secrets.env, line 1: no flow of this project asks for STRAVA_CLIENT_IDD.\n"
    assert decoded(tmp_path) == {"STRAVA_CLIENT_IDD": "hunter2", "GIT_TOKEN": "x"}


def test_a_secret_that_flows_can_do_without_is_there_and_empty(tmp_path: Path) -> None:
    encode(tmp_path, "LLM_API_KEY=sk-1\nCALENDAR_URL=\n")
    encoded = settings_of(tmp_path / "secrets.encoded.env")
    assert {name: encoded[f"SECRET_{name}"] for name in DISPENSABLE} == {
        **dict.fromkeys(DISPENSABLE, ""),
        "LLM_API_KEY": "c2stMQ==",
    }


def test_the_bot_gets_its_token_and_the_webhooks_key_and_the_server_no_token(tmp_path: Path) -> None:
    keys = "".join(f"{name}_WEBHOOK_KEY=key-{name}\n" for name in ("STEPS", "MEAL", "ASK", "REMIND"))
    encode(tmp_path, f"DISCORD_BOT_TOKEN=MTk4.Cl2.Zn-_n\n{keys}GIT_TOKEN=x\n")
    assert settings_of(tmp_path / "bot.env") == {
        "BUDDY_DISCORD_BOT_TOKEN": "MTk4.Cl2.Zn-_n",
        **{f"BUDDY_KESTRA_{name}_WEBHOOK_KEY": f"key-{name}" for name in ("MEAL", "ASK", "REMIND")},
    }
    assert (tmp_path / "bot.env").stat().st_mode & 0o777 == 0o600
    assert decoded(tmp_path).keys() == {"GIT_TOKEN", *(line.partition("=")[0] for line in keys.split())}


def test_the_one_key_of_all_webhooks_is_refused_with_what_to_do(tmp_path: Path) -> None:
    refused = encode(tmp_path, "WEBHOOK_KEY=planted-1\n", check=False)
    assert refused.returncode == 1
    assert "one key for each webhook" in refused.stderr
    assert "planted" not in refused.stderr


@pytest.mark.parametrize("name", ["DISCORD_BOT_TOKEN", "STEPS_WEBHOOK_KEY"])
def test_what_is_part_of_addresses_is_plain(tmp_path: Path, name: str) -> None:
    refused = encode(tmp_path, f"{name}=planted/../key\n", check=False)
    assert refused.returncode == 1
    assert f"secrets.env, line 1: {name}: expected letters" in refused.stderr
    assert "planted" not in refused.stderr
    assert not (tmp_path / "bot.env").exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    refused = run(DEPLOY / "encode_secrets", tmp_path, check=False)
    assert refused.returncode == 1
    assert "secrets.env: not found" in refused.stderr


# --- settings -------------------------------------------------------------------------------------------------------


def test_first_use_makes_settings_with_passwords_that_hold_and_later_uses_leave_them(tmp_path: Path) -> None:
    said = run(DEPLOY / "make_settings", tmp_path).stdout
    assert str(tmp_path / ".env") in said
    env, secrets = settings_of(tmp_path / ".env"), settings_of(tmp_path / "secrets.env")
    assert env.keys() == settings_of(DEPLOY / "env.example").keys()
    keys = {value for name, value in secrets.items() if name.endswith("_WEBHOOK_KEY")}
    passwords = {env["KESTRA_PASSWORD"], env["POSTGRES_PASSWORD"], *keys}
    assert len(passwords) == 2 + 4
    assert all(re.fullmatch(r"[A-Za-z0-9]{32}", password) for password in passwords)
    assert env["BUDDY_TIMEZONE"]
    assert not any(password in said for password in passwords)
    run(DEPLOY / "encode_secrets", tmp_path)
    stated = {path: path.read_text() for path in tmp_path.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in stated} == {0o600}
    assert run(DEPLOY / "make_settings", tmp_path).stdout == ""
    assert {path: path.read_text() for path in tmp_path.iterdir()} == stated


def test_git_sees_no_setting_and_the_examples_hold_no_secret() -> None:
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {".env", "/deploy/secrets.env", "/deploy/secrets.encoded.env", "/deploy/bot.env"} <= set(ignored)
    assert set(settings_of(DEPLOY / "secrets.env.example").values()) == {""}
    example = settings_of(DEPLOY / "env.example")
    assert example["KESTRA_PASSWORD"] == example["POSTGRES_PASSWORD"] == ""


def test_flows_ask_for_no_secret_and_no_setting_that_is_not_handed_in() -> None:
    flows = "\n".join(path.read_text() for path in sorted((REPOSITORY / "flows").rglob("*.yaml")))
    handed_in = {"KESTRA_USERNAME", "KESTRA_PASSWORD", *settings_of(DEPLOY / "secrets.env.example")}
    assert set(re.findall(r"\bsecret\(\s*['\"](\w+)['\"]", flows)) <= handed_in
    environment = {name.removeprefix("ENV_").lower() for name in server_environment({})}
    assert set(re.findall(r"\benvs\.(\w+)", flows)) <= environment
    # And of an athlete's secrets, for those of the athlete of the execution.
    of_the_athlete = set(re.findall(r"\bsecret\(['\"](\w+)['\"] ~ render\(vars\.suffix\)\)", flows))
    assert of_the_athlete == OF_AN_ATHLETE
    assert not set(re.findall(r"\bsecret\(['\"](\w+)['\"]\)", flows)) & OF_AN_ATHLETE


ATHLETES = "BUDDY_ATHLETE=ada\nBUDDY_ATHLETES=ada=Europe/Berlin,ben.x=America/New_York,\n"


def test_a_further_athlete_gets_secrets_of_their_own_with_keys_of_their_own(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ENV + ATHLETES)
    run(DEPLOY / "make_settings", tmp_path)
    stated = settings_of(tmp_path / "secrets.env")
    own = {name: value for name, value in stated.items() if not name.endswith("_BEN_X")}
    further = {name.removesuffix("_BEN_X"): value for name, value in stated.items() if name not in own}
    assert own.keys() == settings_of(DEPLOY / "secrets.env.example").keys()
    assert further.keys() == OF_AN_ATHLETE | KEYS
    assert len({stated[name] for name in stated if "_WEBHOOK_KEY" in name}) == 8
    made = (tmp_path / "secrets.env").read_text()
    assert run(DEPLOY / "make_settings", tmp_path).stdout == ""
    assert (tmp_path / "secrets.env").read_text() == made
    encoded = run(DEPLOY / "encode_secrets", tmp_path)
    assert encoded.stderr == ""
    secrets = settings_of(tmp_path / "secrets.encoded.env")
    assert {f"SECRET_{name}_BEN_X" for name in OF_AN_ATHLETE | KEYS} <= secrets.keys()
    bot = settings_of(tmp_path / "bot.env")
    assert {bot[f"BUDDY_KESTRA_{name}_WEBHOOK_KEY_BEN_X"] for name in ("MEAL", "ASK", "REMIND")} == {
        further[f"{name}_WEBHOOK_KEY"] for name in ("MEAL", "ASK", "REMIND")
    }


TOKEN = "STRAVA_REFRESH_TOKEN"


def keys(suffix: str, **other: str) -> str:
    return "".join(f"{name}{suffix}={other.get(name, f'key-{name}{suffix}')}\n" for name in sorted(KEYS))


@pytest.mark.parametrize(
    ("athletes", "secrets", "problem"),
    [
        (ATHLETES, keys(""), "ASK_WEBHOOK_KEY_BEN_X is missing|STEPS_WEBHOOK_KEY_BEN_X is missing"),
        (
            ATHLETES,
            keys("") + keys("_BEN_X", MEAL_WEBHOOK_KEY="key-MEAL_WEBHOOK_KEY"),
            "another athlete has the same one",
        ),
        (ATHLETES, f"{TOKEN}=login-1\n{TOKEN}_BEN_X=login-1\n", f"{TOKEN}_BEN_X: another athlete has the same one"),
        (ATHLETES, keys("") + keys("_BEN_X", ASK_WEBHOOK_KEY="a/b"), "ASK_WEBHOOK_KEY_BEN_X: expected letters"),
        (ATHLETES.replace("ada=", "bob="), "", r"does not list BUDDY_ATHLETE \(ada\)"),
        (ATHLETES.replace("ben.x=America/New_York", "ben"), "", "expected ATHLETE=ZONE, commas between, found ben"),
        (ATHLETES.replace("ben.x", "ADA"), "", "the secrets of two athletes would have the same names"),
    ],
    ids=[
        "no key",
        "one key for two",
        "one login for two",
        "a key that is no word",
        "the own one left out",
        "no zone",
        "same names",
    ],
)
def test_athletes_who_could_write_for_each_other_are_refused(
    tmp_path: Path, athletes: str, secrets: str, problem: str
) -> None:
    refused = encode(tmp_path, secrets, ENV + athletes, check=False)
    assert refused.returncode == 1
    assert re.search(problem, refused.stderr)
    assert not (tmp_path / "secrets.encoded.env").exists()


# --- compose.yaml ---------------------------------------------------------------------------------------------------

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolated(text: str, settings: Mapping[str, str]) -> str:
    """As docker compose does it, for the two forms that the file uses."""

    def value(found: re.Match[str]) -> str:
        name, kind, words = found.groups()
        if settings.get(name):
            return settings[name]
        assert kind == "-", f"{name}: {words}"
        return str(words)

    return VARIABLE.sub(value, text)


def server_environment(settings: Mapping[str, str]) -> dict[str, str]:
    settings = {"BUDDY_TIMEZONE": "Europe/Berlin", **dict.fromkeys(SECRET_SETTINGS, "x"), **settings}
    stated = COMPOSE["services"]["kestra"]["environment"]
    return {name: interpolated(value, settings) for name, value in stated.items()}


def test_every_variable_is_in_the_example_and_what_has_no_default_is_required() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    used = {name: kind for name, kind, _ in VARIABLE.findall(text)}
    assert {*used, "COMPOSE_PROJECT_NAME"} == settings_of(DEPLOY / "env.example").keys()
    assert {name for name, kind in used.items() if kind == "?"} == {*SECRET_SETTINGS, "BUDDY_TIMEZONE"}
    assert "" not in used.values()
    assert text.replace("${", "").count("$") == 0


def test_images_are_pinned_or_built_here() -> None:
    services = COMPOSE["services"]
    assert services["kestra"]["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    assert services["flows"]["image"] == services["kestra"]["image"]
    image, _, digest = services["postgres"]["image"].partition("@")
    assert PINNED.fullmatch(image)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_services_come_back_and_wait_for_one_another() -> None:
    services = COMPOSE["services"]
    for name, needs in (("kestra", "postgres"), ("flows", "kestra"), ("bot", "kestra")):
        assert services[name]["depends_on"] == {needs: {"condition": "service_healthy"}}
        assert services[needs]["healthcheck"]["test"]
        assert services[needs]["restart"] == "unless-stopped"
    assert "http://localhost:8081/health" in services["kestra"]["healthcheck"]["test"]
    assert "restart" not in services["flows"]
    assert services["kestra"]["stop_grace_period"] == "6m"


def test_the_bot_runs_beside_the_server_and_knows_no_more_than_it_needs() -> None:
    bot = COMPOSE["services"]["bot"]
    assert (bot["image"], bot["restart"]) == (COMPOSE["services"]["kestra"]["image"], "unless-stopped")
    assert bot["network_mode"] == "service:kestra"
    assert (bot["env_file"], bot["profiles"], bot["entrypoint"]) == (["bot.env"], ["bot"], ["buddy", "bot"])
    assert bot["environment"].keys() == {
        *("BUDDY_ATHLETE", "BUDDY_ATHLETES", "BUDDY_DISCORD_USERS", "BUDDY_DISCORD_CHANNELS")
    }


def test_what_must_last_is_in_volumes() -> None:
    mounts = {
        interpolated(place, {}) for service in COMPOSE["services"].values() for place in service.get("volumes", [])
    }
    assert mounts == {"postgres:/var/lib/postgresql", "storage:/app/storage", "data:/data", "inbox:/data/inbox"}
    assert COMPOSE["volumes"].keys() == {"postgres", "storage", "data", "inbox"}


def test_nothing_is_reached_from_elsewhere_unless_somebody_says_so() -> None:
    ports = {
        name: [interpolated(port, {}) for port in service["ports"]]
        for name, service in COMPOSE["services"].items()
        if "ports" in service
    }
    assert ports == {"kestra": ["127.0.0.1:8080:8080"]}
    example = settings_of(DEPLOY / "env.example")
    assert (example["BUDDY_BIND_ADDRESS"], example["BUDDY_PORT"]) == ("127.0.0.1", "8080")


def test_the_server_keeps_all_in_postgresql_and_sends_no_telemetry() -> None:
    configuration = yaml.safe_load(server_environment({})["KESTRA_CONFIGURATION"])
    kestra = configuration["kestra"]
    assert (kestra["repository"]["type"], kestra["queue"]["type"], kestra["storage"]["type"]) == (
        *("postgres", "postgres"),
        "local",
    )
    assert kestra["storage"]["local"]["base-path"] == "/app/storage"
    assert configuration["datasources"]["postgres"]["url"] == "jdbc:postgresql://postgres:5432/kestra"
    for off in ("tutorial-flows", "anonymous-usage-report", "ui-anonymous-usage-report"):
        assert kestra[off] == {"enabled": False}


def test_schedules_run_in_the_athletes_time_zone() -> None:
    environment = server_environment({"BUDDY_TIMEZONE": "Asia/Kolkata"})
    assert environment["TZ"] == "Asia/Kolkata"
    assert "-Duser.timezone=Asia/Kolkata" in environment["JAVA_OPTS"]


def test_no_task_inherits_a_secret(tmp_path: Path) -> None:
    planted = {name: f"planted-{number}-Aa1" for number, name in enumerate(SECRET_SETTINGS)}
    environment = server_environment(planted)
    secret = {name for name, value in environment.items() if any(plant in value for plant in planted.values())}
    assert len(secret) == len(SECRET_SETTINGS)
    assert all(name.startswith(SECRET_PREFIXES) for name in secret)
    # Whatever its content, what comes from the file of secrets has such a name, and buddy-sh takes it away.
    assert COMPOSE["services"]["kestra"]["env_file"] == ["secrets.encoded.env"]
    encode(
        tmp_path,
        "STEPS_WEBHOOK_KEY=planted-9\nGIT_TOKEN=planted-10\n",
        "".join(f"{n}={v}\n" for n, v in planted.items()),
    )
    encoded = settings_of(tmp_path / "secrets.encoded.env")
    assert all(name.startswith("SECRET_") for name in encoded)
    seen = run(DEPLOY / "buddy-sh", "-c", "env", env={"PATH": "/usr/bin:/bin", **environment, **encoded}).stdout
    assert "BUDDY_TARGET=duckdb" in seen
    assert "planted" not in seen
    assert not any(value in seen for value in encoded.values() if value)


@pytest.fixture
def deploy_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy"
    shutil.copytree(
        DEPLOY, folder, ignore=shutil.ignore_patterns(".env", "secrets.env", "secrets.encoded.env", "bot.env")
    )
    return folder


@pytest.mark.slow
def test_docker_compose_takes_the_file(deploy_copy: Path) -> None:
    if run(deploy_copy / "compose", "version", check=False).returncode:
        pytest.skip("no docker compose here (scripts/ensure_compose gets one where it can)")
    run(deploy_copy / "make_settings")
    run(deploy_copy / "encode_secrets")
    config = yaml.safe_load(run(deploy_copy / "compose", "config").stdout)
    kestra = config["services"]["kestra"]
    assert kestra["environment"].keys() >= {"SECRET_STEPS_WEBHOOK_KEY", "KESTRA_CONFIGURATION", "BUDDY_TARGET"}
    assert "127.0.0.1" in str(kestra["ports"])
    (deploy_copy / ".env").write_text("BUDDY_TIMEZONE=UTC\n")
    refused = run(deploy_copy / "compose", "config", check=False)
    assert refused.returncode != 0
    assert "set it in deploy/.env" in refused.stderr


def test_without_docker_compose_the_message_is_clear(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    refused = run(str(shutil.which("make")), "up", cwd=REPOSITORY, env={"PATH": str(tmp_path)}, check=False)
    assert refused.returncode != 0
    assert "needs Docker with docker compose on the PATH" in refused.stderr
    assert "Made" not in refused.stdout


# --- Dockerfile -----------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def copied() -> list[tuple[str, str]]:
    """Source and destination of what is copied from the checkout, each source on its own."""
    pairs = []
    for kind, words in instructions():
        if kind == "COPY" and not words.startswith("--from="):
            *sources, destination = words.split()
            pairs += [(source, destination) for source in sources]
    return pairs


def is_ignored(path: str) -> bool:
    """As .dockerignore is read: the last pattern that matches the path or a folder above it decides."""
    places = [path, *map(str, PurePosixPath(path).parents)]
    ignored = False
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        names = [place.rpartition("/")[2] for place in places] if "**/" in line else places
        if line and not line.startswith("#") and any(fnmatch.fnmatchcase(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


def test_the_image_is_pinned_and_its_shell_lines_are_shell() -> None:
    stages = [words for kind, words in instructions() if kind == "FROM"]
    assert re.fullmatch(r"kestra/kestra:v2\.0\.\d+@sha256:[0-9a-f]{64} AS packages", stages[0])
    assert stages[1:] == ["packages AS wheel", "packages"]
    assert {kind for kind, _ in instructions()} == {"FROM", "ARG", "USER", "RUN", "COPY", "WORKDIR", "ENV"}
    for kind, words in instructions():
        if kind == "RUN":
            run("sh", "-n", "-c", words)


def test_packages_are_those_of_the_lock_file() -> None:
    installs = [words for kind, words in instructions() if kind == "RUN" and "pip install" in words]
    assert len(installs) == 2
    assert "--require-hashes -r /tmp/requirements.lock" in installs[0]
    assert "--no-deps --no-index /wheels/*.whl" in installs[1]


def test_tasks_do_not_run_as_root_and_what_changes_is_in_the_volumes() -> None:
    assert [words for kind, words in instructions() if kind == "USER"][-1] == "kestra"
    (line,) = [words for kind, words in instructions() if kind == "ENV"]
    environment = dict(word.split("=", 1) for word in shlex.split(line))
    assert environment.pop("PATH") == "/opt/buddy/bin:$PATH"
    # The dbt project in the wheel; test_wheel.py has what is in it.
    assert environment.pop("BUDDY_PROJECT_DIR") == "/opt/buddy/lib/python$PYTHON/site-packages/fitness_buddy/project"
    assert {name.partition("_")[0] for name in environment} == {"BUDDY", "DBT"}
    assert all(f"{place}/".startswith("/data/") for place in environment.values())
    # None of them is said twice: compose would take the last word.
    assert not environment.keys() & server_environment({}).keys()


def test_the_builder_gets_what_is_copied_and_no_secret() -> None:
    for source, _ in copied():
        assert (REPOSITORY / source).exists(), source
        assert not is_ignored(source), source
    for path in (
        *(".git/config", ".venv/bin/python", "data/buddy.duckdb", "target/manifest.json", "tests/support/support.py"),
        *("deploy/.env", "deploy/secrets.env", "deploy/secrets.encoded.env", "deploy/bot.env", "profiles/.user.yml"),
        "src/fitness_buddy/__pycache__/bot.pyc",
    ):
        assert is_ignored(path), path


@pytest.mark.slow
def test_what_is_copied_is_a_whole_project(tmp_path: Path) -> None:
    app = tmp_path / "app"
    for source, destination in copied():
        if destination.startswith("/"):
            continue
        target = app / source if destination == "./" else app / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(
                REPOSITORY / source,
                target,
                ignore=lambda folder, names: [
                    name for name in names if is_ignored(str((Path(folder) / name).relative_to(REPOSITORY)))
                ],
            )
        else:
            shutil.copy(REPOSITORY / source, target)
    parsed = run_dbt("parse", project=app)
    assert parsed.exit_code == 0, parsed.output
    # What the wheel is made of: the code, and what pyproject.toml names.
    assert (app / "src/fitness_buddy/report/templates/report.html.j2").is_file()
    for name in re.findall(r'^"(deploy/[^"]+)" = ', (app / "pyproject.toml").read_text(), re.MULTILINE):
        assert (app / name).is_file()


# --- helm/values.yaml -----------------------------------------------------------------------------------------------

VALUES: dict[str, Any] = yaml.safe_load((DEPLOY / "helm/values.yaml").read_text())


def manifest(kind: str) -> dict[str, Any]:
    """The only one of its kind beside the chart's own."""
    (found,) = (one for one in VALUES["extraManifests"] if one["kind"] == kind)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("kind", "command"), [("Job", "flows deploy"), ("Deployment", "bot")])
def test_kubernetes_loads_the_flows_and_runs_the_bot_as_compose_does(kind: str, command: str) -> None:
    pod = manifest(kind)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["buddy", *command.split()]
    assert container["image"] == "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    # With as few rights as the server.
    assert container["securityContext"] == VALUES["common"]["securityContext"]
    assert VALUES["common"]["podSecurityContext"].items() >= pod["securityContext"].items()
    assert pod["automountServiceAccountToken"] is False
    stated = {setting["name"]: setting for setting in container["env"]}
    names = set(stated) | set(COMPOSE["services"]["bot" if kind == "Deployment" else "flows"]["environment"])
    assert names == set(stated)
    for name in ("BUDDY_KESTRA_USERNAME", "BUDDY_KESTRA_PASSWORD") if kind == "Job" else ():
        assert "value" not in stated[name]
        assert stated[name]["valueFrom"]["secretKeyRef"]["name"] == "buddy-kestra"
    if kind == "Deployment":
        assert container["envFrom"] == [{"secretRef": {"name": "buddy-bot"}}]
    else:
        assert manifest(kind)["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    # Each name is one that buddy reads.
    assert {name for name in stated if name not in variables.VARIABLES} == set()


def test_javas_heap_leaves_memory_for_tasks() -> None:
    for options in (VALUES["common"]["jvm"]["extraOpts"], server_environment({})["JAVA_OPTS"]):
        assert "-XX:MaxRAMPercentage=25" in options.split()


def test_kubernetes_runs_the_same_server() -> None:
    on_kubernetes = VALUES["configurations"]["application"]
    with_compose = yaml.safe_load(server_environment({})["KESTRA_CONFIGURATION"])
    assert on_kubernetes["kestra"]["storage"]["local"]["base-path"].startswith("/data/")
    for configuration in (on_kubernetes, with_compose):
        configuration["kestra"]["storage"]["local"].pop("base-path")
        configuration["datasources"]["postgres"].pop("url")
    assert on_kubernetes == with_compose
    settings = {setting["name"] for setting in VALUES["common"]["extraEnv"]}
    assert settings <= server_environment({}).keys()
    assert {name for name in server_environment({}) if name.startswith("ENV_")} <= settings


def test_kubernetes_gets_its_secrets_from_secrets() -> None:
    references = [source["secretRef"]["name"] for source in VALUES["common"]["extraEnvFrom"]]
    assert references == ["buddy-kestra", "buddy-secrets"]
    for setting in VALUES["common"]["extraEnv"]:
        assert not setting["name"].startswith(SECRET_PREFIXES)
        assert not re.search("PASSWORD|SECRET|TOKEN|KEY", setting["name"])
    # Beside the names that the job of the flows has them from.
    names = re.compile(r"BUDDY_KESTRA_PASSWORD|KESTRA_SERVER_BASIC_AUTH_PASSWORD")
    assert "password" not in names.sub("", yaml.safe_dump(VALUES)).lower()


def test_kubernetes_runs_one_pinned_server_without_rights_and_without_docker() -> None:
    assert PINNED.fullmatch(f"{VALUES['image']['repository']}:{VALUES['image']['tag']}")
    common = VALUES["common"]
    assert (common["replicas"], common["strategy"]) == (1, {"type": "Recreate"})
    assert common["podSecurityContext"]["runAsNonRoot"] is True
    assert common["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert VALUES["dind"] == {"enabled": False}
    assert VALUES["serviceAccount"]["automount"] is False
    volume = manifest("PersistentVolumeClaim")
    assert common["extraVolumes"][0]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]


@pytest.mark.parametrize("service", ["postgres", "kestra", "flows", "bot"])
def test_services_of_compose_have_no_more_rights_than_they_need(service: str) -> None:
    stated = COMPOSE["services"][service]
    assert stated["cap_drop"] == ["ALL"]
    assert stated["security_opt"] == ["no-new-privileges:true"]
    assert ("cap_add" in stated) == (service == "postgres")


@pytest.mark.parametrize(
    ("configured", "host", "gets_token"),
    [
        ("https://git.example/me/buddy", "git.example", True),
        ("https://git.example/me/buddy", "evil.example", False),
        ("https://git.example/me/buddy", "git.example.evil.example", False),
        ("", "git.example", False),
        ("file:///srv/buddy", "git.example", False),
    ],
)
def test_the_token_of_git_goes_to_the_configured_host_only(
    tmp_path: Path, configured: str, host: str, gets_token: bool
) -> None:
    """Git asks as for a clone of `sync_from_git`, whatever address was typed in."""
    flow = yaml.safe_load((REPOSITORY / "flows/ops/sync_from_git.yaml").read_text())
    options, _, _ = flow["tasks"][0]["commands"][0].partition(" clone ")
    asked = subprocess.run(
        ["/bin/sh", "-c", f"{options} credential fill"],
        input=f"protocol=https\nhost={host}\n\n",
        env={"PATH": os.environ["PATH"], "CONFIGURED": configured, "GIT_TOKEN": "planted-1", "GIT_TERMINAL_PROMPT": "0"}
        | {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("planted-1" in asked.stdout) == gets_token
