"""Write the site as a folder of files that opens without a server: every page that a link leads to."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fitness_buddy.core.errors import UsageError
from fitness_buddy.report.site.pictures import WIDTHS_PX
from fitness_buddy.report.site.reading import SiteReader
from fitness_buddy.report.site.render import STYLE, draw, read, render, style

_START = "overview"
# All files but the first page are in a folder of their own.
_PAGES = "site"
_LONGEST_NAME = 120
# A page from a file has no origin, so the scheme is named; `self` is for the folder on a web server.
_POLICY = "default-src 'none'; style-src 'self' file:; img-src 'self' file: data:; base-uri 'none'; form-action 'none'"


def _file_name(*parts: str, suffix: str) -> str:
    """Return a name that every file system takes, the same for the same parts and for no others."""
    plain = "--".join(re.sub(r"[^a-z0-9_-]", lambda match: f"~{ord(match[0]):x}~", part) for part in parts)
    if len(plain) > _LONGEST_NAME:
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        plain = f"{plain[: _LONGEST_NAME - len(digest)]}{digest}"
    return plain + suffix


def _words(name: str, query: Mapping[str, str]) -> list[str]:
    return [name, *(f"{key}-{value}" for key, value in sorted(query.items()))]


@dataclass
class _Links:
    """Links between files; says which pages are wanted."""

    is_start: bool
    want_page: Callable[[str, Mapping[str, str]], object]
    has_forms: bool = field(default=False, init=False)
    policy: str = field(default=_POLICY, init=False)

    def page(self, name: str, query: Mapping[str, str]) -> str:
        self.want_page(name, query)
        if name == _START:
            return "index.html" if self.is_start else "../index.html"
        return self._beside(_file_name(*_words(name, query), suffix=".html"))

    def picture(self, page: str, query: Mapping[str, str], picture: str, width: str) -> str:
        return self._beside(_picture_name(page, query, picture, width))

    def style(self) -> str:
        return self._beside(STYLE)

    def upload(self) -> str:
        return ""

    def _beside(self, file: str) -> str:
        return f"{_PAGES}/{file}" if self.is_start else file


def _picture_name(page: str, query: Mapping[str, str], picture: str, width: str) -> str:
    return _file_name(*_words(page, query), picture, width, suffix=".svg")


@dataclass(frozen=True, slots=True)
class WrittenSite:
    """How many files were written, and where to begin."""

    start: Path
    pages: int
    pictures: int


def write_site(site: SiteReader, folder: Path, on_page: Callable[[], object] = lambda: None) -> WrittenSite:
    """Write the site.

    Args:
        folder: new, empty, or with a site of before, which is replaced.
        on_page: called after each page.

    Raises:
        UsageError: the folder has other files.
        BuddyError: the marts have nothing of the athlete, or are not built.
    """
    with site.opened() as opened:
        _clear(folder)
        pages = folder / _PAGES
        pages.mkdir(parents=True)
        (pages / STYLE).write_text(style(), encoding="utf-8")
        return _write_pages(opened, folder, pages, on_page)


def _write_pages(site: SiteReader, folder: Path, pages: Path, on_page: Callable[[], object]) -> WrittenSite:
    waiting: deque[tuple[str, dict[str, str]]] = deque()
    known: set[str] = set()
    drawn = 0

    def want(name: str, query: Mapping[str, str]) -> None:
        key = _START if name == _START else _file_name(*_words(name, query), suffix=".html")
        if key not in known:
            known.add(key)
            waiting.append((name, {} if name == _START else dict(query)))

    want(_START, {})
    while waiting:
        name, query = waiting.popleft()
        content = read(site, name, query)
        html = render(site, _Links(name == _START, want), name, query, content)
        file = folder / "index.html" if name == _START else pages / _file_name(*_words(name, query), suffix=".html")
        file.write_text(html, encoding="utf-8")
        for picture in content.pictures:
            for width in WIDTHS_PX:
                path = pages / _picture_name(name, query, picture, width)
                path.write_text(draw(content, picture, width), encoding="utf-8")
                drawn += 1
        on_page()
    return WrittenSite(folder / "index.html", len(known), drawn)


def _clear(folder: Path) -> None:
    """Remove the site of before; every file of it has a name and a suffix that this module gives."""
    pages = folder / _PAGES
    ours = [folder / "index.html", *(pages.iterdir() if pages.is_dir() else [])]
    others = [path for path in folder.iterdir() if path.name not in {"index.html", _PAGES}] if folder.is_dir() else []
    if others or any(path.is_dir() or path.suffix not in {".html", ".svg", ".css"} for path in ours):
        raise UsageError(f"{folder} has other files: choose a new or empty folder, or one with a site of before")
    if (folder / "index.html").exists() and not (pages / STYLE).exists():
        raise UsageError(f"{folder} has an index.html that is no site of buddy: choose another folder")
    for path in ours:
        path.unlink(missing_ok=True)
    if pages.is_dir():
        pages.rmdir()
