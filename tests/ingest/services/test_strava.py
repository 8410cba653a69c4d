"""Strava's API as it is documented and as it behaves: pages, limits, refusals."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_stub import CUT_OFF, EMPTY, GARBAGE, ApiStub, Canned, broken, recorded, summary_activity

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.http import ApiError, RateLimitedError
from fitness_buddy.core.state import open_state
from fitness_buddy.ingest.services.strava import StravaApi, strava_settings

LIST = "/athlete/activities"
START = datetime(2026, 11, 1, 6, tzinfo=UTC)
END = START + timedelta(days=365)


class Clock:
    """Time that passes only while somebody waits for it; a new quarter of an hour empties the stub's counts."""

    def __init__(self, stub: ApiStub, now: datetime) -> None:
        self.now = now.timestamp()
        self.waits: list[float] = []
        self._stub = stub

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        quarter, day = self.now // 900, self.now // 86400
        self.now += seconds
        self.waits.append(seconds)
        self._stub.used = [
            0 if self.now // 900 > quarter else self._stub.used[0],
            0 if self.now // 86400 > day else self._stub.used[1],
        ]


@pytest.fixture
def clock(stub: ApiStub) -> Clock:
    stub.strava.lifetime_s = 10**9  # whatever the time is on this machine
    return Clock(stub, datetime(2026, 11, 20, 18, 7, 30, tzinfo=UTC))


def api(**options: Any) -> StravaApi:
    return StravaApi(strava_settings(), open_state(), "ada", **{"timeout_s": 5, "backoff_s": 0, **options})


def timed(clock: Clock, **options: Any) -> StravaApi:
    return api(clock=clock, sleep=clock.sleep, **options)


def ids(pages: Iterator[list[dict[str, Any]]]) -> list[int]:
    return [activity["id"] for page in pages for activity in page]


def many(count: int) -> list[dict[str, Any]]:
    return [summary_activity(11 * 10**9 + number, START + timedelta(hours=number)) for number in range(count)]


def test_settings_are_strava_s_own_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"):
        monkeypatch.delenv(f"STRAVA_{name}", raising=False)
    settings = strava_settings()
    assert settings.base_url == "https://www.strava.com/api/v3"
    assert settings.token_url == "https://www.strava.com/api/v3/oauth/token"
    assert settings.authorize_url == "https://www.strava.com/oauth/authorize"
    monkeypatch.setenv("STRAVA_BASE_URL", "https://api.example.org/strava/v3/")
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", " copied\n")
    settings = strava_settings()
    assert settings.token_url == "https://api.example.org/strava/v3/oauth/token"
    assert settings.authorize_url == "https://api.example.org/oauth/authorize"
    assert settings.client_secret == "copied"
    assert "copied" not in repr(settings)


def test_all_pages_are_read_until_an_empty_one(stub: ApiStub) -> None:
    stub.activities = many(401)
    stub.hidden = {stub.activities[7]["id"]}
    pages = list(api().activities(START, END))
    # The first page is short, and not the last one.
    assert [len(page) for page in pages] == [199, 200, 1]
    asked = [request.query for request in stub.asked(LIST)]
    assert [query["page"] for query in asked] == ["1", "2", "3", "4"]
    assert asked[0] == {
        "after": str(int(START.timestamp()) - 1),
        "before": str(int(END.timestamp())),
        "page": "1",
        "per_page": "200",
    }


def test_the_first_moment_is_in_and_the_last_one_is_not(stub: ApiStub) -> None:
    second = timedelta(seconds=1)
    stub.activities = [summary_activity(n, START + n * second) for n in range(5)]
    assert ids(api().activities(START + second, START + 3 * second)) == [1, 2]
    half = timedelta(milliseconds=500)
    assert ids(api().activities(START + half, START + 3 * second + half)) == [1, 2, 3]
    assert ids(api().activities(START + 9 * second, END)) == []
    with pytest.raises(ValueError, match="time zone"):
        ids(api().activities(START.replace(tzinfo=None), END))


def test_order_does_not_matter_and_big_ids_stay_whole(stub: ApiStub) -> None:
    stub.activities = [*many(5), summary_activity(987654321234567891234, START)]
    stub.is_shuffled = True
    assert sorted(ids(api().activities(START, END))) == sorted(activity["id"] for activity in stub.activities)


def test_the_recorded_list_is_read(stub: ApiStub) -> None:
    stub.script(LIST, recorded("strava_api", "activities.ok"))
    (page,) = api().activities(START, END)
    assert [activity["sport_type"] for activity in page] == ["Run", "Ride", "Yoga"]


