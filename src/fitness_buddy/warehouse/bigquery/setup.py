"""What has to be there in a Google Cloud project before anything is loaded: the archive's bucket, and the datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.settings import Settings
from fitness_buddy.warehouse.bigquery.bucket import StorageBucket
from fitness_buddy.warehouse.bigquery.warehouse import make_client, translated_errors

# Beside raw: what dbt builds, and what is kept of how runs went.
_SCHEMAS = ("staging", "intermediate", "marts", "ops")


@dataclass(frozen=True, slots=True)
class GoogleCloud:
    """What is there now, and how it is called.

    Attributes:
        datasets: names by what they are for: raw, staging, intermediate, marts, ops.
        created: what was missing; buckets as ``gs://…``.
        existing: what was there.
        notices: what is there in another way than it would be made.
    """

    project: str
    location: str
    bucket: str
    datasets: dict[str, str]
    created: Sequence[str]
    existing: Sequence[str]
    notices: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; each dataset's name stands under what it is for."""
        values = asdict(self)
        return {**values.pop("datasets"), **values}


def set_up(settings: Settings, bucket_name: str) -> GoogleCloud:
    """Make the bucket and the datasets that are missing, in the profile's project and location.

    Nothing is made before all of them were looked for, and what is there is left as it is.

    Raises:
        UsageError: no bucket can be called so.
        BuddyError: one of them is in another location, or Google refuses, in its own words.
    """
    bucket = StorageBucket(bucket_name, settings)
    location = str(settings.profile["location"])
    datasets = {"raw": settings.raw_schema, **{name: f"{settings.schema_prefix}{name}" for name in _SCHEMAS}}
    client = make_client(settings)
    facts = bucket.facts()
    found = {bucket.url: facts.location if facts else None}
    with translated_errors():
        found |= {name: _location_of(client, name) for name in datasets.values()}
    for name, place in found.items():
        # Buckets tell theirs in capitals.
        if place and place.casefold() != location.casefold():
            raise BuddyError(
                f"{name} is in {place}, and BUDDY_BIGQUERY_LOCATION says {location}; nothing was made. "
                "Nothing moves to another location: choose another name, or the location where it is"
            )
    if facts is None:
        bucket.make(location)
    with translated_errors():
        for name in datasets.values():
            if found[name] is None:
                dataset = bigquery.Dataset(f"{client.project}.{name}")
                dataset.location = location
                client.create_dataset(dataset, exists_ok=True)
    return GoogleCloud(
        project=client.project,
        location=location,
        bucket=bucket_name,
        datasets=datasets,
        created=[name for name, place in found.items() if place is None],
        existing=[name for name, place in found.items() if place],
        notices=[
            f"{bucket.url} was there and is left as it is: `gcloud storage buckets update {bucket.url} "
            "--uniform-bucket-level-access --public-access-prevention` keeps it from ever being public"
        ]
        if facts and not facts.is_closed
        else [],
    )


def _location_of(client: bigquery.Client, dataset: str) -> str | None:
    """None where it is not there."""
    try:
        return str(client.get_dataset(dataset).location)
    except NotFound:
        return None
