"""Step counts, from whichever file the athlete has. ``--format auto`` recognises each by its content.

Two raw tables: ``steps_daily`` (a count for a local day) and ``steps_intervals`` (a count from an instant on, which
only dbt can put on a local day). Rows of one id are versions of one another: in ``steps_daily`` those of one source and
day, in ``steps_intervals`` those of one source and instant, or what the source itself tells its records apart by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fitness_buddy.core.errors import InputError
from fitness_buddy.ingest.landing import Batch, Item
from fitness_buddy.ingest.sources.files import Bundle, InputFile
from fitness_buddy.ingest.sources.registry import AUTO, Contents, RawTable, ReadOptions, Source
from fitness_buddy.ingest.sources.steps import apple_health, fitbit, google_fit, google_health, health_connect, own
from fitness_buddy.ingest.sources.steps.formats import DAILY_TABLE, INTERVALS_TABLE, Format, Head
from fitness_buddy.ingest.sources.steps.google_health import google_health_records

# From the general to the particular: what two of them recognise is of the later one.
_FORMATS = (
    own.CSV,
    own.JSON,
    fitbit.ARCHIVE_JSON,
    fitbit.ARCHIVE_CSV,
    fitbit.API,
    google_fit.DAILY,
    google_fit.INTERVALS,
    google_health.DAILY_ROLL_UP,
    apple_health.EXPORT,
    health_connect.EXPORT,
)
FORMAT_OPTIONS = tuple(dict.fromkeys(known.option for known in _FORMATS))

# How a format is known, in the words in which a refusal lists what was looked for.
LOOKED_FOR = "; ".join(known.looked_for for known in _FORMATS if known.looked_for)


def read_bundle(bundle: Bundle, options: ReadOptions) -> Contents:
    """Read the step counts of a bundle.

    Raises:
        InputError: no file of the bundle is of the format, or of any known one.
    """
    files = bundle.data_files({".csv", ".json", ".xml", ".db"})
    found = [(file, known) for file in files if (known := _recognise(file))]
    # The takeout's other files repeat the same steps by interval: never both.
    daily = {
        file.path.parent for file, known in found if known is google_fit.DAILY and not google_fit.is_of_one_day(file)
    }
    tables: dict[str, list[tuple[InputFile, Format]]] = {}
    for file, known in found:
        if file.path.parent in daily and google_fit.is_of_one_day(file):
            continue
        # Fitbit's archive writes calories, minutes and more in the very same form, told apart by their names only.
        if known is fitbit.ARCHIVE_JSON and len(files) > 1 and not file.name.lower().startswith("steps"):
            continue
        if options.file_format in {AUTO, known.option}:
            tables.setdefault(known.table, []).append((file, known))
    if not tables:
        is_stated = options.file_format != AUTO
        wanted = f"step counts in the format {options.file_format!r}" if is_stated else "step counts"
        raise InputError.whole_file(str(bundle.path), f"expected {wanted}, found none; looked for: {LOOKED_FOR}")
    return Contents([Batch(table, _records(pairs, options)) for table, pairs in tables.items()])


def _records(pairs: Iterable[tuple[InputFile, Format]], options: ReadOptions) -> Iterator[Item]:
    for file, known in pairs:
        yield from known.records(file, options.device, options.now)


def _recognise(file: InputFile) -> Format | None:
    head = Head(file)
    return next((known for known in reversed(_FORMATS) if known.recognises(head)), None)


SOURCE = Source(
    name="steps",
    summary="""Load step counts from a file, a folder or a zip.

    Apple Health, Health Connect, Google Fit and Fitbit exports, saved answers of Google Health or Fitbit, a CSV
    (date,steps[,source]) or JSON.
    """,
    tables=[RawTable(DAILY_TABLE), RawTable(INTERVALS_TABLE)],
    read=read_bundle,
    formats=FORMAT_OPTIONS,
    has_devices=True,
)

__all__ = ["DAILY_TABLE", "FORMAT_OPTIONS", "INTERVALS_TABLE", "LOOKED_FOR", "SOURCE", "google_health_records"]
