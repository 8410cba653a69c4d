"""The command ``buddy forget``."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import click

from fitness_buddy.cli.command import Run, command, main
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.validators import ATHLETE_ID, ATHLETE_ID_WORDS


@command(main, "forget")
@click.argument("forgotten", metavar="ATHLETE")
@click.option(
    "--bucket", "bucket_url", metavar="gs://BUCKET/FOLDER", help="Also what this bucket keeps of the athlete."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(run: Run, forgotten: str, bucket_url: str | None, yes: bool) -> dict[str, Any]:
    """Delete everything of ATHLETE: raw, marts, reminders, meals, settings, logins, files kept in a bucket.

    It cannot be undone. What was deleted is listed, and what only you can delete.
    """
    from fitness_buddy.core.state import open_state
    from fitness_buddy.ops.forget import forget_athlete

    if click.get_current_context().params["athlete"] not in (None, forgotten):
        raise UsageError("name the athlete once: buddy forget ATHLETE, without --athlete")
    if not re.fullmatch(ATHLETE_ID, forgotten):
        raise UsageError(f"athlete {forgotten!r}: expected {ATHLETE_ID_WORDS}")
    settings = replace(run.settings, athlete_id=forgotten)
    bucket = None
    if bucket_url:
        from fitness_buddy.warehouse.bigquery.bucket import BucketFolder

        bucket = BucketFolder(bucket_url, settings)
    if not yes:
        _confirm(run, forgotten)
    found = forget_athlete(settings, run.warehouse, open_state(), bucket.forget if bucket else None)
    for table, rows in found.rows.items():
        run.say(f"{table}: {rows:,} rows deleted")
    for name in found.states:
        run.say(f"state {name}: deleted")
    if bucket_url:
        run.say(f"{bucket_url}: {len(found.objects):,} objects deleted")
    if not (found.rows or found.states or found.objects):
        run.say(f"Nothing is kept of {forgotten!r} in {run.warehouse.name}.")
    for left in found.left:
        run.say(f"Not deleted: {left}")
    run.say("docs/ops/install.md lists other places: files of Kestra, backups, reports and exports that you wrote.")
    return {"athlete_id": forgotten, **found.to_dict()}


def _confirm(run: Run, athlete_id: str) -> None:
    if run.as_json or not sys.stdin.isatty():
        raise UsageError(f"nothing was deleted: repeat it with --yes to delete everything of {athlete_id!r}")
    typed = click.prompt(
        f"Everything of {athlete_id!r} in {run.warehouse.name} will be deleted. Type {athlete_id} to go on"
    )
    if typed != athlete_id:
        raise BuddyError("nothing was deleted")
