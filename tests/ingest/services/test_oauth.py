"""Logins that last: rotation survives crashes, full disks and company, and nothing tells a token."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest
from api_stub import LOST, ApiStub, Canned, broken, recorded
from support import HANGS_AFTER_S, started

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.http import ApiError, RateLimitedError
from fitness_buddy.core.state import StateStore, open_state
from fitness_buddy.ingest.services.google_health import GoogleHealthApi, google_health_settings
from fitness_buddy.ingest.services.login import log_in
from fitness_buddy.ingest.services.oauth import AthleteApi
from fitness_buddy.ingest.services.strava import StravaApi, strava_settings

AUTH = "`buddy auth strava`"


@pytest.fixture(autouse=True)
def nothing_told(stub: ApiStub, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever happens in a test of this file: no token in logs and outputs."""
    caplog.set_level(logging.DEBUG)
    yield
    told = "".join(capfd.readouterr()) + "".join(map(logging.Formatter().format, caplog.get_records("call")))
    assert [secret for secret in stub.secrets() if secret in told] == []


def api(**options: Any) -> StravaApi:
    return StravaApi(strava_settings(), open_state(), "ada", **{"timeout_s": 5, **options})


def state(service: str = "strava") -> dict[str, Any]:
    return open_state().read(f"{service}@ada") or {}


def quiet(stub: ApiStub, error: BaseException) -> str:
    """The error's words, after a look at all that it would show, causes included."""
    words, shown = str(error), ""
    cause: BaseException | None = error
    while cause is not None:
        shown += f"{cause}{cause!r}{vars(cause)}"
        cause = cause.__cause__
    assert [secret for secret in stub.secrets() if secret in shown] == []
    return words


class FailingStore:
    """A store whose disk is full from the given write on."""

    def __init__(self, store: StateStore, fails_from: int) -> None:
        self._store = store
        self.writes_left = fails_from

    def read(self, name: str) -> dict[str, Any] | None:
        return self._store.read(name)

    def write(self, name: str, state: Mapping[str, Any]) -> None:
        if self.writes_left == 0:
            raise BuddyError("the disk is full")
        self.writes_left -= 1
        self._store.write(name, state)

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self._store.exclusive(name)


def test_the_new_refresh_token_is_kept_and_the_access_token_used_until_it_ends(stub: ApiStub) -> None:
    first = stub.strava.refresh_token
    token = api().oauth.access_token()
    assert stub.strava.takes(token)
    assert state()["refresh_token"] == stub.strava.refresh_token != first
    assert state()["previous_refresh_token"] == first
    # Another process, as long as a minute is left of it.
    ends = state()["expires_at"]
    assert api(clock=lambda: ends - 61).oauth.access_token() == token
    assert stub.strava.refreshes == 1
    assert api(clock=lambda: ends - 60).oauth.access_token() != token
    assert stub.strava.refreshes == 2


def test_a_service_that_gives_no_new_refresh_token_goes_on_with_the_old_one(stub: ApiStub) -> None:
    google = GoogleHealthApi(google_health_settings(), open_state(), "ada")
    token = google.oauth.access_token()
    assert state("google-health")["refresh_token"] == stub.google.refresh_token
    google.oauth.forget_access_token(token)
    assert google.oauth.access_token() != token
    assert [request.form["refresh_token"] for request in stub.requests] == [stub.google.refresh_token] * 2


def test_tokens_are_asked_for_as_documented(stub: ApiStub, caplog: pytest.LogCaptureFixture) -> None:
    first = stub.strava.refresh_token
    api().oauth.access_token()
    (request,) = stub.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/v3/oauth/token", {})
    assert request.form == {
        "client_id": stub.strava.client_id,
        "client_secret": stub.strava.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": first,
    }
    assert "POST /api/v3/oauth/token" in caplog.text  # which is where a token would be seen


