"""Google's Health API as it is documented: ranges, pages, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from api_stub import STEPS_PATH, ApiStub, Canned, broken, recorded

from fitness_buddy.core.http import ApiError, RateLimitedError
from fitness_buddy.core.state import open_state
from fitness_buddy.ingest.services.google_health import GoogleHealthApi, google_health_settings

DAY = timedelta(days=1)
SINCE = date(2026, 1, 1)
ROLL_UP = ":dailyRollUp"


def api(**options: Any) -> GoogleHealthApi:
    options = {"timeout_s": 5, "backoff_s": 0, **options}
    return GoogleHealthApi(google_health_settings(), open_state(), "ada", **options)


def steps(answers: Iterator[dict[str, Any]]) -> dict[date, int]:
    return {
        date(**point["civilStartTime"]["date"]): int(point["steps"]["countSum"])
        for answer in answers
        for point in answer["rollupDataPoints"]
    }


def ranges(stub: ApiStub) -> list[tuple[date, date]]:
    return [
        (date(**request.document["range"]["start"]["date"]), date(**request.document["range"]["end"]["date"]))
        for request in stub.asked(ROLL_UP)
    ]


def test_settings_are_google_s_own_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = google_health_settings()
    assert (settings.base_url, settings.token_url, settings.authorize_url) == (
        "https://health.googleapis.com/v4",
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/v2/auth",
    )
    monkeypatch.setenv("GOOGLE_HEALTH_REFRESH_TOKEN", "secret")
    assert "secret" not in repr(google_health_settings())


def test_a_day_is_asked_for_as_documented(stub: ApiStub) -> None:
    stub.steps = {SINCE - DAY: 1, SINCE: 9321, SINCE + DAY: 2}
    (answer,) = api().daily_steps(SINCE, SINCE + DAY)
    (request,) = stub.asked(ROLL_UP)
    span = {
        "start": {"date": {"year": 2026, "month": 1, "day": 1}},
        "end": {"date": {"year": 2026, "month": 1, "day": 2}},
    }
    assert (request.method, request.path) == ("POST", STEPS_PATH)
    assert request.document == {"range": span, "windowSizeDays": 1}
    assert stub.google.takes(request.token)
    assert answer["range"] == span
    assert [point["steps"] for point in answer["rollupDataPoints"]] == [{"countSum": "9321"}]


@pytest.mark.parametrize(
    ("days", "lengths"), [(0, []), (-1, []), (90, [90]), (91, [90, 1]), (365, [90, 90, 90, 90, 5])]
)
def test_ranges_are_at_most_90_days_and_leave_no_day_out(stub: ApiStub, days: int, lengths: list[int]) -> None:
    stub.steps = {SINCE + n * DAY: n for n in range(-1, 400)}
    found = steps(api().daily_steps(SINCE, SINCE + days * DAY))
    assert found == {SINCE + n * DAY: n for n in range(days)}
    assert [(until - since).days for since, until in ranges(stub)] == lengths


def test_pages_are_followed_with_the_same_range(stub: ApiStub) -> None:
    stub.steps = {SINCE + n * DAY: n for n in range(100) if n % 3}
    stub.steps_page = 25
    assert steps(api().daily_steps(SINCE, SINCE + 100 * DAY)) == stub.steps
    assert [request.document.get("pageToken") for request in stub.asked(ROLL_UP)] == [None, "25", "50", None]
    assert len(set(ranges(stub))) == 2


def test_days_without_data_are_missing_not_zero(stub: ApiStub) -> None:
    assert [answer["rollupDataPoints"] for answer in api().daily_steps(SINCE, SINCE + 2 * DAY)] == [[]]


def test_the_recorded_answers_are_read(stub: ApiStub) -> None:
    names = ("daily_roll_up.ok_page", "daily_roll_up.ok", "daily_roll_up.ok_none")
    stub.script(ROLL_UP, *(recorded("google_health", name) for name in names))
    found = steps(api().daily_steps(date(2026, 11, 1), date(2026, 11, 1) + 91 * DAY))
    assert found == {date(2026, 11, 2): 9321, date(2026, 11, 3): 12040, date(2026, 11, 5): 804}


def test_pages_that_go_in_a_circle_are_left(stub: ApiStub) -> None:
    def page(token: str) -> Canned:
        return Canned(body=b'{"nextPageToken": "%s"}' % token.encode())

    stub.script(ROLL_UP, page("a"), page("b"), page("a"), page("b"))
    with pytest.raises(ApiError, match="its pages go in a circle"):
        list(api().daily_steps(SINCE, SINCE + DAY))
    assert len(stub.asked(ROLL_UP)) == 3


@pytest.mark.parametrize("body", [b"[]", b'{"rollupDataPoints": {}}', b'{"rollupDataPoints": [1]}', b"null", b'"x"'])
def test_an_answer_of_another_shape_is_said(stub: ApiStub, body: bytes) -> None:
    stub.script(ROLL_UP, Canned(body=body))
    with pytest.raises(ApiError, match=r"POST 127\.0\.0\.1/v4/users/me/.*: expected a list rollupDataPoints"):
        list(api().daily_steps(SINCE, SINCE + DAY))


def test_a_429_is_waited_for_by_its_header_or_a_minute(stub: ApiStub) -> None:
    now = [1_795_600_000.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def client(max_wait_s: float = 900) -> GoogleHealthApi:
        return api(clock=lambda: now[0], sleep=sleep, max_wait_s=max_wait_s)

    full = "daily_roll_up.429"
    stub.script(ROLL_UP, recorded("google_health", full, Retry_After="7"), recorded("google_health", full))
    list(client().daily_steps(SINCE, SINCE + DAY))
    assert waits == [8, 61]
    stub.script(ROLL_UP, recorded("google_health", full, Retry_After="901"))
    with pytest.raises(RateLimitedError, match="Google Health takes no more requests for now: resume after"):
        list(client().daily_steps(SINCE, SINCE + DAY))
    stub.script(ROLL_UP, *[recorded("google_health", full)] * 9)
    with pytest.raises(RateLimitedError):
        list(client().daily_steps(SINCE, SINCE + DAY))
    assert waits == [8, 61, 61, 61]
    assert len(stub.asked(ROLL_UP)) == 3 + 1 + 3


def test_an_access_token_that_was_refused_is_renewed_once(stub: ApiStub) -> None:
    client = api()
    list(client.daily_steps(SINCE, SINCE + DAY))
    stub.google.access_tokens.clear()
    list(client.daily_steps(SINCE, SINCE + DAY))
    assert stub.google.refreshes == 2
    stub.script(ROLL_UP, *[recorded("google_health", "daily_roll_up.401_invalid")] * 9)
    with pytest.raises(ApiError, match=r"401 .*Google no longer takes this login: run `buddy auth google-health`"):
        list(client.daily_steps(SINCE, SINCE + DAY))
    assert client.requests == len(stub.requests) == 2 + 3 + 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("403_disabled", "Enable the Google Health API in the project"),
        ("403_scope", r"The login lacks https://.*activity_and_fitness\.readonly: run `buddy auth google-health`"),
        ("403_other", r"403 \(The caller does not have permission\)\. Google forbids this"),
        ("400_range", r"400 \(The requested range is longer than 90 days\.\)\. Google did not accept the request"),
    ],
)
def test_refusals_are_explained_and_not_repeated(stub: ApiStub, name: str, words: str) -> None:
    stub.script(ROLL_UP, recorded("google_health", f"daily_roll_up.{name}"))
    with pytest.raises(ApiError, match=words) as caught:
        list(api().daily_steps(SINCE, SINCE + DAY))
    assert len(stub.asked(ROLL_UP)) == 1
    assert [secret for secret in stub.secrets() if secret in str(caught.value)] == []


def test_a_wrong_address_is_named(stub: ApiStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_HEALTH_BASE_URL", f"{stub.url}/v5")
    with pytest.raises(ApiError, match="Check GOOGLE_HEALTH_BASE_URL"):
        list(api().daily_steps(SINCE, SINCE + DAY))


def test_passing_trouble_passes(stub: ApiStub) -> None:
    stub.steps = {SINCE: 5}
    stub.script(ROLL_UP, broken(500), broken(503))
    assert steps(api().daily_steps(SINCE, SINCE + DAY)) == {SINCE: 5}
