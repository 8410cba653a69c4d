"""BigQuery by environment: which credentials, which limits, and a clear word where something is not as it should be."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import credentials as google_credentials
from google.auth import impersonated_credentials
from google.oauth2 import service_account
from support import REPOSITORY, run_buddy, serving

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import load_settings
from fitness_buddy.warehouse import connect
from fitness_buddy.warehouse.bigquery.warehouse import credentials_of, make_client

# Nobody waits for the network; a command on a busy machine takes its time to start, against ten minutes of trying.
LIMIT_S = 5.0
COMMAND_LIMIT_S = 60.0
ACCOUNT = "loader@fitness-buddy.iam.gserviceaccount.com"


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_TARGET", "bigquery")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="module")
def key_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*formats).decode()


@pytest.fixture
def key_file(tmp_path: Path, key_pem: str) -> Path:
    """As Google makes it, of an account that does not exist."""
    path = tmp_path / "key.json"
    content = {
        "type": "service_account",
        "project_id": "fitness-buddy",
        "private_key_id": "0",
        "private_key": key_pem,
        "client_email": ACCOUNT,
        "client_id": "0",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    path.write_text(json.dumps(content))
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# The profile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"method": "oauth", "api_endpoint": "", "impersonate_service_account": ""}),
        ({"KEYFILE": "key.json"}, {"method": "service-account", "keyfile": "key.json", "api_endpoint": ""}),
        ({"IMPERSONATE": ACCOUNT}, {"method": "oauth", "impersonate_service_account": ACCOUNT}),
        (
            {"KEYFILE": "k", "IMPERSONATE": ACCOUNT},
            {"method": "service-account", "impersonate_service_account": ACCOUNT},
        ),
        (
            {"ENDPOINT": "http://127.0.0.1:1", "KEYFILE": "k", "IMPERSONATE": ACCOUNT},
            {"method": "oauth-secrets", "token": "none", "impersonate_service_account": "", "job_retries": 0},
        ),
        ({}, {"project": "fitness-buddy", "location": "EU", "maximum_bytes_billed": 0, "job_retries": 1}),
        ({"PROJECT": "", "LOCATION": "", "MAXIMUM_BYTES_BILLED": ""}, {"project": "fitness-buddy", "location": "EU"}),
        (
            {"PROJECT": "mine", "LOCATION": "US", "MAXIMUM_BYTES_BILLED": "1000000000"},
            {"project": "mine", "location": "US", "maximum_bytes_billed": 1_000_000_000},
        ),
    ],
)
def test_the_environment_chooses_the_way_in(
    environment: dict[str, str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"BUDDY_BIGQUERY_{name}", value)
    profile = load_settings().profile
    assert {name: profile[name] for name in expected} == expected


def test_a_developer_s_prefix_begins_the_names_of_marts_on_bigquery_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().marts_schema == "marts"
    monkeypatch.setenv("BUDDY_SCHEMA_PREFIX", "ada_")
    assert load_settings().marts_schema == "ada_marts"


@pytest.mark.parametrize("stated", ["1e9", "-1", "1 GB"])
def test_a_limit_that_is_no_number_is_refused(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED", stated)
    with pytest.raises(UsageError, match=r"expected a whole number, found .*MAXIMUM_BYTES_BILLED"):
        load_settings()


def test_labels_are_read_by_bigquery_s_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().labels == {}
    monkeypatch.setenv("BUDDY_BIGQUERY_LABELS", "team=health, cost-center=a_1,empty=,")
    assert load_settings().labels == {"team": "health", "cost-center": "a_1", "empty": ""}


@pytest.mark.parametrize(
    "stated",
    [
        "team",
        "Team=x",
        "team=Health",
        "1team=x",
        "=x",
        "team=a b",
        "team=a=b",
        f"{'k' * 64}=x",
        f"k={'v' * 64}",
        "a=1,a=2",
    ],
)
def test_labels_that_bigquery_would_refuse_are_refused_before_any_job(
    stated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_LABELS", stated)
    with pytest.raises(UsageError, match="BUDDY_BIGQUERY_LABELS: expected key=value"):
        load_settings()


# Credentials ------------------------------------------------------------------------------------------------------


def test_a_key_file_s_account_is_used(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_KEYFILE", str(key_file))
    found = credentials_of(load_settings())
    assert isinstance(found, service_account.Credentials)
    assert found.service_account_email == ACCOUNT


def test_a_relative_key_file_starts_at_the_project_as_for_dbt(
    key_file: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file.rename(project / "key.json")
    monkeypatch.setenv("BUDDY_BIGQUERY_KEYFILE", "key.json")
    assert isinstance(credentials_of(load_settings()), service_account.Credentials)


def test_application_default_credentials_are_used_where_nothing_is_stated(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    found = credentials_of(load_settings())
    assert isinstance(found, service_account.Credentials)


@pytest.mark.parametrize("variable", ["BUDDY_BIGQUERY_KEYFILE", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_another_account_is_impersonated_from_either(
    variable: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(key_file))
    monkeypatch.setenv("BUDDY_BIGQUERY_IMPERSONATE", "reader@fitness-buddy.iam.gserviceaccount.com")
    found = credentials_of(load_settings())
    assert isinstance(found, impersonated_credentials.Credentials)
    assert found.service_account_email == "reader@fitness-buddy.iam.gserviceaccount.com"


def test_an_emulator_is_given_no_credentials(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_KEYFILE", str(key_file))
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", "http://127.0.0.1:1")
    assert isinstance(credentials_of(load_settings()), google_credentials.AnonymousCredentials)


def test_without_credentials_the_command_says_how_to_get_some() -> None:
    answer = run_buddy("status")
    assert (answer.exit_code, answer.output) == (1, "")
    (line,) = answer.errors.splitlines()
    assert line.startswith("Error: no Google credentials")
    assert "gcloud auth application-default login" in line
    assert "BUDDY_BIGQUERY_KEYFILE" in line


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_KEYFILE", str(tmp_path / "nothing.json"))
    with pytest.raises(UsageError, match=r"nothing\.json: the key file cannot be read \(No such file or directory\)"):
        credentials_of(load_settings())


@pytest.mark.parametrize("damage", ["cut off", "no JSON", "another JSON", "no key in it"])
def test_a_damaged_key_file_is_refused_and_not_quoted(
    damage: str, key_file: Path, key_pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(key_file.read_text())
    texts = {
        "cut off": key_file.read_text()[:600],
        "no JSON": key_pem,
        "another JSON": '{"installed": {"client_secret": "very-secret"}}',
        "no key in it": json.dumps(whole | {"private_key": "very-secret"}),
    }
    key_file.write_text(texts[damage])
    monkeypatch.setenv("BUDDY_BIGQUERY_KEYFILE", str(key_file))
    with pytest.raises(UsageError) as refused:
        credentials_of(load_settings())
    assert str(refused.value) == f"{key_file}: expected a service account's key file as Google makes it (JSON)"
    assert refused.value.__suppress_context__


# Nobody there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["status"], ["build"], ["ingest", "meals", "tests/fixtures/meals/diary.ok.csv"]])
def test_a_dead_endpoint_is_reported_within_seconds(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    endpoint = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", endpoint)
    started = time.monotonic()
    answer = run_buddy(*command)
    assert time.monotonic() - started < COMMAND_LIMIT_S
    assert (answer.exit_code, answer.output) == (1, "")
    assert answer.errors == (
        f"Error: nothing answers at {endpoint} (Connection refused): start the emulator, "
        "or unset BUDDY_BIGQUERY_ENDPOINT\n"
    )


def test_an_endpoint_that_never_answers_is_reported_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        # A full queue: further connections get no answer at all, as behind a firewall.
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", f"http://127.0.0.1:{address[1]}")
        started = time.monotonic()
        with pytest.raises(BuddyError, match=r"nothing answers at .* \(timed out\)"):
            make_client(load_settings())
        assert time.monotonic() - started < LIMIT_S
        for client in waiting:
            client.close()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9050", "localhost", "http://127.0.0.1:port", "ftp://127.0.0.1"])
def test_an_endpoint_that_is_no_address_is_wrong_use(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", endpoint)
    with pytest.raises(UsageError) as refused:
        make_client(load_settings())
    assert str(refused.value) == f"BUDDY_BIGQUERY_ENDPOINT: expected http://HOST:PORT, found {endpoint!r}"


# What Google answers ----------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, reason: str, message: str) -> Iterator[str]:
    """A server that answers everything with one error, in the form of Google's APIs."""
    body = json.dumps(
        {"error": {"code": status, "message": message, "errors": [{"message": message, "reason": reason}]}}
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected"),
    [
        (
            403,
            "accessDenied",
            "Access Denied: Project p: User does not have bigquery.jobs.create permission in project p.\nmore",
            "Access Denied: Project p: User does not have bigquery.jobs.create permission in project p "
            "(docs/warehouse/bigquery-access.md lists the roles that the account needs)",
        ),
        (
            400,
            "bytesBilledLimitExceeded",
            "Query exceeded limit for bytes billed: 1000000. 10485760 or higher required.",
            "Query exceeded limit for bytes billed: 1000000. 10485760 or higher required "
            "(BUDDY_BIGQUERY_MAXIMUM_BYTES_BILLED sets the limit)",
        ),
        (404, "notFound", "Not found: Project nobody-s", "Not found: Project nobody-s"),
        (
            404,
            "notFound",
            "Not found: Table p:marts.x was not found in location EU",
            "Not found: Table p:marts.x was not found in location EU "
            "(raw tables come with `buddy ingest`, all others with `buddy build`)",
        ),
        (
            401,
            "authError",
            "Request had invalid authentication credentials.",
            "Google refused the credentials (Anonymous credentials cannot be refreshed): run `gcloud auth "
            "application-default login` again, or check BUDDY_BIGQUERY_KEYFILE and BUDDY_BIGQUERY_IMPERSONATE",
        ),
    ],
)
def test_what_google_refuses_is_one_line_in_its_words_with_what_to_do(
    status: int, reason: str, message: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(status, reason, message) as endpoint:
        monkeypatch.setenv("BUDDY_BIGQUERY_ENDPOINT", endpoint)
        with pytest.raises(BuddyError) as refused:
            connect(load_settings()).query("select * from marts.x")
    assert str(refused.value) == expected


def test_help_and_the_other_engine_load_nothing_of_google_s() -> None:
    program = (
        "import sys\n"
        "import fitness_buddy.cli\n"
        "from fitness_buddy.core.settings import load_settings\n"
        "from fitness_buddy.warehouse import connect\n"
        "connect(load_settings(target='duckdb'))\n"
        "print([name for name in sys.modules if name.startswith(('google.auth', 'google.cloud.bigquery'))])\n"
    )
    expected = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert expected.stdout == "[]\n"


def test_another_method_of_dbt_s_is_refused_by_name(project: Path) -> None:
    profiles = project / "profiles" / "profiles.yml"
    profiles.write_text(
        "fitness_buddy:\n  target: bigquery\n  outputs:\n"
        "    bigquery: {type: bigquery, method: external-oauth-wif, project: p, dataset: marts}\n"
    )
    with pytest.raises(BuddyError, match="expected the method oauth or service-account, found 'external-oauth-wif'"):
        credentials_of(load_settings())
