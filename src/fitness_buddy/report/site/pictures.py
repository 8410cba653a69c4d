"""Draw the charts of the site as SVG files: two widths, both themes in one file, no script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fitness_buddy.report import charts

WIDTHS_PX: Mapping[str, int] = {"wide": 1040, "narrow": 340}
# Below a chart of this height are its axis and, on a phone, several rows of legend.
_ROOM_PX: Mapping[str, int] = {"wide": 70, "narrow": 130}
# A hundredth of a pixel is enough.
_LONG_NUMBERS = re.compile(r"(\d+\.\d\d)\d+")


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart of a page.

    Attributes:
        alt: says what it shows, for readers who do not see it.
        height_px: of the chart alone.
        make: returns the chart of a width (wide or narrow), or None if there is nothing to draw.
    """

    alt: str
    height_px: int
    make: Callable[[str], charts.Chart | None]

    def size(self, width: str) -> tuple[int, int]:
        """Return width and height in pixels."""
        return WIDTHS_PX[width], self.height_px + _ROOM_PX[width]

    def draw(self, width: str) -> str | None:
        """Return the picture as SVG; None if there is nothing to draw."""
        from altair.utils.schemapi import debug_mode

        # The schema is checked by tests; here each row of data would be checked again, which takes most of the time.
        with debug_mode(False):
            chart = self.make(width)
            spec: dict[str, Any] | None = chart.to_dict(validate=False) if chart else None
        return _svg(spec, *self.size(width), legend_columns=2 if width == "narrow" else None) if spec else None


def _svg(spec: dict[str, Any], width_px: int, height_px: int, legend_columns: int | None) -> str:
    import vl_convert

    # The browser's font may be wider than the one that the labels were measured with.
    padding = {"left": 14, "right": 8, "top": 4, "bottom": 4}
    fit = {"type": "fit", "contains": "padding"}
    spec |= {"width": width_px, "height": height_px, "autosize": fit, "padding": padding}
    # A reader gets the text of the picture; descriptions and tooltips of marks take half of the time and of the file.
    spec["config"] = charts.config("light") | {"aria": False}
    spec["config"]["axisQuantitative"]["titlePadding"] = 12
    _drop_tooltips(spec)
    if legend_columns:
        spec["config"]["legend"]["columns"] = legend_columns
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=charts.vega_lite_version())
    drawn = _LONG_NUMBERS.sub(r"\1", drawn)
    return drawn.replace("<rect", f"<style>{_dark_style()}</style><rect", 1)


def _drop_tooltips(spec: dict[str, Any]) -> None:
    spec.get("encoding", {}).pop("tooltip", None)
    for layer in spec.get("layer", []):
        _drop_tooltips(layer)


def _dark_style() -> str:
    """Return rules that exchange the colours of the light theme for those of the dark one."""
    exchanged = dict(zip(charts.neutral_colours("light"), charts.neutral_colours("dark"), strict=True))
    rules = [
        f'[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in exchanged.items()
        for attribute in ("fill", "stroke")
    ]
    return f"@media (prefers-color-scheme: dark){{{''.join(rules)}}}"
