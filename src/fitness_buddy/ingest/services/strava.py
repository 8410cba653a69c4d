"""Strava's API v3, as the athlete's own application reads it: the list of activities, and one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from fitness_buddy.core.http import Answer, ApiError
from fitness_buddy.ingest.services.oauth import AthleteApi, ServiceSettings, from_environment

SCOPE = "activity:read_all"
PER_PAGE = 200  # the most that Strava gives
_QUARTER_S = 15 * 60
_DAY_S = 24 * 60 * 60


def strava_settings() -> ServiceSettings:
    """STRAVA_CLIENT_ID, STRAVA_CLIENT_SECRET, STRAVA_REFRESH_TOKEN and STRAVA_BASE_URL (tokens come from there too)."""
    base_url = from_environment("STRAVA", "BASE_URL", "https://www.strava.com/api/v3").rstrip("/")
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
        client_id=from_environment("STRAVA", "CLIENT_ID"),
        client_secret=from_environment("STRAVA", "CLIENT_SECRET"),
        refresh_token=from_environment("STRAVA", "REFRESH_TOKEN"),
    )


class StravaApi(AthleteApi):
    """One athlete's activities. See :class:`AthleteApi` for what it is made with."""

    SETUP: ClassVar[str] = "they stand on https://www.strava.com/settings/api"

    def activities(self, after: datetime, before: datetime) -> Iterator[list[dict[str, Any]]]:
        """SummaryActivity objects that start in [after, before), in pages that are not empty, in no promised order.

        Raises:
            ValueError: a time without a zone.
            RateLimitedError, BuddyError: see :meth:`AthleteApi.call`; the pages before are good.
        """
        if after.tzinfo is None or before.tzinfo is None:
            raise ValueError("Strava counts epoch seconds: after and before need a time zone")
        # Strava leaves out both ends. Activities start at whole seconds.
        params = {"after": math.ceil(after.timestamp()) - 1, "before": math.ceil(before.timestamp())}
        previous: list[dict[str, Any]] = []
        number = 1
        # A short page is not the last one: Strava filters after it has counted.
        while page := self._page({**params, "page": number, "per_page": PER_PAGE}):
            if page == previous:
                raise ApiError(f"{self.settings.title} /athlete/activities", f"page {number} repeats the one before it")
            yield page
            previous = page
            number += 1

    def activity(self, activity_id: str) -> dict[str, Any] | None:
        """DetailedActivity; None if there is no such one any more.

        Raises:
            RateLimitedError, BuddyError: see :meth:`AthleteApi.call`.
        """
        answer = self.call("GET", f"/activities/{quote(activity_id, safe='')}", may_be_absent=True)
        if answer.status == 404:
            return None
        activity = answer.document
        if not isinstance(activity, dict):
            raise _unexpected(answer, "an activity")
        return activity

    def _page(self, params: dict[str, int]) -> list[dict[str, Any]]:
        answer = self.call("GET", "/athlete/activities", params=params)
        page = answer.document
        if not isinstance(page, list) or not all(isinstance(activity, dict) for activity in page):
            raise _unexpected(answer, "a list of activities")
        return page

    def _full_until_by(self, answer: Answer, now: float) -> float:
        # Windows are the clock's in UTC: quarters of an hour, and days.
        resets = tuple(now - now % window + window for window in (_QUARTER_S, _DAY_S))
        full = [resets[0]] if answer.status == 429 else []
        # Of a limit, one request is left alone: Strava counts late, and a request over the limit counts as well.
        for kind in ("X-RateLimit", "X-ReadRateLimit"):
            limits, usages = (answer.headers.get(f"{kind}-{name}", "").split(",") for name in ("Limit", "Usage"))
            for limit, usage, reset in zip(limits, usages, resets, strict=False):
                if limit.strip().isdecimal() and usage.strip().isdecimal() and int(usage) >= max(1, int(limit) - 1):
                    full.append(reset)
        return max(full, default=0)

    def _explain(self, answer: Answer) -> str:
        errors = _errors(answer.document)
        if answer.status == 401:
            if any(error.get("code") == "missing" for error in errors):
                return f"The login lacks {SCOPE}: run `buddy auth strava` and leave its boxes ticked"
            return "Strava no longer takes this login, which the athlete may have revoked: run `buddy auth strava`"
        if answer.status == 403:
            if any(error.get("resource") == "Application" and error.get("code") == "Inactive" for error in errors):
                return (
                    "Strava has closed this application: since mid 2026 its API is for paid use. "
                    "Your own export needs no API: `buddy ingest strava-export`"
                )
            return "Strava forbids this to the application or to the login"
        if answer.status == 404:
            return "Check STRAVA_BASE_URL"
        return "Strava did not accept the request"


def _errors(document: Any) -> list[dict[str, Any]]:
    errors = document.get("errors") if isinstance(document, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _unexpected(answer: Answer, expected: str) -> ApiError:
    said = f" ({answer.message})" if answer.message else ""
    found = type(answer.document).__name__
    return ApiError(answer.request, f"expected {expected}, found JSON of type {found}{said}", status=answer.status)
