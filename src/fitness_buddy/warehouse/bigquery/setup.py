"""Create what a Google Cloud project needs before the first load: the bucket and the datasets."""

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

# The datasets of dbt, and the one for logs.
_SCHEMAS = ("staging", "intermediate", "marts", "ops")


@dataclass(frozen=True, slots=True)
class GoogleCloud:
    """The bucket and the datasets after the set-up.

    Attributes:
        datasets: names by purpose: raw, staging, intermediate, marts, ops.
        created: what was missing; buckets as ``gs://…``.
        existing: what was there.
        notices: what was there with other properties than it would be created with.
    """

    project: str
    location: str
    bucket: str
    datasets: dict[str, str]
    created: Sequence[str]
    existing: Sequence[str]
    notices: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values; the name of each dataset has its purpose as key."""
        values = asdict(self)
        return {**values.pop("datasets"), **values}


def set_up(settings: Settings, bucket_name: str) -> GoogleCloud:
    """Create the bucket and the datasets that are missing, in the profile's project and location.

    It looks for all of them before it creates any, and changes none that exists.

    Raises:
        UsageError: the name cannot be the name of a bucket.
        BuddyError: one of them is in another location, or Google refuses; the message is Google's.
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
        # Buckets return their location in capitals.
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
    """Return the location of a dataset; None if it does not exist."""
    try:
        return str(client.get_dataset(dataset).location)
    except NotFound:
        return None
