"""The commands ``buddy flows …``."""

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
    """Load the flows of this project's folder `flows` into a Kestra server, or compare both.

    BUDDY_KESTRA_URL is the address of the server [http://localhost:8080], BUDDY_KESTRA_USERNAME and
    BUDDY_KESTRA_PASSWORD are its login. BUDDY_FLOWS_ENABLED has the ids of flows whose disabled triggers are enabled
    (comma separated). Of a flow that BigQuery can start, the trigger of the target is enabled: a schedule, or a query.
    With BUDDY_ATHLETES each athlete has schedules in their own time zone, and webhooks of their own.
    """


_folder_argument = click.argument("folder", type=PATH, required=False)


@command(flows, "deploy")
@_folder_argument
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--delete", "deletes", is_flag=True, help="Also delete what only the server has.")
@click.option("--enable", "enables", is_flag=True, help="Also enable triggers that were disabled in the browser.")
def flows_deploy(run: Run, folder: Path | None, dry_run: bool, deletes: bool, enables: bool) -> dict[str, Any]:
    """Load the flows and namespace files of FOLDER [flows] that are missing on the server, or differ there.

    Only namespaces that begin with `buddy.` are changed. The server validates all flows first; nothing is loaded if it
    refuses one.
    """
    from fitness_buddy.kestra.api import KestraApi, kestra_settings
    from fitness_buddy.kestra.flows import count_statuses

    api = KestraApi(kestra_settings())
    deployment = _flow_folder(run, folder).deploy(api, deletes=deletes, enables=enables, is_dry_run=dry_run)
    for kind, done in (("flows", deployment.flows), ("files", deployment.files)):
        counts = ", ".join(f"{count} {status}" for status, count in count_statuses(done).items())
        run.say(f"{kind}: {'would be ' if dry_run else ''}{counts}")
        for one in done:
            if one.status != "unchanged":
                run.say(f"  {one.status}: {one}")
    triggers = [one for one in deployment.triggers if one.status != "unchanged"]
    if triggers:
        hint = "" if enables else "; --enable enables them"
        run.say(f"triggers: {len(triggers)} disabled in the browser{hint}")
        for trigger in triggers:
            run.say(f"  {trigger.status}: {trigger}")
    return deployment.to_dict()


@command(flows, "drift")
@_folder_argument
@click.option("--fail", is_flag=True, help="End with exit code 1 if anything differs.")
def flows_drift(run: Run, folder: Path | None, fail: bool) -> dict[str, Any]:
    """Compare the server with FOLDER [flows].

    Flows and files are the same, differ, are missing there, or are extra. Triggers are the same, or disabled in the
    browser.
    """
    from fitness_buddy.kestra.api import KestraApi, kestra_settings

    comparison = _flow_folder(run, folder).compare(KestraApi(kestra_settings()))
    drift = "".join(f"\n  {one.status}: {one}" for one in comparison.drift)
    result = f"{len(comparison.drift)} of {len(comparison.all)} flows, files and triggers differ{drift}"
    if fail and drift:
        raise BuddyError(result, details=comparison.to_dict())
    run.say(result)
    return comparison.to_dict()


def _flow_folder(run: Run, folder: Path | None) -> FlowFolder:
    from fitness_buddy.kestra.flows import open_flows

    return open_flows(run.settings, folder)