def test_a_crash_after_the_new_token_was_kept_costs_nothing(stub: ApiStub) -> None:
    code = (
        "import os\n"
        "from fitness_buddy.ingest.services.strava import StravaApi, strava_settings\n"
        "from fitness_buddy.core.state import open_state\n"
        "store = open_state()\n"
        "write = store.write\n"
        "def crash(name, state):\n"
        "    write(name, state)\n"
        "    if 'access_token' in state:\n"
        "        os.kill(os.getpid(), 9)\n"
        "store.write = crash\n"
        "StravaApi(strava_settings(), store, 'ada').oauth.access_token()\n"
    )
    crashed = subprocess.run([sys.executable, "-c", code], check=False)
    assert crashed.returncode == -signal.SIGKILL
    assert stub.strava.refreshes == 1
    # The next run, its environment as old as before, uses what was kept.
    assert stub.strava.takes(api().oauth.access_token())
    assert stub.strava.refreshes == 1
    api().oauth.forget_access_token(state()["access_token"])
    assert stub.strava.takes(api().oauth.access_token())
    assert stub.strava.refreshes == 2


def test_a_full_disk_shows_before_the_old_token_is_spent(stub: ApiStub) -> None:
    store = FailingStore(open_state(), 0)
    with pytest.raises(BuddyError, match="the disk is full"):
        StravaApi(strava_settings(), store, "ada").oauth.access_token()
    assert stub.requests == []
    assert stub.strava.takes(api().oauth.access_token())


@pytest.mark.parametrize("rotates", [False, True])
def test_a_disk_that_fills_up_meanwhile_is_said_and_nothing_is_used(stub: ApiStub, rotates: bool) -> None:
    stub.strava.rotates = rotates
    client = StravaApi(strava_settings(), FailingStore(open_state(), 1), "ada")
    with pytest.raises(BuddyError) as caught:
        client.activity("1")
    assert "Strava has renewed the login, but it could not be kept: the disk is full" in quiet(stub, caught.value)
    assert [request.path for request in stub.requests] == ["/api/v3/oauth/token"]
    if not rotates:  # as Strava does it most of the time
        assert stub.strava.takes(api().oauth.access_token())
        return
    with pytest.raises(BuddyError, match=f"Strava no longer takes this login: run {AUTH}"):
        api().oauth.access_token()
    login_by_browser(stub, api())
    assert stub.strava.takes(api().oauth.access_token())


def test_two_processes_at_once_refresh_once(stub: ApiStub) -> None:
    stub.script("/token", Canned(503, wait_s=0.3))
    code = (
        "from fitness_buddy.ingest.services.strava import StravaApi, strava_settings\n"
        "from fitness_buddy.core.state import open_state\n"
        "import hashlib\n"
        "token = StravaApi(strava_settings(), open_state(), 'ada').oauth.access_token()\n"
        "print(hashlib.sha256(token.encode()).hexdigest())\n"
    )
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(started([sys.executable, "-c", code], stdout=subprocess.PIPE)) for _ in range(3)
        ]
        tokens = {process.communicate(timeout=HANGS_AFTER_S)[0] for process in processes}
        assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(tokens) == 1
    assert stub.strava.refreshes == 1


def test_many_threads_at_once_refresh_once(stub: ApiStub) -> None:
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(api().oauth.access_token())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 8
    assert len(set(tokens)) == 1
    assert stub.strava.refreshes == 1