def test_one_activity_is_read_and_one_that_is_gone_is_none(stub: ApiStub) -> None:
    stub.activities = many(1)
    (activity,) = stub.activities
    stub.details[activity["id"]] = {"calories": 512.0, "description": "Easy"}
    client = api()
    found = client.activity(str(activity["id"]))
    assert found == {**activity, "resource_state": 3, "calories": 512.0, "description": "Easy"}
    assert client.activity("12") is None
    assert client.activity("../athlete") is None
    assert stub.requests[-1].path == "/api/v3/activities/..%2Fathlete"
    stub.script(f"/activities/{activity['id']}", recorded("strava_api", "activity.ok"))
    assert (client.activity(str(activity["id"])) or {})["description"] == "Easy.\nNew shoes."


@pytest.mark.parametrize("body", [b"{}", b'{"message": "odd"}', b'"x"', b"[1]", b"[[]]", b"null"])
def test_a_page_of_another_shape_is_said(stub: ApiStub, body: bytes) -> None:
    stub.script(LIST, Canned(body=body))
    with pytest.raises(ApiError, match=r"GET 127\.0\.0\.1/api/v3/athlete/activities: expected a list of activities"):
        ids(api().activities(START, END))
    stub.script("/activities/1", Canned(body=b"[]"))
    with pytest.raises(ApiError, match="expected an activity, found JSON of type list"):
        api().activity("1")


def test_pages_that_never_end_are_left(stub: ApiStub) -> None:
    page = Canned(body=b'[{"id": 1}]')
    stub.script(LIST, page, page, page)
    with pytest.raises(ApiError, match="page 2 repeats the one before it"):
        ids(api().activities(START, END))


def test_trouble_on_the_way_is_passed_over_and_counted(stub: ApiStub) -> None:
    stub.activities = many(201)
    stub.script(LIST, broken(500), CUT_OFF, GARBAGE, Canned(body=b"["), broken(502), EMPTY)
    client = api()
    with pytest.raises(ApiError, match="not JSON, or not all of it in 4 attempts"):
        ids(client.activities(START, END))
    assert len(ids(client.activities(START, END))) == 201
    # A token, four attempts, and again two that failed and three pages.
    assert client.requests == len(stub.requests) == 1 + 4 + 2 + 3


def test_nearly_full_quarters_are_waited_for(stub: ApiStub, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    stub.limits = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (3, 1000)}
    stub.activities = many(900)
    client = timed(clock)
    assert len(ids(client.activities(START, END))) == 900
    # Two of three requests in each quarter: 18:15:01, 18:30:01. The sixth was for the empty page.
    assert clock.waits == [7.5 * 60 + 1, 15 * 60]
    assert [request.status for request in stub.asked(LIST)] == [200] * 6
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.partition(" UTC; ")[2] for message in told] == ["waiting 451 s", "waiting 900 s"]
    assert "18:15 UTC" in told[0]


def test_a_wait_that_is_too_long_is_an_error_that_says_when(stub: ApiStub, clock: Clock) -> None:
    stub.limits = {"X-RateLimit": (3, 2000)}
    stub.activities = many(500)
    pages = timed(clock, max_wait_s=449).activities(START, END)
    assert len(next(pages)) + len(next(pages)) == 400
    with pytest.raises(RateLimitedError, match=r"resume after 2026-11-20 18:15 UTC$") as caught:
        next(pages)
    assert caught.value.resume_after
    assert caught.value.resume_after.timestamp() == clock.now + 450
    assert caught.value.details()["resume_after"].endswith("T18:15:00+00:00")
    assert len(stub.asked(LIST)) == 2
    assert clock.waits == []
    # As long as it lasts, this process does not ask again; another one learns it by its first request.
    assert timed(clock, max_wait_s=450).activity("1") is None


@pytest.mark.parametrize("kind", ["X-RateLimit", "X-ReadRateLimit"])
def test_a_day_s_limit_means_tomorrow(stub: ApiStub, clock: Clock, kind: str) -> None:
    stub.limits = {**stub.limits, kind: (100, 1000)}
    stub.used = [3, 998]
    client = timed(clock)
    client.activity("1")
    with pytest.raises(RateLimitedError, match=r"resume after 2026-11-21 00:00 UTC") as caught:
        client.activity("2")
    assert caught.value.resume_after == datetime(2026, 11, 21, tzinfo=UTC)
    assert len(stub.asked("/activities/2")) == 0
    # Who may wait that long, waits.
    stub.used = [3, 998]
    patient = timed(clock, max_wait_s=86400)
    patient.activity("3")
    patient.activity("4")
    assert clock.waits == [(5 * 60 + 52.5) * 60 + 1]


