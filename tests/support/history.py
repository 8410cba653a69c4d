"""Generated athletes whose data keeps changing: loads, edits, moves, deletions, newcomers, other settings and days."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fitness_buddy.core.settings import Settings
from fitness_buddy.ingest.landing import Batch, Record, tombstone
from fitness_buddy.warehouse import Row, connect

MARTS = {
    "fct_activities": "athlete_id, activity_id",
    "fct_daily_workouts": "athlete_id, activity_date, sport_family",
    "fct_daily_steps": "athlete_id, steps_date",
    "fct_meals": "athlete_id, meal_id",
    "fct_daily_macros": "athlete_id, meal_date",
    "fct_daily_health": "athlete_id, date_day",
    "fct_source_coverage": "athlete_id, area, source",
    "dim_athletes": "athlete_id",
    "dim_gear": "athlete_id, gear_id",
    "dim_dates": "date_day",
    "fct_activity_load": "athlete_id, activity_id",
    "fct_training_load": "athlete_id, date_day",
    "fct_streaks": "athlete_id, streak_type",
    "fct_eddington": "athlete_id, sport_family, unit",
    "fct_period_totals": "athlete_id, period_type, sport_family, period_start",
    "fct_week_to_date": "athlete_id, date_day",
    "fct_week_to_date_by_sport": "athlete_id, date_day, sport_family",
    "fct_records": "athlete_id, sport_family, record_type, band, achieved_on, value",
    "fct_gear_distance": "athlete_id, gear_id",
    "fct_goals": "athlete_id, goal, period_start",
    "fct_activity_laps": "athlete_id, activity_id, lap",
    "fct_activity_splits": "athlete_id, activity_id, unit, split",
    "fct_best_efforts": "athlete_id, activity_id, distance_m",
    "fct_power_curve": "athlete_id, activity_id, duration_s",
    "fct_activity_zones": "athlete_id, activity_id, zone_type, zone",
    "fct_activity_streams_summary": "athlete_id, activity_id",
}

FIRST_DAY = date(2026, 2, 1)
SETTINGS_HEADER = (
    "athlete_id,valid_from,timezone,step_goal,carbs_target_pct,protein_target_pct,fat_target_pct,"
    "macro_tolerance_pct,resting_heartrate_bpm,max_heartrate_bpm,sex,"
    "ftp_w,lactate_threshold_heartrate_bpm,weight_kg,first_day_of_week,distance_unit\n"
)
# A build that only finds out which days are to be built.
ONLY_WINDOW = ("--select", "+int_rebuild_window")
DEFAULTS = "*,1900-01-01,UTC,10000,45,25,30,5,60,190,,,,,monday,km\n"


def marts(settings: Settings) -> dict[str, list[Row]]:
    """All rows of all marts of a warehouse, in the order of their keys."""
    schema = settings.marts_schema
    # Opened once: DuckDB takes longer to open a warehouse than to read a mart.
    with connect(settings).reading() as reader:
        return {
            mart: list(reader.query(f"select * from {schema}.{mart} order by {key}")) for mart, key in MARTS.items()
        }


@dataclass(frozen=True)
class Chapter:
    """What happens between two builds, and the build after it.

    Attributes:
        loads: athlete and batches of one load each, in order.
        as_of: the day the build takes as today; also the day on which the loads arrive.
        settings: rows of the settings seed from now on; None: as before.
        hour: since the day began in UTC, in which the loads arrive; a later chapter of a day has a later one.
        rebuilt_from: the first day of the window; None where the story does not say it.
        options: of the dbt build.
    """

    name: str
    as_of: date
    loads: Sequence[tuple[str, Sequence[Batch]]] = ()
    settings: str | None = None
    hour: int = 21
    rebuilt_from: date | None = None
    options: Sequence[str] = ()

    @property
    def loaded_at(self) -> Iterator[datetime]:
        """An instant for each load, minutes apart."""
        day = datetime(self.as_of.year, self.as_of.month, self.as_of.day, tzinfo=UTC)
        return (day + timedelta(hours=self.hour, minutes=minute) for minute in range(len(self.loads)))


def activity(activity_id: str, started_at: datetime, distance_m: float, sport: str = "Run", **others: str) -> Record:
    """An activity as the export's reader yields it."""
    return Record(
        activity_id,
        {
            "activity_date": started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "activity_type": sport,
            "activity_name": f"{sport} {activity_id}",
            "distance_m": f"{distance_m:.1f}",
            "elapsed_time": f"{distance_m / 2.5 + 60:.1f}",
            "moving_time": f"{distance_m / 2.7:.1f}",
            "elevation_gain": f"{distance_m / 113:.3f}",
            **others,
        },
        day=started_at.date(),
    )


