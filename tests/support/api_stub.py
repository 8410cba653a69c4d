"""Strava and Google Health on this machine, over real HTTP: logins that rotate, pages, rate limits and bad days.

Their refusals are the recorded answers of tests/fixtures, each named by its outcome.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from support import serving

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
STEPS_PATH = "/v4/users/me/dataTypes/steps/dataPoints:dailyRollUp"
STRAVA_SCOPE = "activity:read_all"
GOOGLE_SCOPE = "https://www.googleapis.com/auth/googlehealth.activity_and_fitness.readonly"


@dataclass(frozen=True)
class Canned:
    """An answer given in place of the right one.

    Attributes:
        wait_s: before anything is said.
        drip_s: between two bytes of the body.
        drip_head_s: between two bytes of everything.
        cut: the connection is closed after so many bytes of the body.
        is_lost: the request is carried out, and its answer lost.
    """

    status: int = 200
    body: bytes = b"[]"
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0
    drip_s: float = 0
    drip_head_s: float = 0
    cut: int | None = None
    is_lost: bool = False


def write_answer(stream: BufferedIOBase, answer: Canned, pause: Callable[[float], object] = time.sleep) -> None:
    """Answer a request, as slowly as it is said and as far as somebody listens."""

    def drip(content: bytes, pause_s: float) -> None:
        step = 1 if pause_s else len(content) or 1
        for start in range(0, len(content), step):
            stream.write(content[start : start + step])
            pause(pause_s)

    pause(answer.wait_s)
    head = [f"HTTP/1.1 {answer.status} Status"]
    head += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **answer.headers}.items()]
    head += [f"Content-Length: {len(answer.body)}", "", ""]
    with suppress(OSError):
        drip("\r\n".join(head).encode(), answer.drip_head_s)
        drip(answer.body[: answer.cut], answer.drip_s or answer.drip_head_s)
        stream.flush()


LOST = Canned(is_lost=True)
CUT_OFF = Canned(body=b"[" + b" " * 100 + b"]", cut=20)
GARBAGE = Canned(body=b"<html>Bonjour</html>")
EMPTY = Canned(body=b"")
DRIPPING = Canned(body=b"[" + b" " * 1000 + b"]", drip_s=0.05)
DRIPPING_HEAD = Canned(drip_head_s=0.05)


def broken(status: int, **headers: str) -> Canned:
    """5xx as load balancers say it: a page."""
    return Canned(status, b"<html>Sorry</html>", {name.replace("_", "-"): value for name, value in headers.items()})


def recorded(service: str, name: str, **headers: str) -> Canned:
    """An answer of tests/fixtures: recorded("strava_api", "activities.429_old")."""
    outcome = name.rpartition(".")[2].partition("_")[0]
    status = int(outcome) if outcome.isdecimal() else 200
    body = (FIXTURES / service / f"{name}.json").read_bytes()
    return Canned(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def summary_activity(activity_id: int, start: datetime, **overrides: Any) -> dict[str, Any]:
    """A SummaryActivity of a run that starts then; None takes a key away, as Strava leaves out what is unknown."""
    activity: dict[str, Any] = json.loads((FIXTURES / "strava_api/activities.ok.json").read_text())[0]
    start = start.astimezone(UTC)
    local = start + timedelta(seconds=overrides.get("utc_offset", activity["utc_offset"]))
    activity |= {
        "id": activity_id,
        "upload_id": activity_id + 10**9,
        "upload_id_str": str(activity_id + 10**9),
        "external_id": f"garmin_ping_{activity_id}",
        "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "start_date_local": f"{local:%Y-%m-%dT%H:%M:%SZ}",
        "map": {**activity["map"], "id": f"a{activity_id}"},
    }
    return {key: value for key, value in (activity | overrides).items() if value is not None}


@dataclass
class Login:
    """One athlete's login at one service.

    Attributes:
        rotates: each use of a refresh token replaces it; the old one is refused from then on.
        grants: the scopes that the athlete leaves ticked; empty is a refusal.
        refreshes: how often tokens were given out for a refresh token.
    """

    prefix: str
    scope: str
    rotates: bool
    lifetime_s: int
    grants: str
    refresh_token: str = ""
    client_id: str = "4711"
    client_secret: str = ""
    access_tokens: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    refreshes: int = 0

    def __post_init__(self) -> None:
        self.client_secret = f"{self.prefix}-secret-{secrets.token_hex(8)}"
        self.refresh_token = self.refresh_token or self.new("refresh")

    def new(self, kind: str) -> str:
        return f"{self.prefix}-{kind}-{secrets.token_hex(8)}"

    def revoke(self) -> None:
        """The athlete takes the application's access away."""
        self.refresh_token = self.new("refresh")
        self.access_tokens.clear()

    def new_access_token(self) -> str:
        token = self.new("access")
        self.access_tokens[token] = time.time() + self.lifetime_s
        return token

    def takes(self, token: str | None) -> bool:
        return token is not None and self.access_tokens.get(token, 0) > time.time()


