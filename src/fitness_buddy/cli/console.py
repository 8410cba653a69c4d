"""The console of all commands that print tables and colours: no markup, no control characters."""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

from fitness_buddy.core.printing import printable


def safe_console(**options: Any) -> Console:
    """Return a console for texts of others, with the options of rich's."""
    console = Console(highlight=False, markup=False, emoji=False, **options)
    console.push_render_hook(_Printable())
    return console


class _Printable(RenderHook):
    """Makes each piece of text printable after rich has laid it out, before it adds colours."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_PrintableText(renderable) for renderable in renderables]


class _PrintableText:
    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
