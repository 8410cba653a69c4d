"""The law of steps within one source: each moment is counted once, whichever devices and records claim it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support import run_buddy

from fitness_buddy.core.settings import load_settings
from fitness_buddy.ingest.landing import Record, to_raw_row
from fitness_buddy.warehouse import connect, new_load_id
from fitness_buddy.warehouse.duckdb import CREATE_RAW

CASES = 400
DAY = date(2026, 11, 10)
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 12, 8, tzinfo=UTC)
# Kinds of equal and of different ranks, and two devices of one name.
DEVICES = (("Watch", "watch"), ("Band", "band"), ("Phone", "phone"), ("Phone", "other"), ("App", "other"))


@dataclass(frozen=True)
class Claim:
    """Steps that a device counted from one minute of the day to another; from is to for a record without a length."""

    device: int
    starts: int
    ends: int
    steps: int

    def record(self) -> Record:
        """The claim as a reader gives it."""
        name, kind = DEVICES[self.device]
        start, end = (
            f"{MIDNIGHT + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}" for minute in (self.starts, self.ends)
        )
        return Record(
            f"tracker|{self.device}|{start}|{end}|{self.steps}",
            {
                "source": "tracker",
                "source_name": name,
                "device": f"name:{name}, model:{self.device}, software:1.0",
                "device_type": kind,
                "started_at": start,
                "ended_at": end,
                "steps": str(self.steps),
            },
            day=DAY,
        )

    @property
    def span_ms(self) -> tuple[int, int]:
        """Its time in the day; one without a length has its first millisecond."""
        return self.starts * 60_000, max(self.ends * 60_000, self.starts * 60_000 + 1)

    @property
    def per_ms(self) -> float:
        start, end = self.span_ms
        return self.steps / (end - start)


# Coarse times, so that records meet at their edges, lie inside one another and cover the whole day.
LENGTHS = st.sampled_from((0, 1, 10, 15, 60, 90, 480))
CLAIMS = st.builds(
    lambda device, starts, length, steps: Claim(device, starts, min(starts + length, 1440), steps),
    st.integers(0, len(DEVICES) - 1),
    st.integers(0, 40).map(lambda number: 420 + number * 5),
    LENGTHS,
    st.integers(0, 2000),
)
WHOLE_DAYS = st.builds(
    lambda device, steps: Claim(device, 0, 1440, steps), st.integers(0, len(DEVICES) - 1), st.integers(0, 9000)
)


def generated(cases: int) -> list[list[Claim]]:
    """As many sets of claims, always the same."""
    found: list[list[Claim]] = []

    @settings(max_examples=cases, phases=[Phase.generate], database=None)
    @given(st.lists(CLAIMS | WHOLE_DAYS, min_size=1, max_size=10, unique=True))
    def collect(claims: list[Claim]) -> None:
        found.append(claims)

    collect()
    return found


def device_steps(claims: Sequence[Claim]) -> Iterator[int]:
    """What each device has counted, at the least: of records that overlap, the largest."""
    for device in range(len(DEVICES)):
        own = sorted((claim for claim in claims if claim.device == device), key=lambda claim: claim.span_ms)
        overlap = any(first.span_ms[1] > second.span_ms[0] for first, second in pairwise(own))
        counts = [claim.steps for claim in own] or [0]
        yield max(counts) if overlap else sum(counts)


def most_steps(claims: Sequence[Claim]) -> float:
    """The day's steps if each moment is counted once, by whoever claims the most of it."""
    edges = sorted({edge for claim in claims for edge in claim.span_ms})
    return sum(
        (end - start)
        * max((claim.per_ms for claim in claims if claim.span_ms[0] <= start < claim.span_ms[1]), default=0)
        for start, end in pairwise(edges)
    )


def write_raw(file: Path, loads: Iterable[tuple[str, datetime, Record]]) -> None:
    """Write raw as loads leave it: thousands of them, each of one athlete's one record, would take minutes."""
    rows = []
    for athlete_id, loaded_at, record in loads:
        raw = to_raw_row(record)
        rows.append((athlete_id, raw.record_id, raw.payload, raw.payload_hash, loaded_at, new_load_id(loaded_at)))
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema raw")
        connection.execute(CREATE_RAW.format(table="raw.steps_intervals"))
        connection.executemany("insert into raw.steps_intervals values (?, ?, ?, ?, ?, ?)", rows)


def loads(cases: Sequence[Sequence[Claim]]) -> Iterator[tuple[str, datetime, Record]]:
    """Each case as two athletes: in one load, and record by record in the other order."""
    for number, claims in enumerate(cases):
        for minute, claim in enumerate(reversed(claims)):
            yield f"whole_{number}", LOADED_AT, claim.record()
            yield f"parts_{number}", LOADED_AT + timedelta(minutes=minute), claim.record()


@pytest.mark.slow
def test_a_day_has_the_steps_of_its_largest_device_at_least_and_each_moment_once(project: Path) -> None:
    cases = generated(CASES)
    warehouse = connect(load_settings())
    write_raw(Path(warehouse.name), loads(cases))
    built = run_buddy("build", "--as-of", str(DAY + timedelta(days=2)), "--quiet", "--select", "+int_steps_resolved")
    assert built.exit_code == 0, built.errors
    rows = warehouse.query("select athlete_id, steps_date, steps from intermediate.int_steps_resolved")
    assert {row["steps_date"] for row in rows} == {DAY}
    steps = {row["athlete_id"]: row["steps"] for row in rows}
    for number, claims in enumerate(cases):
        found = steps[f"whole_{number}"]
        assert found == steps[f"parts_{number}"], claims
        assert max(device_steps(claims)) <= found <= most_steps(claims) + 0.5, claims
