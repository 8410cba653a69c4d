"""Keep pages and pictures until something is written to the warehouse."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from fitness_buddy.report.site.page import Content
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.site.render import PAGES, STYLE, Links, draw, read, render

_MOST_KEPT = 400
_Key: TypeAlias = tuple[str, ...]
_Made = TypeVar("_Made")


class ServerLinks(Links):
    """Addresses on the server."""

    has_forms = True
    policy = ""

    def page(self, name: str, query: Mapping[str, str]) -> str:
        key = PAGES[name].key
        parts = ["" if name == "overview" else name, *([query[key]] if key in query else [])]
        rest = {name: value for name, value in query.items() if name != key}
        return (
            "/"
            + "/".join(quote(part, safe="") for part in parts)
            + (f"?{urlencode(sorted(rest.items()))}" if rest else "")
        )

    def picture(self, page: str, query: Mapping[str, str], picture: str, width: str) -> str:
        return f"/picture/{page}/{picture}-{width}.svg" + (f"?{urlencode(sorted(query.items()))}" if query else "")

    def style(self) -> str:
        return f"/{STYLE}"

    def upload(self) -> str:
        return "/load"


class _Kept(Generic[_Made]):
    """The last things that were made, by key; one is made at a time.

    Threads that wait for one that is being made get it, and what is there already is returned at once.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[_Key, _Made] = OrderedDict()
        self._changing = threading.Lock()
        self._making = threading.Lock()

    def once(self, key: _Key, make: Callable[[], _Made]) -> _Made:
        found = self._find(key)
        if found is None:
            with self._making:
                found = self._find(key)
                if found is None:
                    found = self._keep(key, make())
        return found

    def _find(self, key: _Key) -> _Made | None:
        with self._changing:
            if key not in self._made:
                return None
            self._made.move_to_end(key)
            return self._made[key]

    def _keep(self, key: _Key, made: _Made) -> _Made:
        with self._changing:
            self._made[key] = made
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        return made


class Views:
    """Reads, renders and draws, each once for each state of the warehouse.

    The locks are those of the stores: a DuckDB file is opened by one thread at a time, and the drawing library has
    settings of the process.
    """

    def __init__(self, site: SiteReader, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._clock = clock
        self._links = ServerLinks()
        self._contents: _Kept[Content] = _Kept()
        self._pages: _Kept[str] = _Kept()
        self._pictures: _Kept[str] = _Kept()

    def page(self, name: str, query: Mapping[str, str]) -> str:
        """Return a page as HTML; for the errors see :func:`fitness_buddy.report.site.render.read`."""
        key = self._key(name, query)
        return self._pages.once(
            key, lambda: render(self._site, self._links, name, query, self._content(key, name, query))
        )

    def picture(self, name: str, query: Mapping[str, str], picture: str, width: str) -> str:
        """Return a picture of a page as SVG; for the errors see :func:`fitness_buddy.report.site.render.draw`."""
        key = self._key(name, query)
        return self._pictures.once(
            (picture, width, *key), lambda: draw(self._content(key, name, query), picture, width)
        )

    def _content(self, key: _Key, name: str, query: Mapping[str, str]) -> Content:
        site = replace(self._site, now=self._clock())
        return self._contents.once(key, lambda: read(site, name, query))

    def _key(self, name: str, query: Mapping[str, str]) -> _Key:
        """Return what a page follows from: the state of the warehouse, the address, and the minute if it shows ages."""
        minute = f"{self._clock():%Y%m%d%H%M}" if name in PAGES and PAGES[name].reads_clock else ""
        stated = (f"{key}={value}" for key, value in sorted(query.items()))
        return (self._site.warehouse.version(), name, minute, *stated)
