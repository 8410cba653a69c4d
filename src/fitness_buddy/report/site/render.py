"""Turn pages into HTML and pictures into SVG, with the links of whoever shows them: a server or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Protocol

from fitness_buddy import __version__
from fitness_buddy.report import charts, text
from fitness_buddy.report.html import environment
from fitness_buddy.report.site import activities, nutrition, overview, quality, records, steps, training, years
from fitness_buddy.report.site.filters import SPAN_WORDS, SPANS, Filters
from fitness_buddy.report.site.page import Content, NoSuchPageError, PageKind
from fitness_buddy.report.site.reading import SiteReader

PAGES: Mapping[str, PageKind] = {
    page.name: page
    for page in (
        overview.PAGE,
        training.PAGE,
        activities.LIST,
        activities.ONE,
        steps.PAGE,
        nutrition.PAGE,
        records.PAGE,
        years.PAGE,
        quality.PAGE,
    )
}
STYLE = "site.css"


class Links(Protocol):
    """Addresses of pages, pictures and files, relative to the page that is shown.

    Attributes:
        has_forms: whether a page may ask for any filter; a folder has only the pages that a link leads to.
        policy: the Content-Security-Policy in the page itself; empty if it is a header.
    """

    has_forms: bool
    policy: str

    def page(self, name: str, query: Mapping[str, str]) -> str: ...

    def picture(self, page: str, query: Mapping[str, str], picture: str, width: str) -> str: ...

    def style(self) -> str: ...

    def upload(self) -> str:
        """Return the address of the page that takes files; empty without one."""
        ...


def read(site: SiteReader, name: str, query: Mapping[str, str]) -> Content:
    """Read the content of a page.

    Raises:
        NoSuchPageError: there is no such page.
        UsageError: a filter is wrong.
        BuddyError: the marts have nothing of the athlete, or are not built.
    """
    kind = PAGES.get(name)
    if kind is None:
        raise NoSuchPageError(f"there is no page {name!r}")
    # The unit is the athlete's as soon as the marts are open.
    with text.shown_in("km"):
        content = kind.read(site, Filters(query, kind.filters))
        return replace(content, distance_unit=text.unit())


def render(site: SiteReader, links: Links, name: str, query: Mapping[str, str], content: Content) -> str:
    """Return a page as HTML.

    Args:
        content: what :func:`read` returned for the same name and query.
    """
    stated = Filters(query, PAGES[name].filters).stated()

    def here(**changed: object) -> str:
        return _address(links, name, {**stated, **changed})

    # A folder has no page for each sport of each gear.
    dropped = {"page": ""} if links.has_forms else {"page": "", "gear": ""}

    def sources(picture: str) -> dict[str, str]:
        return {width: links.picture(name, stated, picture, width) for width in ("wide", "narrow")}

    with text.shown_in(content.distance_unit):
        return page_html(
            links,
            f"site/{name}.html.j2",
            name=name,
            title=content.title,
            athlete_id=site.settings.athlete_id,
            stated=stated,
            pictures=content.pictures,
            picture_sources=sources,
            here=here,
            **content.values,
            sport_links=[
                (family, here(sport=family, **dropped), family == stated.get("sport"))
                for family in content.values.get("sports", ())
            ],
        )


def page_html(links: Links, template: str, **values: Any) -> str:
    """Return a template of the site as HTML."""

    made = environment().get_template(template)
    return made.render(
        {
            "links": links,
            "link": lambda to, **filters: _address(links, to, filters),
            "navigation": [(page.name, page.label) for page in PAGES.values() if page.label],
            "spans": {name: SPAN_WORDS[name] for name in SPANS},
            "version": __version__,
            "text": text,
            **values,
        }
    )


def _address(links: Links, page: str, filters: Mapping[str, object]) -> str:
    return links.page(page, {key: str(value) for key, value in filters.items() if value not in (None, "")})


def draw(content: Content, picture: str, width: str) -> str:
    """Return a picture of a page as SVG.

    Raises:
        NoSuchPageError: the page has no such picture.
    """
    found = content.pictures.get(picture)
    with text.shown_in(content.distance_unit):
        drawn = found.draw(width) if found else None
    if drawn is None:
        raise NoSuchPageError(f"there is no picture {picture!r}")
    return drawn


@cache
def style() -> str:
    """Return the style sheet of all pages."""
    tones = {**charts.SPORT_COLOURS, **charts.PART_COLOURS}
    return environment().get_template("site/site.css.j2").render(tones=tones)
