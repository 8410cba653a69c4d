"""Compute distance, time, heart rate and the other numbers of every activity, so that they are consistent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fitness_buddy.demo.kinds import KINDS, Kind
from fitness_buddy.demo.plan import DAYS, Session

ZONE = ZoneInfo("Europe/Berlin")  # the values of seeds/athlete_settings.csv
RESTING_HEART_RATE = 51
MAX_HEART_RATE = 186

_UNNAMED = 0.2  # kept the name that the app gave
_DESCRIBED = 0.2
_MONTHLY_CELSIUS = (1, 2, 6, 10, 15, 19, 21, 21, 16, 11, 6, 3)
_FIRST_ID = 12_850_000_000
_FIRST_UPLOAD_ID = 13_690_000_000
_POWER_IN_EXPORT = 2  # the newest ones with a power meter are FIT files, too, so that there is a power curve
_TRACKS_IN_EXPORT = 5  # the newest ones before the earlier export are GPX; all later recordings are FIT
_MIN_BREAK = timedelta(minutes=15)


_DESCRIPTIONS = (
    "Legs like Pudding.",
    "Felt great, stopped in time for once.",
    'Coach said "easy". It was not easy.',
    "Warm-up, main set, cool-down.\n\nAll done, nothing hurts.",
    "Müde, aber schön.",
    "Good company, better cake 🍰",
)
_DESCRIPTIONS_OUTDOORS = (
    *_DESCRIPTIONS,
    "Headwind out, headwind back. Wie geht das?",
    "Saw two herons, one fox 🦊, no other humans",
    "New socks: approved.\nOld knees: also approved, mostly.",
    "Sun, rain, wind, sun – alles dabei",
)

# (before this hour, name), as the app names activities.
_PARTS_OF_DAY = ((5, "Night"), (11, "Morning"), (14, "Lunch"), (17, "Afternoon"), (22, "Evening"), (24, "Night"))


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity in the athlete's account; an export only spells it in another way."""

    activity_id: str
    filename: str  # empty when typed in by hand
    started_at: datetime  # UTC
    kind: str
    sport: str
    name: str
    description: str
    gear: str
    distance_m: float
    moving_s: int
    elapsed_s: int
    top_speed: float  # a factor on the average
    climb_m: float | None
    low_m: float
    average_heart_rate: float | None
    max_heart_rate: int | None
    calories: int
    watts: int | None
    steps_per_minute: int
    celsius: int | None
    is_late: bool = False

    @property
    def local_day(self) -> date:
        return self.started_at.astimezone(ZONE).date()

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.elapsed_s)

    @property
    def is_manual(self) -> bool:
        return not self.filename

    @property
    def is_commute(self) -> bool:
        return self.kind.startswith("commute")

    @property
    def speed(self) -> float:
        return self.distance_m / self.moving_s

    @property
    def steps(self) -> int:
        return round(self.steps_per_minute * self.moving_s / 60)


def activities(sessions: Sequence[Session], as_of: date, earlier_day: date, rng: random.Random) -> list[Activity]:
    """Return every activity, ordered by start; no two overlap."""
    done: list[Activity] = []
    for session in sorted(sessions, key=lambda session: (-session.days_back, session.minute)):
        started_at = _start(session, as_of, rng)
        if done and started_at < done[-1].ended_at + _MIN_BREAK:
            started_at = done[-1].ended_at + _MIN_BREAK
        done.append(_activity(session, started_at, rng))
    late = _edited(done, earlier_day).late
    done[late] = replace(done[late], is_late=True)
    return _with_ids(done, as_of, earlier_day)


