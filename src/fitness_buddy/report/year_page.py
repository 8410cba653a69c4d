"""Write a year in review as one HTML page that opens from a file and loads nothing."""

from __future__ import annotations

import base64

from fitness_buddy import __version__
from fitness_buddy.report.html import environment
from fitness_buddy.report.site.render import style
from fitness_buddy.report.site.years import year_pictures
from fitness_buddy.report.year import Year, year_sentences


def render_year_html(year: Year, athlete_id: str) -> str:
    """Return the page, with its pictures in it and no script."""
    pictures = [(picture.alt, picture.draw("wide")) for picture in year_pictures(year).values()]
    template = environment().get_template("year.html.j2")
    return template.render(
        year=year,
        athlete_id=athlete_id,
        style=style(),
        sentences=list(year_sentences(year)),
        pictures=[(alt, base64.b64encode(svg.encode()).decode()) for alt, svg in pictures if svg],
        version=__version__,
    )
