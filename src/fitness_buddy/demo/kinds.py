"""List the kinds of activities of the athlete with their usual numbers."""

from __future__ import annotations

from dataclasses import dataclass

# An export names gear by the athlete's own name for it.
EVERYDAY_SHOE, RACE_SHOE, TRAIL_SHOE = "Alltagstreter", "Rennschnecke", "Matschkönigin"
ROAD_BIKE, GRAVEL_BIKE = "Silberpfeil", "Klappergestell"

_FORGOTTEN_STRAP = 0.09


@dataclass(frozen=True, slots=True)
class Kind:
    """The common properties of one kind of activity.

    Attributes:
        sport: the activity type, spelled as in an export.
        km: the usual distance; 0 if there is none, then ``minutes`` counts.
        speed: metres per second while moving.
        effort: the usual share of the heart rate reserve.
        climb: metres up per kilometre.
        pause: (least, most) time at rest as a share of the moving time.
        gear: the name of the shoe or bike.
        steps_per_minute: 0 for sports without steps.
        watts: the average power with a power meter.
        heart_rate: the share of activities with a heart rate.
        names: the names that she gives.
    """

    sport: str
    km: float
    speed: float
    effort: float
    names: tuple[str, ...]
    climb: float = 0.0
    pause: tuple[float, float] = (0.01, 0.06)
    gear: str = ""
    steps_per_minute: int = 0
    watts: int = 0
    minutes: int = 0
    heart_rate: float = 1.0 - _FORGOTTEN_STRAP

    @property
    def is_outdoors(self) -> bool:
        return self.sport not in {"Virtual Ride", "Weight Training", "Swim"}

    @property
    def is_race(self) -> bool:
        return self.pause == _RACE_PAUSE


_RACE_PAUSE = (0.0, 0.008)
_RIDE_PAUSE = (0.05, 0.16)