def _start(session: Session, as_of: date, rng: random.Random) -> datetime:
    day = as_of - timedelta(days=session.days_back)
    local = datetime.combine(day, time(session.minute // 60, session.minute % 60, rng.randrange(60)), tzinfo=ZONE)
    return local.astimezone(UTC)


def _activity(session: Session, started_at: datetime, rng: random.Random) -> Activity:
    kind = KINDS[session.kind]
    # Two years of training make her about 6 % faster. A race is always the best activity of its day.
    form = (1.0 if kind.is_race else rng.uniform(0.97, 1.03)) * (1.02 - 0.06 * session.days_back / DAYS)
    effort = kind.effort + (0.0 if kind.is_race else rng.uniform(-0.04, 0.04))
    distance_m = _distance(session, kind, rng)
    speed = kind.speed * form
    minutes = kind.minutes * rng.uniform(0.75, 1.3) if kind.minutes else 0.0
    moving_s = round(minutes * 60 if kind.minutes else distance_m / speed)
    if session.is_without_distance:
        distance_m = 0.0
    pause = 0.0 if session.is_manual else rng.uniform(*kind.pause)
    # She sometimes forgets the strap, but not on a day whose activity has a name.
    has_heart_rate = (rng.random() < kind.heart_rate or session.name is not None) and not session.is_manual
    average = RESTING_HEART_RATE + effort * (MAX_HEART_RATE - RESTING_HEART_RATE)
    spread = rng.uniform(9, 24) + (8 if session.kind in {"intervals", "strength", "alpine"} else 0)
    celsius = _MONTHLY_CELSIUS[started_at.month - 1] + rng.randint(-4, 5)
    if kind.sport in {"Alpine Ski", "Nordic Ski"}:
        celsius -= 6
    climb = distance_m / 1000 * kind.climb * rng.uniform(0.75, 1.3)
    return Activity(
        activity_id="",
        filename="" if session.is_manual else "recorded",
        started_at=started_at,
        kind=session.kind,
        sport=kind.sport,
        name=_name(session, kind, started_at, rng),
        description=_description(session, kind, rng),
        gear=kind.gear,
        distance_m=distance_m,
        moving_s=moving_s,
        elapsed_s=round(moving_s * (1 + pause)),
        top_speed=rng.uniform(1.25, 1.7),
        climb_m=round(climb, 1) if kind.climb and not session.is_manual else None,
        low_m=round(_lowest(kind) + rng.uniform(0, 20), 1),
        average_heart_rate=round(average, 1) if has_heart_rate else None,
        max_heart_rate=min(MAX_HEART_RATE, round(average + spread)) if has_heart_rate else None,
        # About 3 kcal a minute at a stroll, 10 at an easy run, 13 in a race.
        calories=round(moving_s / 60 * (0.5 + 14.5 * effort)),
        watts=round(kind.watts * form) if kind.watts else None,
        steps_per_minute=kind.steps_per_minute + rng.randint(-3, 3) if kind.steps_per_minute else 0,
        celsius=celsius if kind.is_outdoors and not session.is_manual else None,
    )


def _distance(session: Session, kind: Kind, rng: random.Random) -> float:
    jitter = rng.uniform(0.9, 1.1)
    if kind.is_race or session.kind == "two_hundred":
        return round(kind.km * 1000 * (1 + (jitter - 1) / 50), 1)
    if session.kind.startswith("commute"):  # the distance to work does not grow with training
        return round(kind.km * 1000 * (1 + (jitter - 1) / 5), 1)
    metres = kind.km * 1000 * session.volume * jitter
    return round(metres / 50) * 50.0 if kind.sport == "Swim" else round(metres, 1)


def _lowest(kind: Kind) -> float:
    if kind.sport in {"Alpine Ski", "Nordic Ski"}:
        return 1250
    return 640 if kind.sport == "Hike" else 34


def _name(session: Session, kind: Kind, started_at: datetime, rng: random.Random) -> str:
    own, is_unnamed = rng.choice(kind.names), rng.random() < _UNNAMED
    return session.name or (automatic_name(kind.sport, started_at) if is_unnamed else own)


def automatic_name(sport: str, started_at: datetime) -> str:
    """Return the name that the app gives at a local time."""
    hour = started_at.astimezone(ZONE).hour
    part = next(name for before, name in _PARTS_OF_DAY if hour < before)
    return f"{part} {sport}"


def _description(session: Session, kind: Kind, rng: random.Random) -> str:
    text, is_described = (
        rng.choice(_DESCRIPTIONS_OUTDOORS if kind.is_outdoors else _DESCRIPTIONS),
        rng.random() < _DESCRIBED,
    )
    if session.name or session.kind.startswith("commute"):
        return session.description or ""
    return text if is_described else ""


def _with_ids(done: Sequence[Activity], as_of: date, earlier_day: date) -> list[Activity]:
    """Number the activities by the time of their upload, which may be later than the activity."""
    origin = datetime.combine(as_of - timedelta(days=DAYS), time(), tzinfo=UTC)
    tracks = _newest_outdoors(done, earlier_day)
    with_power = [position for position, activity in enumerate(done) if activity.watts and not activity.is_manual]
    finished = []
    for position, activity in enumerate(done):
        uploaded_at = activity.ended_at
        if activity.is_late:
            uploaded_at = datetime.combine(earlier_day, time(20, 15), tzinfo=UTC) + timedelta(days=2)
        seconds = int((uploaded_at - origin).total_seconds())
        is_kept = activity.local_day > earlier_day or position in with_power[-_POWER_IN_EXPORT:]
        # Recordings of earlier years are not in the exports, because they would make the demo large.
        suffix = "gpx" if position in tracks else "fit" if is_kept else "fit.gz"
        filename = "" if activity.is_manual else f"activities/{_FIRST_UPLOAD_ID + seconds * 57}.{suffix}"
        finished.append(replace(activity, activity_id=str(_FIRST_ID + seconds * 54), filename=filename))
    return finished


def _newest_outdoors(done: Sequence[Activity], last_day: date) -> set[int]:
    recorded = [
        position
        for position, activity in enumerate(done)
        if activity.local_day <= last_day
        and KINDS[activity.kind].is_outdoors
        and not activity.is_manual
        and not activity.is_late
    ]
    return set(recorded[-_TRACKS_IN_EXPORT:])


@dataclass(frozen=True, slots=True)
class _Edited:
    """Positions of the activities that were different in the earlier export."""

    renamed: tuple[int, ...]
    retyped: int
    measured_again: int
    late: int


def _edited(done: Sequence[Activity], earlier_day: date) -> _Edited:
    """Return the activities that she edited: the newest of each kind at that time."""
    known = [
        position
        for position, activity in enumerate(done)
        if activity.local_day < earlier_day and not activity.is_manual and not KINDS[activity.kind].is_race
    ]

    def newest(sport: str) -> list[int]:
        return [position for position in reversed(known) if done[position].sport == sport]

    runs = newest("Run")
    # Only activities that have a name now, so that the rename is visible.
    named = [p for p in (*runs[2:12], *newest("Swim")) if done[p].name != _automatic(done[p])]
    return _Edited(
        renamed=tuple(named[:3]),
        retyped=newest("Trail Run")[0],
        measured_again=runs[0],
        late=newest("Weight Training")[0],
    )


def _automatic(activity: Activity) -> str:
    return automatic_name(activity.sport, activity.started_at)


def as_first_uploaded(done: Sequence[Activity], earlier_day: date) -> list[Activity]:
    """Return the account on ``earlier_day``: before the late upload, the new names and the corrections."""
    edited = _edited(done, earlier_day)
    before = list(done)
    for position in edited.renamed:
        before[position] = replace(done[position], name=_automatic(done[position]))
    before[edited.retyped] = replace(done[edited.retyped], sport="Run")
    corrected = done[edited.measured_again]
    before[edited.measured_again] = replace(corrected, distance_m=round(corrected.distance_m * 0.91, 1))
    return [activity for activity in before if activity.local_day <= earlier_day and not activity.is_late]