@pytest.mark.parametrize("name", ["activities.429", "activities.429_old"])
def test_a_429_is_waited_for_twice_and_no_more(stub: ApiStub, clock: Clock, name: str) -> None:
    stub.limits = {}
    stub.script("/activities/1", recorded("strava_api", name), recorded("strava_api", name))
    client = timed(clock)
    assert client.activity("1") is None
    assert clock.waits == [451, 900]
    stub.script("/activities/1", *[recorded("strava_api", name)] * 9)
    with pytest.raises(RateLimitedError):
        client.activity("1")
    assert clock.waits == [451, 900, 900, 900]
    assert len(stub.asked("/activities/1")) == 3 + 3


def test_a_429_tells_its_window_by_the_headers(stub: ApiStub, clock: Clock) -> None:
    stub.limits = {"X-RateLimit": (200, 2000), "X-ReadRateLimit": (100, 1000)}
    stub.used = [5, 1000]
    with pytest.raises(RateLimitedError, match="00:00 UTC"):
        timed(clock).activity("1")
    assert len(stub.asked("/activities/1")) == 1
    stub.used = [100, 200]
    timed(clock).activity("1")
    assert clock.waits == [451]


@pytest.mark.parametrize(
    "headers", [{}, {"X-RateLimit-Limit": "x,y", "X-RateLimit-Usage": ""}, {"X-RateLimit-Usage": "9,9"}]
)
def test_odd_limits_limit_nothing(stub: ApiStub, clock: Clock, headers: dict[str, str]) -> None:
    stub.limits = {}
    stub.script("/activities/1", *[Canned(body=b"{}", headers=headers)] * 5)
    client = timed(clock)
    assert [client.activity("1") for _ in range(5)] == [{}] * 5
    assert clock.waits == []


def test_an_access_token_that_was_refused_is_renewed_once(stub: ApiStub) -> None:
    client = api()
    client.activity("1")
    stub.strava.access_tokens.clear()
    assert client.activity("1") is None
    assert stub.strava.refreshes == 2
    stub.script("/activities/1", *[recorded("strava_api", "activities.401_invalid")] * 9)
    with pytest.raises(ApiError, match=r"answered 401 \(.*access_token invalid\).*run `buddy auth strava`"):
        client.activity("1")
    assert stub.strava.refreshes == 3
    assert len(stub.asked("/activities/1")) == 1 + 2 + 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "activities.401_scope",
            r"activity:read_permission missing\)\. The login lacks activity:read_all: run `buddy auth",
        ),
        (
            "activities.403_inactive",
            r"403 \(Application Status Inactive\)\. Strava has closed this application: since mid 2026 its API is for "
            r"paid use\. Your own export needs no API: `buddy ingest strava-export`",
        ),
        ("activities.403_other", r"403 \(Forbidden: Athlete restricted\)\. Strava forbids this"),
        ("activity.404", r"404 \(Record Not Found: Activity not found\)\. Check STRAVA_BASE_URL"),
        (
            "activities.400_milliseconds",
            r"400 \(Bad Request: Activity after invalid\)\. Strava did not accept the request",
        ),
    ],
)
def test_refusals_are_explained_and_not_repeated(stub: ApiStub, name: str, words: str) -> None:
    stub.script(LIST, *[recorded("strava_api", name)] * 9)
    with pytest.raises(ApiError, match=words) as caught:
        ids(api().activities(START, END))
    assert caught.value.details() == {"http_status": int(name[name.index(".") + 1 :][:3])}
    assert len(stub.asked(LIST)) == (2 if caught.value.status == 401 else 1)
    assert [secret for secret in stub.secrets() if secret in str(caught.value)] == []


def test_a_closed_application_stays_closed(stub: ApiStub) -> None:
    stub.is_inactive = True
    with pytest.raises(BuddyError, match="buddy ingest strava-export"):
        api().activity("1")


def test_the_service_knows_milliseconds_when_it_sees_them(stub: ApiStub) -> None:
    """What a client that sends them would meet; ours does not."""
    with pytest.raises(ApiError, match="answered 400"):
        api().call("GET", LIST, params={"after": int(START.timestamp() * 1000)})
