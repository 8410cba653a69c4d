"""Plan two years of training: which activity on which day, in days and weeks before the last day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

DAYS = 730
# (first, last) in days back: no activity at all in these.
INJURY = (495, 512)
ILLNESS = (285, 292)
HOLIDAY_WEEKS = (61, 62)
SKI_WEEKS = (36, 37)

_SKIPPED = 0.07  # life gets in the way
_COMMUTING = 0.5  # the share of weeks in the bright half of the year with a day of cycling to work
_COMMUTE_MONTHS = range(3, 11)
_CUT_BACK = 0.78  # every fourth week is lighter
_MONDAY, _TUESDAY, _WEDNESDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = range(7)


@dataclass(frozen=True, slots=True)
class Session:
    """One planned activity.

    Attributes:
        days_back: its local day, counted back from the last one.
        minute: local start, in minutes after midnight.
        kind: key of ``kinds.KINDS``.
        volume: factor on the kind's usual distance.
        name: what the athlete called it; None lets the kind choose.
        is_manual: typed in, not recorded.
        is_without_distance: typed in with the time only.
    """

    days_back: int
    minute: int
    kind: str
    volume: float = 1.0
    name: str | None = None
    description: str | None = None
    is_manual: bool = False
    is_without_distance: bool = False


Week = tuple[tuple[int, str], ...]

_BASE: tuple[Week, Week] = (
    ((_MONDAY, "strength"), (_TUESDAY, "easy"), (_THURSDAY, "virtual"), (_SATURDAY, "swim"), (_SUNDAY, "long")),
    ((_TUESDAY, "virtual"), (_WEDNESDAY, "strength"), (_THURSDAY, "easy"), (_SATURDAY, "trail"), (_SUNDAY, "walk")),
)
_RUNNING: tuple[Week, Week] = (
    (
        (_TUESDAY, "intervals"),
        (_WEDNESDAY, "strength"),
        (_THURSDAY, "easy"),
        (_SATURDAY, "recovery"),
        (_SUNDAY, "long"),
    ),
    ((_MONDAY, "strength"), (_TUESDAY, "tempo"), (_THURSDAY, "easy"), (_SATURDAY, "swim"), (_SUNDAY, "long")),
)
_MARATHON: tuple[Week, Week] = (
    (
        (_MONDAY, "strength"),
        (_TUESDAY, "intervals"),
        (_THURSDAY, "easy"),
        (_SATURDAY, "recovery"),
        (_SUNDAY, "longest"),
    ),
    ((_TUESDAY, "easy"), (_WEDNESDAY, "tempo"), (_FRIDAY, "swim"), (_SATURDAY, "ride"), (_SUNDAY, "longest")),
)
_CYCLING: tuple[Week, Week] = (
    (
        (_TUESDAY, "easy"),
        (_WEDNESDAY, "ride"),
        (_THURSDAY, "strength"),
        (_SATURDAY, "long_ride"),
        (_SUNDAY, "recovery"),
    ),
    ((_TUESDAY, "intervals"), (_THURSDAY, "ride"), (_FRIDAY, "swim"), (_SATURDAY, "gravel"), (_SUNDAY, "trail")),
)
_COMEBACK: tuple[Week, Week] = (
    ((_MONDAY, "swim"), (_WEDNESDAY, "strength"), (_THURSDAY, "recovery"), (_SATURDAY, "ride"), (_SUNDAY, "walk")),
    ((_TUESDAY, "recovery"), (_WEDNESDAY, "swim"), (_FRIDAY, "strength"), (_SUNDAY, "gravel")),
)
_TAPER: tuple[Week, Week] = (
    ((_TUESDAY, "tempo"), (_WEDNESDAY, "strength"), (_THURSDAY, "recovery"), (_SUNDAY, "long")),
    ((_TUESDAY, "intervals"), (_THURSDAY, "easy"), (_FRIDAY, "swim"), (_SUNDAY, "long")),
)
_RACE_ON_SUNDAY: Week = ((_TUESDAY, "easy"), (_THURSDAY, "recovery"), (_SATURDAY, "recovery"))
_RACE_ON_SATURDAY: Week = ((_MONDAY, "swim"), (_TUESDAY, "recovery"), (_THURSDAY, "ride"))
_REST: Week = ((_WEDNESDAY, "walk"), (_FRIDAY, "swim"), (_SUNDAY, "recovery"))
_HOLIDAY: tuple[Week, Week] = (
    ((_MONDAY, "hike"), (_WEDNESDAY, "hike"), (_THURSDAY, "recovery"), (_SATURDAY, "hike")),
    ((_TUESDAY, "hike"), (_THURSDAY, "walk"), (_FRIDAY, "hike"), (_SUNDAY, "trail")),
)
_SKI: tuple[Week, Week] = (
    ((_MONDAY, "alpine"), (_TUESDAY, "alpine"), (_THURSDAY, "nordic"), (_FRIDAY, "alpine"), (_SATURDAY, "alpine")),
    ((_MONDAY, "alpine"), (_WEDNESDAY, "nordic"), (_THURSDAY, "alpine"), (_FRIDAY, "nordic"), (_SUNDAY, "walk")),
)


@dataclass(frozen=True, slots=True)
class _Phase:
    first_week: int  # weeks back; the larger number is the earlier one
    last_week: int
    weeks: tuple[Week, Week]
    volume_from: float
    volume_to: float


# Week 0 ends on the last day. Around the default day: week 103 is early November two years before.
_PHASES = (
    _Phase(103, 94, _BASE, 0.75, 0.92),
    _Phase(93, 85, _RUNNING, 0.85, 1.10),
    _Phase(84, 83, _TAPER, 0.75, 0.60),
    _Phase(82, 82, (_RACE_ON_SUNDAY, _RACE_ON_SUNDAY), 0.60, 0.60),
    _Phase(81, 81, (_REST, _REST), 0.70, 0.70),
    _Phase(80, 70, _CYCLING, 0.85, 1.05),
    _Phase(69, 63, _COMEBACK, 0.60, 0.95),
    _Phase(62, 61, _HOLIDAY, 1.0, 1.0),
    _Phase(60, 55, _RUNNING, 0.85, 1.05),
    _Phase(54, 54, (_RACE_ON_SUNDAY, _RACE_ON_SUNDAY), 0.65, 0.65),
    _Phase(53, 38, _BASE, 0.75, 0.95),
    _Phase(37, 36, _SKI, 1.0, 1.0),
    _Phase(35, 30, _RUNNING, 0.90, 1.15),
    _Phase(29, 29, _TAPER, 0.70, 0.70),
    _Phase(28, 28, (_RACE_ON_SUNDAY, _RACE_ON_SUNDAY), 0.60, 0.60),
    _Phase(27, 27, (_REST, _REST), 0.75, 0.75),
    _Phase(26, 19, _CYCLING, 0.90, 1.20),
    _Phase(18, 18, _COMEBACK, 0.80, 0.80),
    _Phase(17, 17, (_RACE_ON_SATURDAY, _RACE_ON_SATURDAY), 0.65, 0.65),
    _Phase(16, 16, (_REST, _REST), 0.80, 0.80),
    _Phase(15, 8, _MARATHON, 0.75, 1.18),
    _Phase(7, 6, _TAPER, 0.95, 0.70),
    _Phase(5, 5, (_RACE_ON_SUNDAY, _RACE_ON_SUNDAY), 0.60, 0.60),
    _Phase(4, 4, (_REST, _REST), 0.70, 0.70),
    _Phase(3, 1, _RUNNING, 0.70, 0.95),
)

_SPECIAL = (
    # Races and other activities with a story.
    Session(574, 600, "half", name="Frühlings-Halbmarathon 🏁", description="Sub 1:55 was the plan. Plan done!"),
    Session(378, 630, "ten", name="10 km am Kanal", description="First race after the knee. Glücklich."),
    Session(
        196,
        600,
        "half",
        name="Weiher-Halbmarathon 🏅",
        description='New best.\nLast 5 km "on pure Trotz", as coach says.',
    ),
    Session(
        120,
        330,
        "two_hundred",
        name="200 km: einmal rundherum ☀️",
        description="4 Käsebrötchen, 3 colas, 2 flat tyres,\n1 very happy human.\n\nNever again (until next year).",
    ),
    Session(
        35,
        570,
        "marathon",
        name="Drei-Weiher-Marathon 🥳",
        description="Cried a little at km 40, then flew.\nDanke, Beine!",
    ),
    # Shortly after midnight in Berlin: the day before in UTC.
    Session(669, 12, "recovery", 0.8, "Neujahrslauf 🎆", "First kilometres of the year, between the rockets."),
    Session(304, 9, "recovery", 0.8, "Neujahrslauf, again 🎆"),
    Session(410, 35, "walk", 0.6, "Can't sleep, walked"),
    Session(133, 50, "easy", 0.8, "Mittsommernachtslauf"),
    Session(88, 25, "walk", 0.7, "Home from the party, the long way"),
    # They end on the next day.
    Session(240, 1405, "virtual", 0.8, "Late shift on the trainer"),
    Session(171, 1412, "walk", 0.8, "Moon walk"),
    # Typed in by hand.
    Session(455, 1080, "swim", 0.8, "Freibad, forgot the watch", is_manual=True),
    Session(330, 1110, "easy", 0.7, "Laufband im Hotel", "Display said no distance, so neither do I.", True, True),
    Session(260, 420, "easy", 0.6, "Treadmill, 40 TV minutes", is_manual=True),
    Session(205, 1125, "strength", 1.0, "Kettlebells at Jana's", is_manual=True),
    Session(101, 660, "hike", 0.6, "Day out with the nieces", "Slow, wet, lovely.", True),
    Session(45, 1140, "strength", 0.8, "Rumpf & Rücken", is_manual=True),
)

# A new user sees the report of the last day first, so the last week is complete and has a streak.
_LAST_WRITTEN_OUT = 10
_LAST_DAYS = (
    Session(10, 1085, "easy", 1.0, "Kanalrunde mit Stirnlampe"),
    Session(9, 1095, "strength", 0.9),
    Session(7, 570, "gravel", 1.0, "Herbstlaub & Schotter 🍂", "Mud up to the ears, and cake."),
    Session(6, 1125, "strength", 1.0, "Strength: legs, mostly"),
    Session(5, 1090, "intervals", 1.0, "6 × 800 m, last one fastest"),
    Session(4, 462, "commute_out"),
    Session(4, 1052, "commute_home"),
    Session(3, 402, "easy", 1.0, "Easy before work"),
    Session(2, 1130, "swim", 1.0, "Bahnen zählen 🏊"),
    Session(1, 8, "walk", 0.6, "Halloween walk 🎃", "Home after midnight; the pumpkins were still lit."),
    Session(1, 610, "trail", 0.75, "Trail with Mira"),
    Session(0, 545, "long", 0.9, "Sunday long one, first frost", "Hands cold, legs good.\nNegative split, oops."),
    Session(0, 1020, "strength", 0.8, "Rumpf & Rücken"),
)  # fmt: skip


def is_within(days_back: int, span: tuple[int, int]) -> bool:
    return span[0] <= days_back <= span[1]


def sessions(as_of: date, rng: random.Random) -> list[Session]:
    """Return every planned activity of the two years, the last week at the end."""
    planned = [session for phase in _PHASES for session in _phase_sessions(phase, as_of, rng)]
    planned = [session for session in planned if session.days_back > _LAST_WRITTEN_OUT]
    return [
        session
        for session in (*planned, *_SPECIAL, *_LAST_DAYS)
        if not is_within(session.days_back, INJURY) and not is_within(session.days_back, ILLNESS)
    ]


def _phase_sessions(phase: _Phase, as_of: date, rng: random.Random) -> Iterator[Session]:
    race_days = {session.days_back for session in _SPECIAL if session.kind in _RACES}
    for week in range(phase.first_week, phase.last_week - 1, -1):
        volume = _volume(phase, week)
        for slot, kind in phase.weeks[week % 2]:
            days_back = 7 * week + _SUNDAY - slot
            is_skipped = rng.random() < _SKIPPED
            minute = _start_minute(kind, slot, rng)
            if days_back not in race_days and not is_skipped:
                yield Session(days_back, minute, kind, volume)
        yield from _commutes(week, as_of, rng)


_RACES = ("half", "ten", "marathon", "two_hundred")


def _volume(phase: _Phase, week: int) -> float:
    length = phase.first_week - phase.last_week
    done = (phase.first_week - week) / length if length else 1.0
    volume = phase.volume_from + (phase.volume_to - phase.volume_from) * done
    return volume * (_CUT_BACK if length >= 5 and (phase.first_week - week) % 4 == 3 else 1.0)


def _start_minute(kind: str, slot: int, rng: random.Random) -> int:
    """Return the usual start: weekends in the morning, working days before or after work, skiing by day."""
    if kind in {"alpine", "nordic", "hike"}:
        usual = 580
    elif slot >= _SATURDAY:
        usual = 560
    elif kind in {"easy", "recovery", "swim"} and rng.random() < 0.5:
        usual = 390
    else:
        usual = 1090
    return usual + rng.randint(-25, 45)


def _commutes(week: int, as_of: date, rng: random.Random) -> Iterator[Session]:
    slot = rng.choice((_MONDAY, _WEDNESDAY, _THURSDAY))
    out, home = 460 + rng.randint(-10, 25), 1035 + rng.randint(-30, 40)
    is_chosen = rng.random() < _COMMUTING
    days_back = 7 * week + _SUNDAY - slot
    day = as_of - timedelta(days=days_back)
    is_away = week in HOLIDAY_WEEKS or week in SKI_WEEKS
    if is_chosen and not is_away and day.month in _COMMUTE_MONTHS and day.weekday() < _SATURDAY:
        yield Session(days_back, out, "commute_out")
        yield Session(days_back, home, "commute_home")
