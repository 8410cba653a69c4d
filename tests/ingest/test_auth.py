"""`buddy auth` as a person runs it: a browser on this machine, and the login it leaves behind."""

from __future__ import annotations

import json
import stat
import sys
import time
from pathlib import Path

import pytest
from api_stub import ApiStub
from support import HANGS_AFTER_S, run_buddy, spawn_buddy

# Python looks for a browser once a process, so a login is a process of its own.
# A browser that follows the login page back to where it is sent.
BROWSER = """#!{python}
import os, sys, urllib.request
content = urllib.request.urlopen(sys.argv[1]).read()
with open({page!r} + ".part", "wb") as page:
    page.write(content)
os.replace(page.name, {page!r})
"""


@pytest.fixture(autouse=True)
def browser(services: ApiStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A browser, and nobody logged in yet."""
    for service in ("STRAVA", "GOOGLE_HEALTH"):
        monkeypatch.delenv(f"{service}_REFRESH_TOKEN")
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, page=str(tmp_path / "page")))
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")


def seen_page(path: Path) -> str:
    """What the browser has shown; the login may end before the page is there."""
    end = time.monotonic() + HANGS_AFTER_S
    while not path.exists():
        assert time.monotonic() < end, "the browser shows no page"
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize("service", ["strava", "google-health"])
def test_a_login_in_the_browser_is_kept_and_used(services: ApiStub, service: str, tmp_path: Path) -> None:
    ingest = {"strava": "strava-api", "google-health": "google-health"}[service]
    before = run_buddy("ingest", ingest, "--since", "2026-01-01")
    assert (before.exit_code, f"buddy auth {service}" in before.errors) == (2, True)
    logged_in = spawn_buddy("auth", service, "--timeout-s", str(HANGS_AFTER_S), "--json")
    assert logged_in.exit_code == 0, logged_in.errors
    assert logged_in.json["service"] == service
    assert "You can close this page" in seen_page(tmp_path / "page")
    kept = tmp_path / "state" / f"{service}@me.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    tokens = {value for name, value in json.loads(kept.read_text()).items() if name.endswith("token") and value}
    assert len(tokens) >= 2
    shown = logged_in.output + logged_in.errors
    assert not any(secret in shown for secret in tokens | services.secrets())
    assert run_buddy("ingest", ingest, "--since", "2026-01-01").exit_code == 0


def test_a_login_without_the_right_to_read_activities_is_none(services: ApiStub, tmp_path: Path) -> None:
    services.strava.grants = "read"
    refused = spawn_buddy("auth", "strava", "--timeout-s", str(HANGS_AFTER_S))
    assert refused.exit_code == 1
    assert "did not grant activity:read_all" in refused.errors
    assert not (tmp_path / "state" / "strava@me.json").exists()


def test_nobody_in_front_of_the_browser_ends_the_wait(services: ApiStub) -> None:
    alone = spawn_buddy("auth", "strava", "--no-browser", "--timeout-s", "1")
    assert alone.exit_code == 1
    assert "/oauth/authorize?" in alone.errors
    assert "nobody has logged in" in alone.errors
