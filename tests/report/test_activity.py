"""The page of one activity, and the privacy zones that cut its route."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import polyline
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Demo, run_buddy

from fitness_buddy.report.route import Position, PrivacyZone, placed, public_lines

HOME = PrivacyZone(52.0, 13.0, 300.0)


def metres(position: Position, zone: PrivacyZone) -> float:
    north = (position[0] - zone.latitude_deg) * 111_195
    east = (position[1] - zone.longitude_deg) * 111_195 * math.cos(math.radians(zone.latitude_deg))
    return math.hypot(north, east)


def test_a_route_is_cut_where_it_starts_passes_and_ends_in_a_zone() -> None:
    away = [(52.01, 13.0), (52.02, 13.0), (52.02, 13.02)]
    encoded = polyline.encode([(52.0, 13.0), *away, (52.0, 13.0)], 5)
    assert public_lines(encoded, [HOME]) == [away]
    assert public_lines(encoded, []) == [[(52.0, 13.0), *away, (52.0, 13.0)]]
    # a straight line over the zone has no position in it, and would still cross it
    crossing = polyline.encode([(52.01, 12.99), (52.01, 13.0), (51.99, 13.0), (51.99, 12.99)], 5)
    assert public_lines(crossing, [HOME]) == [[(52.01, 12.99), (52.01, 13.0)], [(51.99, 13.0), (51.99, 12.99)]]


positions = st.tuples(st.floats(51.98, 52.02), st.floats(12.97, 13.03))


@given(
    st.lists(positions, min_size=1, max_size=30), st.floats(51.99, 52.01), st.floats(12.98, 13.02), st.floats(1, 2000)
)
def test_nothing_of_a_zone_leaves_it(route: list[Position], latitude: float, longitude: float, radius_m: float) -> None:
    zone = PrivacyZone(latitude, longitude, radius_m)
    for line in public_lines(polyline.encode(route, 5), [zone]):
        for (lat1, lon1), (lat2, lon2) in pairwise(line):
            for share in (0.0, 0.25, 0.5, 0.75, 1.0):
                point = (lat1 + share * (lat2 - lat1), lon1 + share * (lon2 - lon1))
                assert metres(point, zone) > radius_m - 1e-3


def test_a_route_is_drawn_to_scale_north_up() -> None:
    (points,) = placed([[(52.0, 13.0), (52.1, 13.0)]], 100, 50)
    assert points == "50.0,50.0 50.0,0.0"
    assert placed([], 100, 50) == []


@pytest.mark.slow
def test_the_demo_s_activity_is_a_page_without_scripts_and_positions(demo: Demo, tmp_path: Path) -> None:
    environment = demo.environment
    (row,) = demo.query(
        "select activities.activity_id, activities.name from marts.fct_activities as activities "
        "inner join marts.fct_activity_streams_summary as summaries using (activity_id) "
        "where summaries.polyline is not null order by activities.started_at desc limit 1"
    )
    page = tmp_path / "activity.html"
    answer = run_buddy(
        *("activity", row["activity_id"], "--html", page, "--json", "--athlete", "demo"), environment=environment
    )
    html = page.read_text()
    assert row["name"] in html
    assert html.count("<svg") >= 1
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert len(answer.json["laps"]) > 1
    assert sum(zone["time_s"] for zone in answer.json["zones"] if zone["zone_type"] == "heartrate") > 600
    assert "polyline" not in answer.json["summary"]
    text = run_buddy("activity", row["activity_id"], "--athlete", "demo", environment=environment).output
    assert "Best efforts" in text
    missing = run_buddy("activity", "nothing", "--athlete", "demo", environment=environment)
    assert missing.exit_code == 2
    assert "there is no activity 'nothing'" in missing.errors
