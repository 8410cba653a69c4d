"""A recording: the sessions of an activity file with their points and laps, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# The columns of a point beside its time.
CHANNELS = (
    *("distance_m", "latitude_deg", "longitude_deg", "altitude_m", "heartrate_bpm", "power_w", "cadence_rpm"),
    *("speed_m_s", "temperature_c"),
)


class FileRefusedError(ValueError):
    """A file that gives no activity; the message says what was expected, what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Track:
    """What a format's reader finds.

    Attributes:
        times: seconds since 1970 UTC of each point, in the order of the file.
        channels: by the names of :data:`CHANNELS` one number for each point, NaN where it has none.
        sessions: what the file states of each activity in it; see :class:`Stated`.
        laps: what it states of each lap.
        breaks: times after which the timer did not run; the next point begins a new stretch.
        parser: the library.
        parser_version: its version.
        utc_offset_s: seconds that the athlete's clock was ahead of UTC, if the file states it.
        device: maker and model.
        warning: what is wrong with the file although it gives its activity.
        is_partial: the file is cut off.
    """

    times: np.ndarray
    channels: Mapping[str, np.ndarray]
    sessions: Sequence[Stated]
    laps: Sequence[Stated]
    breaks: Sequence[float]
    parser: str
    parser_version: str
    utc_offset_s: int | None = None
    device: str | None = None
    warning: str = ""
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file states of a session or a lap.

    Attributes:
        starts: seconds since 1970 UTC; None if it is not stated.
        ends: the time at which the session was closed.
        values: ``elapsed_time_s``, ``distance_m`` and so on, as staging reads them; no None.
    """

    starts: float | None
    ends: float | None
    values: Mapping[str, Any] = field(default_factory=dict)


def stated(starts: float | None, ends: float | None, **values: Any) -> Stated:
    """Return what is stated, without the values that are None."""
    return Stated(starts, ends, {name: value for name, value in values.items() if value is not None})
