"""The commands about the flows of a Kestra server: ``buddy flows …``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main
from fitness_buddy.core.errors import BuddyError

if TYPE_CHECKING:
    from fitness_buddy.kestra.flows import FlowFolder


@main.group()
def flows() -> None:
    """The flows that a Kestra server runs, and those of this project's folder `flows`.

    BUDDY_KESTRA_URL says where the server is [http://localhost:8080], BUDDY_KESTRA_USERNAME and BUDDY_KESTRA_PASSWORD
    its login, BUDDY_FLOWS_ENABLED the ids of flows whose disabled triggers start all the same (comma separated).
    """


_folder_argument = click.argument("folder", type=PATH, required=False)


@command(flows, "deploy")
@_folder_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--delete", "deletes", is_flag=True, help="Also delete what the server has and FOLDER has not.")
def flows_deploy(run: Run, folder: Path | None, dry_run: bool, deletes: bool) -> dict[str, Any]:
    """Load the flows and namespace files of FOLDER [flows] that the server lacks or has otherwise; the others stay.

    Only namespaces that begin with `buddy.` are looked at. The server validates all flows first; nothing is loaded if
    it refuses one.
    """
    from fitness_buddy.kestra.api import KestraApi, kestra_settings
    from fitness_buddy.kestra.flows import count_statuses

    deployment = _flow_folder(run, folder).deploy(KestraApi(kestra_settings()), deletes=deletes, is_dry_run=dry_run)
    for kind, done in (("flows", deployment.flows), ("files", deployment.files)):
        counts = ", ".join(f"{count} {status}" for status, count in count_statuses(done).items())
        run.say(f"{kind}: {'would be ' if dry_run else ''}{counts}")
        for one in done:
            if one.status != "unchanged":
                run.say(f"  {one.status}: {one}")
    return deployment.to_dict()


@command(flows, "drift")
@_folder_argument
@click.option("--fail", is_flag=True, help="End with exit code 1 if anything differs.")
def flows_drift(run: Run, folder: Path | None, fail: bool) -> dict[str, Any]:
    """What the server runs against what FOLDER [flows] says: same, differs, missing or extra on the server."""
    from fitness_buddy.kestra.api import KestraApi, kestra_settings

    comparison = _flow_folder(run, folder).compare(KestraApi(kestra_settings()))
    drift = "".join(f"\n  {one.status}: {one}" for one in comparison.drift)
    result = f"{len(comparison.drift)} of {len(comparison.flows) + len(comparison.files)} flows and files differ{drift}"
    if fail and drift:
        raise BuddyError(result, details=comparison.to_dict())
    run.say(result)
    return comparison.to_dict()


def _flow_folder(run: Run, folder: Path | None) -> FlowFolder:
    from fitness_buddy.kestra.flows import FlowFolder, enabled_flow_ids

    return FlowFolder(folder or run.settings.project_dir / "flows", enabled_flow_ids())
