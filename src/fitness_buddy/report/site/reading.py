"""Read rows of marts for the pages, over one connection for each page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime

from fitness_buddy.core.settings import Settings
from fitness_buddy.report.data import BuiltRange, load_built_range
from fitness_buddy.report.text import show_in
from fitness_buddy.warehouse import Reader, Row, Warehouse


@dataclass(frozen=True, slots=True)
class Marts:
    """The marts of one athlete over an open connection, and the days for which they are built."""

    reader: Reader
    settings: Settings
    built: BuiltRange

    def rows(self, mart: str, columns: str, condition: str = "", **parameters: str | date) -> list[Row]:
        """Return rows of the athlete.

        Args:
            columns: of SQL, from this program.
            condition: what follows the condition on the athlete; values are parameters in it.
        """
        return self.select(
            f"select {columns} from {{marts}}.{mart} where athlete_id = @athlete_id {condition}",  # noqa: S608
            **parameters,
        )

    def select(self, sql: str, **parameters: str | date) -> list[Row]:
        """Return the rows of a statement that names schemas in braces: ``{marts}``, ``{ops}``."""
        named = sql.format(marts=self.settings.marts_schema, ops=self.settings.ops_schema)
        used: Mapping[str, str | date] = {"athlete_id": self.settings.athlete_id, **parameters}
        return self.reader.query(named, {name: value for name, value in used.items() if f"@{name}" in named})


@dataclass(frozen=True, slots=True)
class SiteReader:
    """Where pages read: the warehouse, the athlete, and the time that counts as now.

    Attributes:
        held: what is open for several pages, if it is.
    """

    warehouse: Warehouse
    settings: Settings
    now: datetime
    held: _Held | None = None

    @contextmanager
    def marts(self) -> Iterator[Marts]:
        """Open the warehouse for one page.

        Raises:
            BuddyError: the marts have nothing of the athlete.
            NotBuiltError: the marts do not exist yet.
        """
        if self.held:
            show_in(self.held.marts.built.distance_unit)
            yield self.held.marts
            return
        with self.warehouse.reading() as reader:
            built = load_built_range(reader, self.settings)
            show_in(built.distance_unit)
            yield Marts(reader, self.settings, built)

    def file_loads(self) -> Sequence[Row]:
        """Return the last result of each activity file. It opens the warehouse: not while the marts are open."""
        return self.held.file_loads if self.held else self.warehouse.file_loads(self.settings.athlete_id)

    @contextmanager
    def opened(self) -> Iterator[SiteReader]:
        """Open the warehouse once for all pages, which then show the same state."""
        file_loads = self.file_loads()
        with self.marts() as marts:
            yield replace(self, held=_Held(marts, file_loads))


@dataclass(frozen=True, slots=True)
class _Held:
    marts: Marts
    file_loads: Sequence[Row]