def test_a_token_newly_set_in_the_environment_comes_first_and_an_old_one_last(
    stub: ApiStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = stub.strava.refresh_token
    api().oauth.access_token()
    kept = state()["refresh_token"]
    # The stored chain goes on although the environment still has the old one.
    api().oauth.forget_access_token(state()["access_token"])
    api().oauth.access_token()
    assert [request.form["refresh_token"] for request in stub.requests] == [old, kept]
    # A new one, such as of another account: what is kept is not even used while it is valid.
    stub.strava.revoke()
    new = stub.strava.refresh_token
    monkeypatch.setenv("STRAVA_REFRESH_TOKEN", new)
    api().oauth.access_token()
    assert stub.requests[-1].form["refresh_token"] == new
    assert len(stub.requests) == 3
    # And from now on it is the old one.
    latest = state()["refresh_token"]
    api().oauth.forget_access_token(state()["access_token"])
    api().oauth.access_token()
    assert stub.requests[-1].form["refresh_token"] == latest


def test_a_wrong_token_in_the_environment_locks_nobody_out(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    api().oauth.access_token()
    monkeypatch.setenv("STRAVA_REFRESH_TOKEN", "mistyped")
    assert stub.strava.takes(api().oauth.access_token())
    assert [request.status for request in stub.requests] == [200, 400, 200]
    # It is known now, and not tried first again.
    api().oauth.forget_access_token(state()["access_token"])
    api().oauth.access_token()
    assert [request.status for request in stub.requests[3:]] == [200]


def test_a_state_from_a_backup_finds_the_way_back_by_the_environment(stub: ApiStub) -> None:
    api().oauth.access_token()
    open_state().write("strava@ada", {**state(), "refresh_token": "gone", "previous_refresh_token": "gone too"})
    api().oauth.forget_access_token(state()["access_token"])
    stub.strava.refresh_token = strava_settings().refresh_token
    assert stub.strava.takes(api().oauth.access_token())
    assert [request.status for request in stub.requests] == [200, 400, 400, 200]


def test_the_one_before_is_tried_too(stub: ApiStub) -> None:
    """As when the service has forgotten the last one."""
    api().oauth.access_token()
    before = stub.strava.refresh_token
    api().oauth.forget_access_token(state()["access_token"])
    api().oauth.access_token()
    api().oauth.forget_access_token(state()["access_token"])
    stub.strava.refresh_token = before
    assert stub.strava.takes(api().oauth.access_token())


def test_a_login_that_has_ended_is_explained(stub: ApiStub) -> None:
    api().oauth.access_token()
    stub.strava.revoke()
    with pytest.raises(ApiError) as caught:
        api().activity("1")
    assert quiet(stub, caught.value) == (
        "POST 127.0.0.1/api/v3/oauth/token: answered 400 (Bad Request: RefreshToken refresh_token invalid). "
        "Strava no longer takes this login: run `buddy auth strava`"
    )
    # Access token, then what was kept, the one before it, which is the environment's: each once.
    assert [request.status for request in stub.requests] == [200, 401, 400, 400]


def test_an_answer_that_was_lost_is_explained_where_it_cannot_be_mended(stub: ApiStub) -> None:
    stub.script("/token", LOST)
    with pytest.raises(ApiError, match=f"run {AUTH}"):
        api().oauth.access_token()
    assert [request.status for request in stub.requests] == [0, 400]


def test_without_any_login_it_says_how(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAVA_REFRESH_TOKEN", " ")
    with pytest.raises(UsageError, match=f"no login of ada at Strava yet: run {AUTH}, or set STRAVA_REFRESH_TOKEN"):
        api().oauth.access_token()
    assert stub.requests == []


def test_the_token_of_the_environment_is_one_athlete_s(stub: ApiStub) -> None:
    """Another athlete would get this one's activities."""
    for settings, service in ((strava_settings(), StravaApi), (google_health_settings(), GoogleHealthApi)):
        with pytest.raises(UsageError, match=f"no login of ben at {settings.title} yet"):
            service(settings, open_state(), "ben").oauth.access_token()
    assert stub.requests == []
    open_state().write("strava@ben", {"refresh_token": stub.strava.refresh_token})
    assert stub.strava.takes(StravaApi(strava_settings(), open_state(), "ben").oauth.access_token())


def test_missing_settings_are_named(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRAVA_CLIENT_ID")
    with pytest.raises(
        UsageError, match=r"^set STRAVA_CLIENT_ID: they are shown on https://www\.strava\.com/settings/api"
    ):
        api()
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", "")
    with pytest.raises(UsageError, match=r"^set STRAVA_CLIENT_ID and STRAVA_CLIENT_SECRET: "):
        api()
    monkeypatch.delenv("GOOGLE_HEALTH_CLIENT_SECRET")
    with pytest.raises(UsageError, match=r"^set GOOGLE_HEALTH_CLIENT_SECRET: "):
        GoogleHealthApi(google_health_settings(), open_state(), "ada")


@pytest.mark.parametrize(
    ("variables", "make"),
    [
        ("STRAVA", lambda: api()),
        ("GOOGLE_HEALTH", lambda: GoogleHealthApi(google_health_settings(), open_state(), "ada")),
    ],
)
def test_a_wrong_client_is_told_from_a_wrong_token(
    stub: ApiStub, monkeypatch: pytest.MonkeyPatch, variables: str, make: Callable[[], AthleteApi]
) -> None:
    monkeypatch.setenv(f"{variables}_CLIENT_SECRET", "mistyped")
    open_state().write("strava@ada", {"refresh_token": "another to try"})
    with pytest.raises(UsageError, match=f"Check {variables}_CLIENT_ID and {variables}_CLIENT_SECRET"):
        make().oauth.access_token()
    assert len(stub.requests) == 1


def test_a_closed_application_and_a_rate_limit_are_explained_at_the_token_too(stub: ApiStub) -> None:
    stub.script("/token", recorded("strava_api", "activities.403_inactive"))
    with pytest.raises(ApiError, match="Strava has closed this application"):
        api().oauth.access_token()
    stub.script("/token", recorded("strava_api", "activities.429"))
    with pytest.raises(RateLimitedError):
        api(max_wait_s=0).activity("1")


def test_the_recorded_answers_are_read(stub: ApiStub) -> None:
    before = 1_795_600_000 - 3600
    stub.script("/token", recorded("strava_api", "token.ok"), recorded("strava_api", "token.ok_login"))
    client = api(clock=lambda: before)
    assert client.oauth.access_token() == "strava-access-example"
    assert client.oauth.log_in("code", "http://127.0.0.1:1/callback", "")["athlete"]["firstname"] == "Ada"
    assert client.oauth.access_token() == "strava-access-example"
    stub.script("/google/token", recorded("google_health", "token.ok"))
    google = GoogleHealthApi(google_health_settings(), open_state(), "ada", clock=lambda: before)
    assert google.oauth.access_token() == "google-access-example"
    assert state("google-health")["expires_at"] == before + 3599


def test_passing_trouble_at_the_token_passes(stub: ApiStub) -> None:
    stub.script("/token", broken(502), broken(503))
    assert stub.strava.takes(api().oauth.access_token())


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "strava-access-x"},
        {"access_token": "strava-access-x", "refresh_token": 5, "expires_at": 1},
        {"access_token": "", "refresh_token": "strava-refresh-x", "expires_at": 1},
        {"access_token": "strava-access-x", "refresh_token": "strava-refresh-x", "expires_at": "soon"},
        ["strava-access-x"],
    ],
)
def test_an_answer_of_another_shape_is_not_kept(stub: ApiStub, answer: Any) -> None:
    stub.script("/token", Canned(body=json.dumps(answer).encode()))
    with pytest.raises(ApiError, match="expected access_token, refresh_token and expires_at") as caught:
        api().oauth.access_token()
    assert "-x" not in str(caught.value)
    assert state() == {}


@pytest.mark.parametrize(
    "kept",
    [{"access_token": 5, "expires_at": 10**12}, {"access_token": "x", "expires_at": "never"}, {"refresh_token": []}],
)
def test_a_state_that_makes_no_sense_is_not_used(stub: ApiStub, kept: dict[str, Any]) -> None:
    open_state().write("strava@ada", kept)
    assert stub.strava.takes(api().oauth.access_token())


def test_an_access_token_that_another_has_replaced_is_not_forgotten(stub: ApiStub) -> None:
    client = api()
    token = client.oauth.access_token()
    client.oauth.forget_access_token("an older one")
    assert client.oauth.access_token() == token


def test_no_repr_tells_a_secret(stub: ApiStub) -> None:
    client = api()
    client.oauth.access_token()
    shown = f"{client!r}{client.settings!r}{client.oauth!r}{client._client!r}{google_health_settings()!r}"
    assert [secret for secret in stub.secrets() if secret in shown] == []


# The browser's round trip


def visit(url: str) -> tuple[int, str, str]:
    """As a browser does, following redirects: status, type and text of the page."""
    opener = build_opener(ProxyHandler({}))
    try:
        page = opener.open(url, timeout=HANGS_AFTER_S)
    except HTTPError as refused:
        page = refused
    with page:
        return page.status, page.headers["Content-Type"], page.read().decode()


def login_by_browser(
    stub: ApiStub, client: AthleteApi, *, browse: Callable[[str], object] = visit, timeout_s: float = 5
) -> dict[str, Any]:
    """Log in, with a browser that goes where it is told on another thread."""
    visits: list[threading.Thread] = []

    def say(text: str) -> None:
        url = next(word for word in text.split() if word.startswith("http"))
        visits.append(threading.Thread(target=browse, args=(url,)))
        visits[-1].start()

    try:
        return log_in(client, say=say, open_browser=False, timeout_s=timeout_s)
    finally:
        for thread in visits:
            thread.join()


def test_a_login_in_the_browser_is_kept_and_used(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRAVA_REFRESH_TOKEN")
    asked: list[str] = []
    pages: list[tuple[int, str, str]] = []

    def browse(url: str) -> None:
        asked.append(url)
        pages.append(visit(url))

    answer = login_by_browser(stub, api(), browse=browse)
    assert answer["athlete"] == {"id": 4201, "firstname": "Ada"}
    assert [name for name in answer if name in ("access_token", "refresh_token")] == []
    url = urlsplit(asked[0])
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{stub.url}/oauth/authorize"
    assert {name: query[name] for name in ("client_id", "response_type", "approval_prompt", "scope")} == {
        "client_id": stub.strava.client_id,
        "response_type": "code",
        "approval_prompt": "auto",
        "scope": "activity:read_all",
    }
    assert query["redirect_uri"].startswith("http://127.0.0.1:")
    assert "code_challenge" not in query
    assert pages[0][:2] == (200, "text/plain; charset=utf-8")
    assert "You can close this page" in pages[0][2]
    # From here on as with a token of the environment.
    token = api().oauth.access_token()
    assert stub.strava.takes(token)
    assert stub.strava.refreshes == 0
    api().oauth.forget_access_token(token)
    assert stub.strava.takes(api().oauth.access_token())


def test_a_login_comes_before_the_old_token_of_the_environment(stub: ApiStub) -> None:
    login_by_browser(stub, api())
    assert stub.strava.takes(api().oauth.access_token())
    assert stub.strava.refreshes == 0


def test_google_is_shown_a_proof_and_asked_for_a_lasting_login(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_HEALTH_REFRESH_TOKEN")
    asked: list[str] = []

    def browse(url: str) -> None:
        asked.append(url)
        visit(url)

    google = GoogleHealthApi(google_health_settings(), open_state(), "ada")
    login_by_browser(stub, google, browse=browse)
    query = parse_qs(urlsplit(asked[0]).query)
    assert (query["access_type"], query["prompt"], query["code_challenge_method"]) == (
        ["offline"],
        ["consent"],
        ["S256"],
    )
    (exchange,) = stub.asked("/google/token")
    assert len(exchange.form["code_verifier"]) >= 43
    assert exchange.form["redirect_uri"] == query["redirect_uri"][0]
    assert stub.google.takes(google.oauth.access_token())


def test_only_the_right_answer_ends_the_login(stub: ApiStub) -> None:
    statuses: list[int] = []

    def browse(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        back = query["redirect_uri"][0]
        root = back.rpartition("/")[0]
        forged = urlencode({"state": "x" * 43, "code": "forged", "scope": "activity:read_all"})
        for other in (f"{root}/favicon.ico", f"{back}?{forged}", back, f"{root}/?state={query['state'][0]}&code=x"):
            statuses.append(visit(other)[0])
        visit(url)

    login_by_browser(stub, api(), browse=browse)
    assert statuses == [404, 400, 400, 404]
    assert len(stub.asked("/token")) == 1


def test_a_browser_that_only_connects_holds_up_nobody(stub: ApiStub) -> None:
    held: list[socket.socket] = []

    def browse(url: str) -> None:
        back = urlsplit(parse_qs(urlsplit(url).query)["redirect_uri"][0])
        held.append(socket.create_connection((back.hostname or "", back.port or 0)))
        visit(url)

    started = time.monotonic()
    login_by_browser(stub, api(), browse=browse)
    assert time.monotonic() - started < 2
    held[0].close()


def test_refusals_in_the_browser_are_explained_and_change_nothing(stub: ApiStub) -> None:
    api().oauth.access_token()
    before = state()
    stub.strava.grants = ""
    with pytest.raises(BuddyError, match=r"Access was denied in the browser\. Nothing was changed"):
        login_by_browser(stub, api())
    stub.strava.grants = "read,activity:read"
    with pytest.raises(BuddyError, match=r"Strava did not grant activity:read_all: run .* leave its box ticked"):
        login_by_browser(stub, api())
    stub.strava.grants = "read,activity:read_all"
    stub.script("/token", recorded("strava_api", "token.400_code"))
    with pytest.raises(ApiError, match=r"AuthorizationCode code invalid.*Strava did not accept the login") as caught:
        login_by_browser(stub, api())
    quiet(stub, caught.value)
    stub.script("/token", recorded("strava_api", "activities.403_inactive"))
    with pytest.raises(ApiError, match="Strava has closed this application"):
        login_by_browser(stub, api())
    assert state() == before


def test_google_tells_a_lesser_scope_with_the_token(stub: ApiStub) -> None:
    def browse(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        code = stub.google.new("code")
        stub.google.codes[code] = query["code_challenge"][0]
        stub.google.grants = "openid"
        visit(f"{query['redirect_uri'][0]}?{urlencode({'state': query['state'][0], 'code': code})}")

    google = GoogleHealthApi(google_health_settings(), open_state(), "ada")
    with pytest.raises(BuddyError, match=r"Google Health did not grant https://.*activity_and_fitness"):
        login_by_browser(stub, google, browse=browse)
    assert state("google-health") == {}


def test_nobody_at_the_browser_is_said(stub: ApiStub) -> None:
    with pytest.raises(BuddyError, match=r"nobody has logged in to Strava within 0\.2 s"):
        login_by_browser(stub, api(), browse=lambda _: None, timeout_s=0.2)


def test_the_port_can_be_given_and_a_taken_one_is_named(stub: ApiStub) -> None:
    port = int(stub.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be used"):
        log_in(api(), say=lambda _: None, open_browser=False, port=port)


def test_the_browser_is_opened_if_asked(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_it(url: str) -> bool:
        opened.append(url)
        return False  # there is none: whoever reads goes there by hand

    monkeypatch.setattr(webbrowser, "open", open_it)
    said: list[str] = []
    with pytest.raises(BuddyError, match="nobody has logged in"):
        log_in(api(), say=said.append, timeout_s=0.05)
    assert len(opened) == 1
    assert opened[0] in said[0]


def test_a_login_that_cannot_be_kept_says_so(stub: ApiStub) -> None:
    client = StravaApi(strava_settings(), FailingStore(open_state(), 0), "ada")
    with pytest.raises(BuddyError, match="could not be kept: the disk is full") as caught:
        login_by_browser(stub, client)
    quiet(stub, caught.value)
