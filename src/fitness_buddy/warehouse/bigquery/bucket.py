"""Keep loaded files and their rows in a Google Cloud Storage bucket (docs/ingest/bulk-load.md).

``files/<source>/<athlete>/<sha256>/<name>`` is an original file, unchanged. ``rows/<raw
table>/<athlete>/<sha256>.jsonl.gz`` has the rows of its reader, one per line. The names contain a hash of the
content, so a file that is kept again uploads nothing.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.validators import BUCKET_NAME, BUCKET_URL
from fitness_buddy.warehouse import AppendCounts, ColumnBlock, LoadStamp, LogTable, RawRows

if TYPE_CHECKING:
    from google.cloud.storage import Client  # type: ignore[import-untyped]

_RAW_TABLE = re.compile(r"[a-z][a-z0-9_]*")


class BucketFolder:
    """A folder of a bucket, ``gs://bucket/folder``. No request is sent before it is used."""

    def __init__(self, url: str, settings: Settings) -> None:
        """Parse the URL.

        Raises:
            UsageError: it is not the URL of a bucket.
        """
        if not re.fullmatch(BUCKET_URL, url):
            raise UsageError(
                f"{url!r}: expected gs://bucket or gs://bucket/folder, of letters, digits, '_', '-', '.' and '='"
            )
        self.url = url.rstrip("/")
        self._bucket_name, _, folder = self.url.removeprefix("gs://").partition("/")
        self._folder = f"{folder}/" if folder else ""
        self._settings = settings

    def archive(self, source: str, path: Path) -> Archive:
        """Return the target for a load of one path."""
        return Archive(self, source, path)

    def raw_tables(self) -> list[str]:
        """Return the raw tables that have rows in the folder.

        Raises:
            BuddyError: the folder ``rows`` contains a folder that cannot be the name of a raw table.
        """
        prefix = f"{self._folder}rows/"
        with _translated_errors(self.url):
            pages = self._client.list_blobs(self._bucket_name, prefix=prefix, delimiter="/")
            for _ in pages:  # the prefixes are complete after all pages were read
                pass
        tables = sorted(folder[len(prefix) : -1] for folder in pages.prefixes)
        for table in tables:
            if not _RAW_TABLE.fullmatch(table):
                raise BuddyError(f"{self.url}/rows/{table}: not the name of a raw table; nothing was loaded")
        return tables

    def rows_uri(self, table: str) -> str:
        """Return the URI of all rows of a raw table for BigQuery, whose wildcard also matches subfolders."""
        return f"{self.url}/rows/{table}/*.jsonl.gz"

    def held(self, prefix: str) -> set[str]:
        """Return the names of all objects under a prefix."""
        start = len(self._folder)
        with _translated_errors(self.url):
            blobs = self._client.list_blobs(self._bucket_name, prefix=self._folder + prefix)
            return {blob.name[start:] for blob in blobs}

    def put(self, name: str, stream: IO[bytes]) -> None:
        """Upload the stream under a name that contains a hash of its content."""
        from google.api_core.exceptions import PreconditionFailed

        with _translated_errors(self.url):
            blob = self._client.bucket(self._bucket_name).blob(self._folder + name)
            size = stream.seek(0, os.SEEK_END)  # with a known small size the upload is one request
            with suppress(PreconditionFailed):  # another run has uploaded the same content
                blob.upload_from_file(stream, rewind=True, size=size, if_generation_match=0)

    def forget(self, athlete_id: str) -> list[str]:
        """Delete the kept files and rows of an athlete; return their names."""
        names = [
            name
            for kind in ("files", "rows")
            for name in sorted(self.held(f"{kind}/"))
            if name.split("/")[2:3] == [athlete_id]
        ]
        from google.api_core.exceptions import NotFound

        bucket = self._client.bucket(self._bucket_name)
        with _translated_errors(self.url):
            for name in names:
                with suppress(NotFound):  # another run has deleted it
                    bucket.blob(self._folder + name).delete()
        return names

    @functools.cached_property
    def _client(self) -> Client:
        return _make_client(self._settings)


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """The location of a bucket, and whether its access is as :meth:`StorageBucket.make` sets it."""

    location: str
    is_closed: bool


class StorageBucket:
    """A bucket that may or may not exist."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Check the name.

        Raises:
            UsageError: it cannot be the name of a bucket.
        """
        if not re.fullmatch(BUCKET_NAME, name):
            raise UsageError(f"--bucket {name!r}: expected 3 to 63 lowercase letters, digits, '_', '-' and '.'")
        self.url = f"gs://{name}"
        self._name = name
        self._settings = settings

    def facts(self) -> BucketFacts | None:
        """Return location and access of the bucket; None if it does not exist."""
        with _translated_errors(self.url):
            found = self._client.lookup_bucket(self._name)
        if found is None:
            return None
        access = found.iam_configuration
        is_closed = access.uniform_bucket_level_access_enabled and access.public_access_prevention == "enforced"
        return BucketFacts(found.location, is_closed)

    def make(self, location: str) -> None:
        """Create the bucket in the profile's project: never public, with rights on the bucket and not on single
        objects.
        """
        bucket = self._client.bucket(self._name)
        bucket.iam_configuration.uniform_bucket_level_access_enabled = True
        bucket.iam_configuration.public_access_prevention = "enforced"
        with _translated_errors(self.url):
            bucket.create(location=location)

    @functools.cached_property
    def _client(self) -> Client:
        return _make_client(self._settings)


