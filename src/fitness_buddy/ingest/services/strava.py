"""Strava's API v3, as the athlete's own application reads it: the list of activities, and one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from fitness_buddy.core import variables
from fitness_buddy.core.http import ApiError, HttpResponse
from fitness_buddy.ingest.services.oauth import AthleteApi, ServiceSettings

SCOPE = "activity:read_all"
PER_PAGE = 200  # the most that Strava gives
# Two million activities.
_MOST_PAGES = 10_000
_QUARTER_S = 15 * 60
_DAY_S = 24 * 60 * 60


def strava_settings() -> ServiceSettings:
    """Read the addresses of Strava and the athlete's application from the environment."""
    base_url = variables.STRAVA_BASE_URL.read().rstrip("/")
    return ServiceSettings(
        service="strava",
        title="Strava",
        variables="STRAVA",
        base_url=base_url,
        token_url=f"{base_url}/oauth/token",
        authorize_url="/".join([*base_url.split("/")[:3], "oauth/authorize"]),
        scope=SCOPE,
        authorize_params={"approval_prompt": "auto"},
        has_pkce=False,
        client_id=variables.STRAVA_CLIENT_ID.read(),
        client_secret=variables.STRAVA_CLIENT_SECRET.read(),
        refresh_token=variables.STRAVA_REFRESH_TOKEN.read(),
    )


class StravaApi(AthleteApi):
    """One athlete's activities. See :class:`AthleteApi` for the arguments."""

    SETUP: ClassVar[str] = "they are shown on https://www.strava.com/settings/api"

    def activities(self, after: datetime, before: datetime) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of SummaryActivity objects that start in [after, before); no page is empty, no order is promised.

        Raises:
            ValueError: a time without a zone.
            RateLimitedError, BuddyError: see :meth:`AthleteApi.call`; the pages before are valid.
        """
        if after.tzinfo is None or before.tzinfo is None:
            raise ValueError("Strava counts epoch seconds: after and before need a time zone")
        # Strava leaves out both ends. Activities start at whole seconds.
        params = {"after": math.ceil(after.timestamp()) - 1, "before": math.ceil(before.timestamp())}
        previous: list[dict[str, Any]] = []
        number = 1
        # A short page is not the last one: Strava filters after it has counted.
        while page := self._page({**params, "page": number, "per_page": PER_PAGE}):
            if number > _MOST_PAGES:
                raise ApiError(f"{self.settings.title} /athlete/activities", f"it has over {_MOST_PAGES:,} pages")
            if page == previous:
                raise ApiError(f"{self.settings.title} /athlete/activities", f"page {number} repeats the one before it")
            yield page
            previous = page
            number += 1

    def activity(self, activity_id: str) -> dict[str, Any] | None:
        """Return the DetailedActivity; None if it was deleted.

        Raises:
            RateLimitedError, BuddyError: see :meth:`AthleteApi.call`.
        """
        response = self.call("GET", f"/activities/{quote(activity_id, safe='')}", may_be_absent=True)
        if response.status == 404:
            return None
        activity = response.document
        if not isinstance(activity, dict):
            raise _unexpected(response, "an activity")
        return activity

    def _page(self, params: dict[str, int]) -> list[dict[str, Any]]:
        response = self.call("GET", "/athlete/activities", params=params)
        page = response.document
        if not isinstance(page, list) or not all(isinstance(activity, dict) for activity in page):
            raise _unexpected(response, "a list of activities")
        return page

    def _opens_at(self, response: HttpResponse, now: float) -> float | None:
        # Strava's windows are quarters of an hour and days in UTC.
        resets = tuple(now - now % window + window for window in (_QUARTER_S, _DAY_S))
        full = [resets[0]] if response.status == 429 else []
        # The last request of a limit is not used: Strava counts late, and a request over the limit counts as well.
        for kind in ("X-RateLimit", "X-ReadRateLimit"):
            limits, usages = (response.headers.get(f"{kind}-{name}", "").split(",") for name in ("Limit", "Usage"))
            for limit, usage, reset in zip(limits, usages, resets, strict=False):
                if limit.strip().isdecimal() and usage.strip().isdecimal() and int(usage) >= max(1, int(limit) - 1):
                    full.append(reset)
        return max(full, default=None)

    def _explain(self, response: HttpResponse) -> str:
        errors = _errors(response.document)
        if response.status == 401:
            if any(error.get("code") == "missing" for error in errors):
                return f"The login lacks {SCOPE}: run `buddy auth strava` and leave its boxes ticked"
            return "Strava no longer takes this login, which the athlete may have revoked: run `buddy auth strava`"
        if response.status == 403:
            if any(error.get("resource") == "Application" and error.get("code") == "Inactive" for error in errors):
                return (
                    "Strava has closed this application: since mid 2026 its API is for paid use. "
                    "Your own export needs no API: `buddy ingest strava-export`"
                )
            return "Strava forbids this to the application or to the login"
        if response.status == 404:
            return "Check STRAVA_BASE_URL"
        return "Strava did not accept the request"


def _errors(document: Any) -> list[dict[str, Any]]:
    errors = document.get("errors") if isinstance(document, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _unexpected(response: HttpResponse, expected: str) -> ApiError:
    words = f" ({response.message})" if response.message else ""
    found = type(response.document).__name__
    return ApiError(response.request, f"expected {expected}, found JSON of type {found}{words}", status=response.status)