KINDS = {
    "easy": Kind(
        "Run", 8.2, 2.80, 0.62, ("Feierabendrunde", "Easy loop", "Park loop", "Easy with podcast", "Kanalrunde"),
        climb=5, gear=EVERYDAY_SHOE, steps_per_minute=166,
    ),
    "recovery": Kind(
        "Run", 5.6, 2.62, 0.54, ("Shake-out", "Locker auslaufen", "Slow and happy", "Recovery jog"),
        climb=4, gear=EVERYDAY_SHOE, steps_per_minute=163,
    ),
    "intervals": Kind(
        "Run", 9.4, 2.98, 0.75, ("5 × 1000 m", "10 × 400 m", "Hill repeats", "Intervalle", "Pyramid 1-2-3-2-1"),
        climb=4, gear=RACE_SHOE, steps_per_minute=172, pause=(0.04, 0.12),
    ),
    "tempo": Kind(
        "Run", 10.2, 3.06, 0.77, ("Tempo 3 × 2 km", "Tempodauerlauf", "Steady state", "Marathon pace, more or less"),
        climb=4, gear=RACE_SHOE, steps_per_minute=172,
    ),
    "long": Kind(
        "Run", 15.5, 2.72, 0.66, ("Long run", "Langer Lauf", "Sunday long one", "Around both lakes"),
        climb=6, gear=EVERYDAY_SHOE, steps_per_minute=165,
    ),
    "longest": Kind(
        "Run", 25.5, 2.70, 0.68, ("Long run, marathon block", "Langer Lauf mit Endbeschleunigung", "Very long one"),
        climb=5, gear=EVERYDAY_SHOE, steps_per_minute=165, pause=(0.03, 0.08),
    ),
    "trail": Kind(
        "Trail Run", 12.0, 2.34, 0.70, ("Forest trails", "Wurzeltrail", "Hill trails", "Mud festival"),
        climb=26, gear=TRAIL_SHOE, steps_per_minute=158, pause=(0.03, 0.12),
    ),
    "ten": Kind(
        "Run", 10.04, 3.48, 0.88, ("10 km race",), climb=2, gear=RACE_SHOE, steps_per_minute=178, pause=_RACE_PAUSE,
        heart_rate=1,
    ),
    "half": Kind(
        "Run", 21.16, 3.20, 0.85, ("Half marathon",), climb=4, gear=RACE_SHOE, steps_per_minute=175, pause=_RACE_PAUSE,
        heart_rate=1,
    ),
    "marathon": Kind(
        "Run", 42.41, 3.00, 0.81, ("Marathon",), climb=3, gear=RACE_SHOE, steps_per_minute=172, pause=_RACE_PAUSE,
        heart_rate=1,
    ),
    "ride": Kind(
        "Ride", 41.0, 7.5, 0.58, ("Feierabendrunde auf dem Rad", "Road loop", "Flat and fast", "Coffee ride"),
        climb=6, gear=ROAD_BIKE, pause=_RIDE_PAUSE,
    ),
    "long_ride": Kind(
        "Ride", 82.0, 7.4, 0.60, ("Long ride", "Lange Ausfahrt", "To the lake and back", "Century practice"),
        climb=7, gear=ROAD_BIKE, pause=(0.1, 0.25),
    ),
    "two_hundred": Kind(
        "Ride", 202.6, 7.25, 0.61, ("200 km",), climb=7, gear=ROAD_BIKE, pause=(0.16, 0.18), heart_rate=1,
    ),
    "gravel": Kind(
        "Gravel Ride", 46.0, 5.9, 0.62, ("Gravel loop", "Schotterrunde", "Dust & cake", "Waldautobahn"),
        climb=10, gear=GRAVEL_BIKE, pause=_RIDE_PAUSE,
    ),
    "virtual": Kind(
        "Virtual Ride", 27.0, 8.2, 0.66, ("Wohnzimmerwatt", "Sweet spot 3 × 12", "Trainer & series", "Rollentraining"),
        climb=8, gear=ROAD_BIKE, watts=162, pause=(0.0, 0.03),
    ),
    "commute_out": Kind(
        "Ride", 8.4, 5.5, 0.42, ("Ins Büro", "Commute", "To work"), climb=3, gear=GRAVEL_BIKE, pause=_RIDE_PAUSE,
        heart_rate=0.6,
    ),
    "commute_home": Kind(
        "Ride", 8.9, 5.4, 0.43, ("Heimweg", "Commute home", "Home via the bakery"), climb=3, gear=GRAVEL_BIKE,
        pause=_RIDE_PAUSE, heart_rate=0.6,
    ),
    "swim": Kind(
        "Swim", 1.8, 0.62, 0.56, ("Bahnen ziehen", "Pool drills", "Swim, mostly technique", "Schwimmbad"),
        pause=(0.06, 0.18), heart_rate=0.6,
    ),
    "strength": Kind(
        "Weight Training", 0, 0, 0.36, ("Strength", "Krafttraining", "Rumpf & Rücken", "Squats and complaints"),
        minutes=44, pause=(0.0, 0.1),
    ),
    "hike": Kind(
        "Hike", 13.0, 1.12, 0.44, ("Hüttenwanderung", "Ridge walk", "Up to the cross and back", "Bergtour"),
        climb=48, gear=TRAIL_SHOE, steps_per_minute=104, pause=(0.15, 0.35),
    ),
    "walk": Kind(
        "Walk", 5.2, 1.42, 0.27, ("Spaziergang", "Walk with Mira", "Evening walk", "Walk & talk"),
        climb=4, steps_per_minute=112, pause=(0.04, 0.2), heart_rate=0.75,
    ),
    "alpine": Kind(
        "Alpine Ski", 29.0, 5.3, 0.40, ("Skitag ⛷️", "First lift to last lift", "Powder!", "Piste & Kaiserschmarrn"),
        climb=52, pause=(1.4, 2.4),
    ),
    "nordic": Kind(
        "Nordic Ski", 17.0, 3.2, 0.68, ("Langlauf", "Classic tracks", "Loipe, hin und zurück"), climb=13,
        pause=(0.05, 0.15),
    ),
}  # fmt: skip