class Archive:
    """The target of one load of one path, in place of a warehouse.

    Attributes:
        kept: the names of the objects that this load has added.
    """

    def __init__(self, bucket: BucketFolder, source: str, path: Path) -> None:
        self._bucket = bucket
        self._source = source
        self._path = path
        self.kept: list[str] = []

    @contextmanager
    def load(self, athlete_id: str, now: datetime, origin: str = "") -> Iterator[_ArchiveLoad]:
        with tempfile.TemporaryDirectory() as folder:
            yield _ArchiveLoad(self, Path(folder), athlete_id, LoadStamp.after(None, now))

    def loaded_contents(self, athlete_id: str, parsers: Collection[str]) -> None:
        """Return None: rows of points go into a warehouse directly."""

    def keep_originals(self, athlete_id: str) -> None:
        """Upload the files of the path unchanged."""
        is_file = self._path.is_file()
        files = [self._path] if is_file else sorted(file for file in self._path.rglob("*") if file.is_file())
        prefix = f"files/{self._source}/{athlete_id}/"
        held = self._bucket.held(prefix)
        for file in files:
            with file.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
                name = f"{prefix}{sha256}/{file.name if is_file else file.relative_to(self._path).as_posix()}"
                if name not in held:
                    self._keep(name, stream)

    def keep_rows(self, prefix: str, rows: _Rows) -> AppendCounts:
        """Upload the rows of one raw table under a name with the hash of their content."""
        distinct = len(rows.last)
        name = f"{prefix}{rows.sha256.hexdigest()}.jsonl.gz"
        is_new = distinct > 0 and name not in self._bucket.held(prefix)
        if is_new:
            with tempfile.TemporaryFile() as content:
                rows.write_last(content)
                self._keep(name, content)
        return AppendCounts(
            read=rows.read,
            new=distinct if is_new else 0,
            changed=0,
            unchanged=0 if is_new else distinct,
            superseded=0,
            duplicates=rows.read - distinct,
        )

    def _keep(self, name: str, stream: IO[bytes]) -> None:
        self._bucket.put(name, stream)
        self.kept.append(name)


class _ArchiveLoad:
    """See :class:`fitness_buddy.warehouse.RawLoad`."""

    def __init__(self, archive: Archive, folder: Path, athlete_id: str, stamp: LoadStamp) -> None:
        self._archive = archive
        self._folder = folder
        self._athlete_id = athlete_id
        self.stamp = stamp
        self._staged: dict[str, _Rows] = {}

    def stage(self, table: str, blocks: Iterator[RawRows]) -> int:
        staged = self._staged[table] = _Rows(self._folder / table)
        staged.take(blocks, self._athlete_id, self.stamp.load_id)
        return staged.read

    def stage_columns(self, table: LogTable, blocks: Iterator[ColumnBlock], *, follows: str = "") -> int:
        raise UsageError(f"a bucket keeps records, no {table.name}: load activity files without --to-bucket")

    def append_new(self, *, restate: bool = False) -> dict[str, AppendCounts]:
        self._archive.keep_originals(self._athlete_id)
        return {
            table: self._archive.keep_rows(f"rows/{table}/{self._athlete_id}/", rows)
            for table, rows in self._staged.items()
        }


class _Rows:
    """The rows for one raw table. The last row of an id is known only at the end, so they wait on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read = 0
        self.last: dict[str, int] = {}
        # A hash of the content and the order of the rows, without times: the same file has the same name when it is
        # read again.
        self.sha256 = hashlib.sha256()

    def take(self, blocks: Iterator[RawRows], athlete_id: str, load_id: str) -> None:
        with self._path.open("wb") as waiting:
            for record_id, payload, payload_hash in chain.from_iterable(block.texts() for block in blocks):
                line = {
                    "athlete_id": athlete_id,
                    "record_id": record_id,
                    "payload": payload,
                    "payload_hash": payload_hash,
                    "load_id": load_id,
                }
                waiting.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                self.sha256.update(f"{record_id}\0{payload_hash}\0".encode())
                self.last[record_id] = self.read
                self.read += 1

    def write_last(self, target: IO[bytes]) -> None:
        """Write the last row of each id, compressed."""
        kept = set(self.last.values())
        with self._path.open("rb") as waiting, gzip.GzipFile(fileobj=target, mode="wb") as stream:
            stream.writelines(line for ordinal, line in enumerate(waiting) if ordinal in kept)


def _make_client(settings: Settings) -> Client:
    from google.cloud.storage import Client

    credentials = None  # the credentials of the machine
    if settings.profile.get("type") == "bigquery":
        from fitness_buddy.warehouse.bigquery.warehouse import credentials_of

        credentials = credentials_of(settings)
    return Client(project=settings.profile.get("project"), credentials=credentials)


@contextmanager
def _translated_errors(place: str) -> Iterator[None]:
    """Translate the errors of Google's client into errors for people."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAPIError as error:
        errors = getattr(error, "errors", None) or [{}]
        raise BuddyError(f"{place}: {errors[0].get('message') or error}") from error  # the server's own words
    except GoogleAuthError as error:
        raise BuddyError(f"{place}: no Google credentials: run `gcloud auth application-default login`") from error
    except requests.RequestException as error:
        raise BuddyError(f"{place}: the connection failed ({type(error).__name__}): try again") from error
