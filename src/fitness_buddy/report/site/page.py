"""Define what a page is: its name, the filters of its address, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.site.filters import Filters
from fitness_buddy.report.site.pictures import Picture
from fitness_buddy.report.site.reading import SiteReader


class NoSuchPageError(UsageError):
    """There is no page of this address, such as an activity that was deleted."""


@dataclass(frozen=True, slots=True)
class Content:
    """What one page shows.

    Attributes:
        title: of the page.
        values: of its template.
        pictures: by name; only those with something to draw.
        distance_unit: km or mi, in which the page shows distances.
    """

    title: str
    values: Mapping[str, Any]
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    distance_unit: str = "km"


@dataclass(frozen=True, slots=True)
class PageKind:
    """A page of the site.

    Attributes:
        name: in addresses and file names; its template is ``site/<name>.html.j2``.
        label: in the navigation; empty for a page that others lead to.
        filters: the names of its filters.
        read: returns the content.
        reads_clock: whether it shows how long ago something was.
        key: the filter that names the subject of the page (an activity, a year), part of its path; empty without one.
    """

    name: str
    label: str
    filters: tuple[str, ...]
    read: Callable[[SiteReader, Filters], Content]
    key: str = ""
    reads_clock: bool = False
