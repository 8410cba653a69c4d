"""Cut a route at privacy zones, and place it on a picture. No position in a zone leaves this module."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# Latitude and longitude in degrees.
Position: TypeAlias = tuple[float, float]
# A piece of a route that is drawn as one line.
Line: TypeAlias = list[Position]

_METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True, slots=True)
class PrivacyZone:
    """A circle in which no position leaves the warehouse."""

    latitude_deg: float
    longitude_deg: float
    radius_m: float

    def touches(self, start: Position, end: Position) -> bool:
        """Whether the straight line between two positions comes within the radius."""
        (x1, y1), (x2, y2) = self._metres(start), self._metres(end)
        along_x, along_y = x2 - x1, y2 - y1
        length = along_x**2 + along_y**2
        share = 0.0 if length == 0 else min(max(-(x1 * along_x + y1 * along_y) / length, 0.0), 1.0)
        return math.hypot(x1 + share * along_x, y1 + share * along_y) <= self.radius_m

    def _metres(self, position: Position) -> tuple[float, float]:
        """Return metres east and north of the centre; exact enough over the few kilometres of a zone."""
        east = (position[1] - self.longitude_deg + 180) % 360 - 180
        east_m = east * _METRES_PER_DEGREE * math.cos(math.radians(self.latitude_deg))
        return east_m, (position[0] - self.latitude_deg) * _METRES_PER_DEGREE


def public_lines(encoded: str, zones: Iterable[PrivacyZone]) -> list[Line]:
    """Return a route, an encoded polyline, as lines without positions and steps that come into a zone."""
    import polyline

    private = list(zones)
    lines: list[Line] = []
    open_line: Line = []
    for position in polyline.decode(encoded, 5):
        before = open_line[-1] if open_line else position
        if any(zone.touches(position, position) for zone in private):
            open_line = []
        elif open_line and not any(zone.touches(before, position) for zone in private):
            open_line.append(position)
        else:
            open_line = [position]
            lines.append(open_line)
    return [line for line in lines if len(line) > 1]


def placed(lines: Sequence[Line], width: float, height: float) -> list[str]:
    """Return the lines as points of SVG in a box, north up and to scale; none without a route."""
    positions = [position for line in lines for position in line]
    if not positions:
        return []
    north = max(latitude for latitude, _ in positions)
    south = min(latitude for latitude, _ in positions)
    west = min(longitude for _, longitude in positions)
    narrower = math.cos(math.radians((north + south) / 2))
    wide = max((max(longitude for _, longitude in positions) - west) * narrower, 1e-9)
    high = max(north - south, 1e-9)
    scale = min(width / wide, height / high)
    left, top = (width - wide * scale) / 2, (height - high * scale) / 2
    return [
        " ".join(
            f"{left + (longitude - west) * narrower * scale:.1f},{top + (north - latitude) * scale:.1f}"
            for latitude, longitude in line
        )
        for line in lines
    ]