@dataclass(frozen=True)
class Request:
    """What was asked and answered; status 0 if the answer was lost."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    document: Any
    token: str | None
    status: int


class ApiStub:
    """What the services hold, and how they behave.

    Attributes:
        url: of the server; Strava is at /api/v3, Google Health at /v4.
        activities: SummaryActivity objects. Take one away, change one, add one between two runs.
        details: what DetailedActivity adds, by id.
        is_shuffled: lists come in another order.
        hidden: ids that are left out after pages were cut, as Strava does: such pages are short.
        is_inactive: Strava has closed the application.
        steps: by day; a day that is missing has none.
        steps_page: days a page.
        limits: requests by kind, for 15 minutes and for a day.
        used: requests of these 15 minutes and of this day.
        requests: all of them, in order.
    """

    def __init__(self) -> None:
        self.url = ""
        self.strava = Login("strava", STRAVA_SCOPE, rotates=True, lifetime_s=21600, grants=f"read,{STRAVA_SCOPE}")
        self.google = Login("google", GOOGLE_SCOPE, rotates=False, lifetime_s=3599, grants=GOOGLE_SCOPE)
        self.activities: list[dict[str, Any]] = []
        self.details: dict[int, dict[str, Any]] = {}
        self.hidden: set[int] = set()
        self.is_shuffled = False
        self.is_inactive = False
        self.steps: dict[date, int] = {}
        self.steps_page = 1440
        self.limits = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (100, 1000)}
        self.used = [0, 0]
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self._script: dict[str, deque[Canned]] = defaultdict(deque)

    def script(self, path_end: str, *answers: Canned) -> None:
        """Answer the next requests to paths that end so (``/athlete/activities``, ``/token``, ``:dailyRollUp``)."""
        self._script[path_end].extend(answers)

    def scripted(self, path: str) -> Canned | None:
        return next((queue.popleft() for end, queue in self._script.items() if queue and path.endswith(end)), None)

    def asked(self, path_end: str) -> list[Request]:
        """The requests to paths that end so."""
        return [request for request in self.requests if request.path.endswith(path_end)]

    def environment(self, state_folder: Path) -> dict[str, str]:
        """What makes a command ask here, with short pauses."""
        return {
            "BUDDY_STATE_DIR": str(state_folder),
            "BUDDY_HTTP_BACKOFF_S": "0.01",
            "STRAVA_BASE_URL": f"{self.url}/api/v3",
            "STRAVA_CLIENT_ID": self.strava.client_id,
            "STRAVA_CLIENT_SECRET": self.strava.client_secret,
            "STRAVA_REFRESH_TOKEN": self.strava.refresh_token,
            "GOOGLE_HEALTH_BASE_URL": f"{self.url}/v4",
            "GOOGLE_HEALTH_TOKEN_URL": f"{self.url}/google/token",
            "GOOGLE_HEALTH_AUTHORIZE_URL": f"{self.url}/google/authorize",
            "GOOGLE_HEALTH_CLIENT_ID": self.google.client_id,
            "GOOGLE_HEALTH_CLIENT_SECRET": self.google.client_secret,
            "GOOGLE_HEALTH_REFRESH_TOKEN": self.google.refresh_token,
        }

    def secrets(self) -> set[str]:
        """What no output may show."""
        known = {
            secret
            for login in (self.strava, self.google)
            for secret in (login.client_secret, login.refresh_token, *login.access_tokens, *login.codes)
        }
        for request in self.requests:
            known |= {
                request.token or "",
                *(request.form.get(name, "") for name in ("refresh_token", "code", "code_verifier")),
            }
        return known - {""}


@contextmanager
def running_apis() -> Iterator[ApiStub]:
    """Serve both services on a free port of the loopback."""
    stub = ApiStub()
    with serving(_Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": stub}))) as stub.url:
        yield stub


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that has given up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    stub: ApiStub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        form, document = {}, None
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        elif body:
            document = json.loads(body)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        with self.stub.lock:
            canned = self.stub.scripted(url.path)
            answer = canned or LOST
            if answer.is_lost:
                answer = self._right_answer(url.path, query, form, document, token if scheme == "Bearer" else None)
            if url.path.startswith("/api/v3") and not url.path.endswith("/token"):
                answer = self._counted(answer)
            if canned and canned.is_lost:
                answer = Canned(status=0)
            self.stub.requests.append(
                Request(self.command, url.path, query, form, document, token or None, answer.status)
            )
        if answer.status:
            write_answer(self.wfile, answer)
        self.close_connection = self.close_connection or not answer.status or answer.cut is not None

    def _counted(self, answer: Canned) -> Canned:
        """Refused requests count as well."""
        stub = self.stub
        stub.used = [count + 1 for count in stub.used]
        if any(used > limit for limits in stub.limits.values() for used, limit in zip(stub.used, limits, strict=True)):
            answer = recorded("strava_api", "activities.429")
        headers = {}
        for kind, limits in stub.limits.items():
            headers[f"{kind}-Limit"] = ",".join(map(str, limits))
            headers[f"{kind}-Usage"] = ",".join(map(str, stub.used))
        return Canned(**{**answer.__dict__, "headers": {**headers, **answer.headers}})

    def _right_answer(
        self, path: str, query: dict[str, str], form: dict[str, str], document: Any, token: str | None
    ) -> Canned:
        stub = self.stub
        if path == "/oauth/authorize":
            return self._authorize(stub.strava, query)
        if path == "/google/authorize":
            return self._authorize(stub.google, query)
        if path == "/api/v3/oauth/token":
            return self._token(stub.strava, "strava_api", form)
        if path == "/google/token":
            return self._token(stub.google, "google_health", form)
        if path == STEPS_PATH:
            if not stub.google.takes(token):
                return recorded("google_health", "daily_roll_up.401_invalid")
            return self._daily_roll_up(document)
        if path.startswith("/api/v3/"):
            if not stub.strava.takes(token):
                return recorded("strava_api", "activities.401_invalid")
            if stub.is_inactive:
                return recorded("strava_api", "activities.403_inactive")
            if path == "/api/v3/athlete/activities":
                return self._activities({name: int(value) for name, value in query.items()})
            if path.startswith("/api/v3/activities/"):
                return self._activity(path.rpartition("/")[2])
        return recorded("strava_api", "activity.404")

    def _authorize(self, login: Login, query: dict[str, str]) -> Canned:
        if query["client_id"] != login.client_id or query["response_type"] != "code" or query["scope"] != login.scope:
            return Canned(400, b"{}")
        back = {"state": query["state"]}
        if login.grants:
            code = login.new("code")
            # What the exchange must prove; Strava knows no proof.
            login.codes[code] = query.get("code_challenge", "")
            back |= {"code": code, "scope": login.grants}
        else:
            back["error"] = "access_denied"
        return Canned(302, b"", {"Location": f"{query['redirect_uri']}?{urlencode(back)}"})

    def _token(self, login: Login, service: str, form: dict[str, str]) -> Canned:
        if form.get("client_id") != login.client_id or form.get("client_secret") != login.client_secret:
            return recorded(service, "token.400_client" if service == "strava_api" else "token.401_client")
        is_login = form["grant_type"] == "authorization_code"
        if is_login:
            challenge = login.codes.pop(form["code"], None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if challenge is None or (challenge and challenge != base64.urlsafe_b64encode(digest).decode().rstrip("=")):
                return recorded(service, "token.400_code" if service == "strava_api" else "token.400_invalid")
        elif form["refresh_token"] != login.refresh_token:
            return recorded(service, "token.400_invalid")
        else:
            login.refreshes += 1
        if login.rotates or is_login:
            login.refresh_token = login.new("refresh")
        answer = {"token_type": "Bearer", "access_token": login.new_access_token(), "expires_in": login.lifetime_s}
        if service == "strava_api":
            answer |= {"expires_at": int(time.time()) + login.lifetime_s}
            answer |= {"athlete": {"id": 4201, "firstname": "Ada"}} if is_login else {}
        else:
            answer |= {"scope": login.grants}
        if login.rotates or is_login or service == "strava_api":
            answer |= {"refresh_token": login.refresh_token}
        return _json(answer)

    def _activities(self, query: dict[str, int]) -> Canned:
        # 11 digits are the year 5138 in seconds: somebody has sent milliseconds.
        if any(query.get(name, 0) >= 10**11 for name in ("after", "before")) or query.get("per_page", 30) > 200:
            return recorded("strava_api", "activities.400_milliseconds")
        starts = [
            (datetime.fromisoformat(activity["start_date"]).timestamp(), activity) for activity in self.stub.activities
        ]
        found = [
            activity
            for start, activity in sorted(starts, key=lambda pair: pair[0])
            if query.get("after", -1) < start < query.get("before", 10**11)
        ]
        if self.stub.is_shuffled:
            random.Random(len(found)).shuffle(found)
        first = (query.get("page", 1) - 1) * query.get("per_page", 30)
        page = found[first : first + query.get("per_page", 30)]
        return _json([activity for activity in page if activity["id"] not in self.stub.hidden])

    def _activity(self, activity_id: str) -> Canned:
        for activity in self.stub.activities:
            if str(activity["id"]) == activity_id:
                return _json({**activity, "resource_state": 3, **self.stub.details.get(activity["id"], {})})
        return recorded("strava_api", "activity.404")

    def _daily_roll_up(self, document: dict[str, Any]) -> Canned:
        since, until = (date(**document["range"][end]["date"]) for end in ("start", "end"))
        if until - since > timedelta(days=90) or until <= since or document.get("windowSizeDays", 1) != 1:
            return recorded("google_health", "daily_roll_up.400_range")
        days = sorted(day for day in self.stub.steps if since <= day < until)
        first = int(document.get("pageToken") or 0)
        page = days[first : first + self.stub.steps_page]
        answer: dict[str, Any] = {
            "rollupDataPoints": [
                {
                    "civilStartTime": {"date": _civil(day), "time": {}},
                    "civilEndTime": {"date": _civil(day + timedelta(days=1)), "time": {}},
                    "steps": {"countSum": str(self.stub.steps[day])},
                }
                for day in page
            ]
        }
        if first + len(page) < len(days):
            answer["nextPageToken"] = str(first + len(page))
        return _json(answer if page else {})


def _json(document: Any) -> Canned:
    return Canned(body=json.dumps(document).encode())


def _civil(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}
