"""Keep the time of one command: stated with ``--now`` or read once, and advanced by the time elapsed since.

This time decides what is due, late, new or missing, and it is what gets recorded. Only measurements against the
outside world use the computer's clock: rate limits, pauses and timeouts, expiry of logins, and the budget of
language models.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from fitness_buddy.core.errors import UsageError

_EXAMPLE = "2026-11-22T21:00:00+01:00"
# Far enough from Python's first and last year, so that adding days and changing time zones cannot overflow.
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


def utc_now() -> datetime:
    """Return the current instant in UTC."""
    return datetime.now(UTC)


class Clock:
    """A clock that begins at a stated instant, or else at the current one, and advances with elapsed time.

    Attributes:
        now: the instant at which the clock began, in UTC.
        is_stated: true if that instant was stated.
    """

    def __init__(self, stated: datetime | None = None) -> None:
        """Begin at ``stated`` (timezone-aware); None for the current instant."""
        self._began_s = time.monotonic()
        self.is_stated = stated is not None
        self.now = utc_now() if stated is None else stated.astimezone(UTC)

    def __call__(self) -> datetime:
        """Return the current instant of this clock, in UTC."""
        return self.now + timedelta(seconds=time.monotonic() - self._began_s)


def read_instant(text: str) -> datetime:
    """Read the value of --now: an instant in ISO 8601 with its offset from UTC.

    Raises:
        UsageError: the text is no such instant, has no offset, or its year is not from 1970 to 2199.
    """
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None and _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            return instant.astimezone(UTC)
    except ValueError:
        pass
    raise UsageError(
        f"--now: expected an instant with its offset from UTC, {_FIRST_YEAR} to {_LAST_YEAR}, such as {_EXAMPLE}; "
        f"found {text!r}"
    )
