"""The kinds of reports that are sent as messages."""

from __future__ import annotations

from enum import StrEnum


class ReportKind(StrEnum):
    """A report that is sent as a message; its value is its name in commands and flows."""

    DAILY_WORKOUT = "daily-workout"
    DAILY_STEPS = "daily-steps"
    DAILY_MACROS = "daily-macros"
    WEEKLY_DIGEST = "weekly-digest"
