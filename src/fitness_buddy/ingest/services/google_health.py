"""Google's Health API v4: steps a day, of all of the athlete's devices, reconciled by Google."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

from fitness_buddy.core import variables
from fitness_buddy.core.http import ApiError, HttpResponse, retry_after
from fitness_buddy.ingest.services.oauth import AthleteApi, ServiceSettings

SCOPE = "https://www.googleapis.com/auth/googlehealth.activity_and_fitness.readonly"
MOST_DAYS = 90  # of one range, by Google
_MOST_PAGES = 1_000  # of one range
_DAILY_STEPS = "/users/me/dataTypes/steps/dataPoints:dailyRollUp"
# Google's quotas are for one minute each; its responses seldom say so.
_QUOTA_S = 60


def google_health_settings() -> ServiceSettings:
    """Read the addresses of Google Health and the athlete's application from the environment."""
    return ServiceSettings(
        service="google-health",
        title="Google Health",
        variables="GOOGLE_HEALTH",
        base_url=variables.GOOGLE_HEALTH_BASE_URL.read(),
        token_url=variables.GOOGLE_HEALTH_TOKEN_URL.read(),
        authorize_url=variables.GOOGLE_HEALTH_AUTHORIZE_URL.read(),
        scope=SCOPE,
        # A refresh token is given only for a lasting login, and again only after consent.
        authorize_params={"access_type": "offline", "prompt": "consent"},
        has_pkce=True,
        client_id=variables.GOOGLE_HEALTH_CLIENT_ID.read(),
        client_secret=variables.GOOGLE_HEALTH_CLIENT_SECRET.read(),
        refresh_token=variables.GOOGLE_HEALTH_REFRESH_TOKEN.read(),
    )


class GoogleHealthApi(AthleteApi):
    """One athlete's steps. See :class:`AthleteApi` for the arguments."""

    SETUP: ClassVar[str] = (
        "they belong to an OAuth client (desktop app) on https://console.cloud.google.com/auth/clients"
    )

    def daily_steps(self, since: date, until: date) -> Iterator[dict[str, Any]]:
        """Yield the pages for the athlete's local days of [since, until).

        Each page has ``rollupDataPoints``, a list of ``{"civilStartTime": {"date": {year, month, day}},
        "steps": {"countSum": "9321"}}``, and ``range`` as it was sent. Days without data are left out.

        Raises:
            RateLimitedError, BuddyError: see :meth:`AthleteApi.call`; the pages before are valid.
        """
        while since < until:
            end = min(until, since + timedelta(days=MOST_DAYS))
            span = {"start": {"date": _civil(since)}, "end": {"date": _civil(end)}}
            yield from self._pages({"range": span, "windowSizeDays": 1})
            since = end

    def _pages(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        page_token = ""
        while True:
            response = self.call(
                "POST", _DAILY_STEPS, body_json={**body, "pageToken": page_token} if page_token else body
            )
            page = response.document
            points = page.get("rollupDataPoints", []) if isinstance(page, dict) else None
            if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
                raise ApiError(response.request, "expected a list rollupDataPoints", status=response.status)
            yield {**page, "rollupDataPoints": points, "range": body["range"]}
            page_token = str(page.get("nextPageToken") or "")
            if not page_token:
                return
            if len(seen) >= _MOST_PAGES:
                raise ApiError(response.request, f"it has over {_MOST_PAGES:,} pages", status=response.status)
            if page_token in seen:
                raise ApiError(
                    response.request, "its pages go in a circle: nextPageToken repeats", status=response.status
                )
            seen.add(page_token)

    def _opens_at(self, response: HttpResponse, now: float) -> float | None:
        if response.status != 429:
            return None
        stated = retry_after(response, now)
        return now + _QUOTA_S if stated is None else stated

    def _explain(self, response: HttpResponse) -> str:
        if response.status == 401:
            return "Google no longer takes this login: run `buddy auth google-health`"
        if response.status == 403:
            reasons = _reasons(response.document)
            if "SERVICE_DISABLED" in reasons:
                return "Enable the Google Health API in the project of the OAuth client, and wait a few minutes"
            if "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in reasons:
                return f"The login lacks {SCOPE}: run `buddy auth google-health` and leave its box ticked"
            return "Google forbids this to the application or to the login"
        if response.status == 404:
            return "Check GOOGLE_HEALTH_BASE_URL"
        return "Google did not accept the request"


def _civil(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _reasons(document: Any) -> set[str]:
    """Return the codes of the reasons why Google refused."""
    error = document.get("error") if isinstance(document, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return {str(detail.get("reason")) for detail in details or () if isinstance(detail, dict)}
