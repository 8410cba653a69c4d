"""Keep pages and pictures until something is written to the warehouse."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

from fitness_buddy.report.site.page import Content
from fitness_buddy.report.site.reading import Source
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
    """The last things that were made, by key."""

    def __init__(self) -> None:
        self._made: OrderedDict[_Key, _Made] = OrderedDict()

    def once(self, key: _Key, make: Callable[[], _Made]) -> _Made:
        if key not in self._made:
            self._made[key] = make()
        self._made.move_to_end(key)
        while len(self._made) > _MOST_KEPT:
            self._made.popitem(last=False)
        return self._made[key]

    def clear(self) -> None:
        self._made.clear()


class Views:
    """Reads, renders and draws, each once for each state of the warehouse."""

    def __init__(self, source: Source, clock: Callable[[], datetime]) -> None:
        self._source = source
        self._clock = clock
        self._links = ServerLinks()
        self._version = ""
        self._contents: _Kept[Content] = _Kept()
        self._texts: _Kept[str] = _Kept()
        # One at a time: a DuckDB file is opened by one thread, and the drawing library has settings of the process.
        self._lock = threading.RLock()

    def page(self, name: str, query: Mapping[str, str]) -> str:
        """Return a page as HTML; for the errors see :func:`fitness_buddy.report.site.render.read`."""
        with self._current():
            key = ("page", *self._key(name, query))
            return self._texts.once(
                key, lambda: render(self._source, self._links, name, query, self._content(name, query))
            )

    def picture(self, name: str, query: Mapping[str, str], picture: str, width: str) -> str:
        """Return a picture of a page as SVG; for the errors see :func:`fitness_buddy.report.site.render.draw`."""
        with self._current():
            key = ("picture", picture, width, *self._key(name, query))
            return self._texts.once(key, lambda: draw(self._content(name, query), picture, width))

    def _content(self, name: str, query: Mapping[str, str]) -> Content:
        source = replace(self._source, now=self._clock())
        return self._contents.once(self._key(name, query), lambda: read(source, name, query))

    def _key(self, name: str, query: Mapping[str, str]) -> _Key:
        minute = f"{self._clock():%Y%m%d%H%M}" if name in PAGES and PAGES[name].reads_clock else ""
        return (name, minute, *(f"{key}={value}" for key, value in sorted(query.items())))

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Drop what is of an earlier state of the warehouse."""
        with self._lock:
            version = self._source.warehouse.version()
            if version != self._version:
                self._contents.clear()
                self._texts.clear()
                self._version = version
            yield