def api_activity(
    activity_id: str, started_at: datetime, distance_m: float, sport: str = "Run", **others: str
) -> Record:
    """The same activity as the API's reader yields it, on the clock of a traveller in Tokyo."""
    return Record(
        activity_id,
        {
            "id": activity_id,
            "name": f"{sport} {activity_id}",
            "sport_type": sport.replace(" ", ""),
            "start_date": started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "start_date_local": (started_at + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timezone": "(GMT+09:00) Asia/Tokyo",
            "distance": round(distance_m, 1),
            "elapsed_time": round(distance_m / 2.5 + 60),
            "moving_time": round(distance_m / 2.7),
            "total_elevation_gain": round(distance_m / 113, 1),
            **others,
        },
        day=started_at.date(),
    )


def steps_day(source: str, day: date, steps: int | None) -> Record:
    """A day's steps of one source."""
    return Record(
        f"{source}|{day}",
        {"source": source, "date": str(day), "steps": None if steps is None else str(steps)},
        day=day,
    )


def steps_interval(source: str, started_at: datetime, steps: int) -> Record:
    """The steps of one source from an instant on."""
    text = started_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Record(
        f"{source}|{text}", {"source": source, "started_at": text, "steps": str(steps)}, day=started_at.date()
    )


def apple_interval(device: str, started_at: datetime, minutes: int, steps: int) -> Record:
    """The steps of one of the devices of Apple Health."""
    start, end = (
        moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (started_at, started_at + timedelta(minutes=minutes))
    )
    return Record(
        f"apple_health|{device}|{start}|{end}",
        {
            "source": "apple_health",
            "source_name": device,
            "started_at": start,
            "ended_at": end,
            "steps": str(steps),
        },
        day=started_at.date(),
    )


def meal(meal_id: str, eaten_at: datetime, carbs_g: float, *, is_instant: bool = False) -> Record:
    """A meal of a diary, with an instant or a wall-clock time."""
    text = eaten_at.strftime("%Y-%m-%dT%H:%M:%S")
    when = {"eaten_at_utc": f"{text}Z"} if is_instant else {"eaten_at_local": text}
    nutrients = {"carbs_g": f"{carbs_g:.2f}", "protein_g": f"{carbs_g / 3:.3f}", "fat_g": f"{carbs_g / 7:.3f}"}
    return Record(meal_id, {**when, "description": f"Meal {meal_id}", **nutrients}, day=eaten_at.date())


def story(seed: int) -> list[Chapter]:
    """Athletes' history and what becomes of it; the same for the same seed.

    From the year 2011 to the move to another time zone, the windows of whole builds begin later and later. So what one
    of them does wrong in the first days of its window is still there to be found after the last.
    """
    chance = random.Random(seed)
    day_0 = FIRST_DAY + timedelta(days=100)

    def instant(day: date, hour: float) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)

    def days_of(athlete: str, first: date, last: date) -> list[Batch]:
        activities: list[Record] = []
        of_api: list[Record] = []
        daily: list[Record] = []
        intervals: list[Record] = []
        meals: list[Record] = []
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            for _ in range(chance.choice((0, 0, 1, 1, 2))):
                activity_id = f"{athlete[0]}{day:%m%d}{len(activities)}"
                started_at = instant(day, chance.uniform(0, 23.9))
                distance_m = chance.uniform(0, 21000)
                sport = chance.choice(("Run", "Trail Run", "Ride", "Weight Training", "Chess"))
                gear = {"activity_gear": name} if (name := chance.choice(("Old Faithful", "Brick", ""))) else {}
                sensors = chance.choice(
                    ({}, {"average_heart_rate": f"{chance.uniform(40, 190):.3f}"}, {"weighted_average_power": "180.0"})
                )
                activities.append(activity(activity_id, started_at, distance_m, sport, **gear, **sensors))
                if chance.random() < 0.4:
                    # alike, or edited since
                    edit = {"name": "Edited"} if chance.random() < 0.3 else {}
                    of_api.append(api_activity(activity_id, started_at, distance_m, sport, **edit))
                elif chance.random() < 0.2:
                    of_api.append(api_activity(f"{activity_id}0", started_at, distance_m, sport))
            if chance.random() < 0.85:
                daily.append(steps_day("phone", day, chance.choice((None, 0, chance.randrange(20000)))))
            if chance.random() < 0.5:
                daily.append(steps_day("watch", day, chance.randrange(20000)))
            if chance.random() < 0.4:
                intervals += [
                    steps_interval("band", instant(day, hour), chance.randrange(4000)) for hour in (1.25, 12, 22.75)
                ]
            if chance.random() < 0.5:
                # a phone and a watch in the same hours, also over midnight in Berlin, New York and UTC
                for hour in (3.9, 9, 21.9, 22.8, 23.9):
                    for device in ("Apple Watch", "iPhone", "Pedometer"):
                        began = instant(day, hour + chance.uniform(0, 0.2))
                        intervals.append(
                            apple_interval(device, began, chance.choice((0, 5, 10, 30)), chance.randrange(4000))
                        )
            for hour in (7.5, 12.25, 23.5):
                if chance.random() < 0.5:
                    meals.append(
                        meal(
                            f"{athlete[0]}{day:%m%d}-{hour}",
                            instant(day, hour),
                            chance.choice((0, chance.uniform(1, 150))),
                            is_instant=chance.random() < 0.5,
                        )
                    )
        return [
            Batch("strava_export_activities", activities),
            Batch("strava_api_activities", of_api),
            Batch("steps_daily", daily),
            Batch("steps_intervals", intervals),
            Batch("meals_entries", meals),
        ]

    def of(batches: Sequence[Batch], table: str) -> list[Record]:
        (batch,) = (batch for batch in batches if batch.table == table)
        return [record for record in batch.records if isinstance(record, Record)]

    gear = Batch(
        "strava_export_gear",
        [
            Record(
                "shoe:Old Faithful", {"gear_type": "shoe", "name": "Old Faithful", "brand": "Asics", "model": "Nimbus"}
            )
        ],
    )
    ada, bob = days_of("ada", FIRST_DAY, day_0), days_of("bob", FIRST_DAY + timedelta(days=9), day_0)
    ada_runs, ada_meals, ada_daily = (
        of(ada, "strava_export_activities"),
        of(ada, "meals_entries"),
        of(ada, "steps_daily"),
    )
    bob_runs = of(bob, "strava_export_activities")
    ada_settings = "ada,1900-01-01,Europe/Berlin,8000,50,25,25,5,52,186,female,230,168,61,monday,km\n"
    kiri_settings = "kiri,1900-01-01,Pacific/Auckland,8000,50,25,25,5,52,186,,,,,monday,km\n"
    settings = DEFAULTS + ada_settings + kiri_settings

    def day(number: int) -> date:
        return day_0 + timedelta(days=number)

    def before(*records: Record) -> date:
        """Return the day before the earliest of the records."""
        return min(record.day or day_0 for record in records) - timedelta(days=1)

    # Loaded before that day begins in UTC.
    breakfast = meal("breakfast", instant(day(1), 8.5), 60)

    moved_run, edited_run, deleted_run = ada_runs[20], ada_runs[40], ada_runs[-30]
    ada_api, ada_intervals = of(ada, "strava_api_activities"), of(ada, "steps_intervals")
    since_day_4 = f"ada,{day(4)},Europe/Berlin,12000,40,30,30,5,50,186,female,240,,60.5,sunday,mi\n"
    return [
        Chapter(
            "two athletes' first hundred days and a breakfast in New Zealand, and nothing new for two days",
            day(2),
            [("ada", [*ada, gear]), ("bob", bob), ("kiri", [Batch("meals_entries", [breakfast])])],
            settings=settings,
            hour=21 - 48,
        ),
        Chapter(
            "the next days of one of them: the window begins with the day of the breakfast",
            day(4),
            [("ada", days_of("ada", day(2), day(4)))],
            rebuilt_from=day(1),
        ),
        Chapter(
            "deletions of old records",
            day(5),
            [
                ("ada", [Batch("strava_export_activities", [tombstone(deleted_run)])]),
                ("ada", [Batch("meals_entries", [tombstone(ada_meals[40])])]),
                ("ada", [Batch("steps_daily", [tombstone(ada_daily[33])])]),
                ("bob", [Batch("strava_export_gear", [])]),
            ],
            hour=20,
            rebuilt_from=before(deleted_run, ada_meals[40], ada_daily[33]),
            options=ONLY_WINDOW,
        ),
        Chapter(
            "another goal from yesterday on, and weeks that begin on Sunday: all weeks do",
            day(5),
            settings=settings + since_day_4,
            rebuilt_from=FIRST_DAY - timedelta(days=1),
            options=ONLY_WINDOW,
        ),
        Chapter(
            "deletions of the very first records and by the API, an edit there that moves a day, intervals taken back, "
            "and an activity of more years ago than BigQuery writes partitions in one statement",
            day(5),
            [
                ("ada", [Batch("meals_entries", [tombstone(ada_meals[0])])]),
                ("ada", [Batch("steps_daily", [tombstone(ada_daily[0])])]),
                ("bob", [Batch("strava_export_activities", [tombstone(run) for run in bob_runs[:3]])]),
                (
                    "ada",
                    [
                        Batch(
                            "strava_api_activities",
                            [
                                tombstone(ada_api[3]),
                                tombstone(ada_api[-1]),
                                api_activity(ada_api[8].record_id, instant(day(5), 14.5), 7654),
                                api_activity(ada_runs[25].record_id, instant(day(-12), 15), 3210),
                            ],
                        ),
                        Batch("steps_intervals", [tombstone(record) for record in ada_intervals[-40::3]]),
                    ],
                ),
                ("bob", [Batch("strava_api_activities", [api_activity("b77", instant(day(5), 15.5), 10000)])]),
                ("bob", [Batch("strava_export_activities", [activity("b1", instant(date(2011, 5, 1), 9), 10000)])]),
            ],
            rebuilt_from=date(2011, 4, 30),
        ),
        Chapter(
            "an activity moved from long ago to yesterday, one edited in place",
            day(5),
            [
                (
                    "ada",
                    [
                        Batch(
                            "strava_export_activities",
                            [
                                activity(moved_run.record_id, instant(day(4), 6), 4321, activity_gear="Brick"),
                                activity(edited_run.record_id, instant(edited_run.day or day_0, 6), 12345.6, "Ride"),
                            ],
                        )
                    ],
                )
            ],
            hour=22,
            rebuilt_from=before(moved_run),
        ),
        Chapter(
            "a meal moved into the past, an old step count corrected, a deletion taken back, a newcomer with a history",
            day(7),
            [
                (
                    "ada",
                    [
                        Batch("meals_entries", [meal(ada_meals[-1].record_id, instant(day(-60), 9), 77)]),
                        Batch("steps_daily", [steps_day("watch", day(-40), 31000)]),
                        Batch(
                            "strava_export_activities",
                            [activity(deleted_run.record_id, instant(deleted_run.day or day_0, 9), 5000)],
                        ),
                    ],
                ),
                ("eve", days_of("eve", day(-20), day(7))),
            ],
            rebuilt_from=day(-61),
        ),
        Chapter(
            "a move to another time zone, stated for two weeks ago",
            day(9),
            settings=settings + f"ada,{day(-5)},America/New_York,12000,40,30,30,5,50,186,female,240,,60.5,sunday,mi\n",
            rebuilt_from=day(-6),
        ),
        Chapter("a look back at an earlier day", day(-3), rebuilt_from=day(-4)),
        Chapter("and today again", day(11), rebuilt_from=day(-4), options=ONLY_WINDOW),
        Chapter(
            "one area built alone leaves the rest for the next whole build",
            day(11),
            [("bob", [Batch("steps_daily", [steps_day("watch", day(-5), 40000)])])],
            options=("--select", "+fct_meals"),
        ),
        Chapter("the whole build after it", day(11), rebuilt_from=day(-6)),
        Chapter("all of it from empty", day(11), options=("--full-refresh",)),
    ]
