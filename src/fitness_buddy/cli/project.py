"""The command ``buddy project init``, for analysts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fitness_buddy.cli.command import PATH, Run, command, main


@main.group()
def project() -> None:
    """A dbt project of your own on the marts."""


@command(project, "init")
@click.argument("folder", type=PATH)
def project_init(run: Run, folder: Path) -> dict[str, Any]:
    """Write a dbt project to FOLDER that has this one as a package: a profile, and an example model on the marts.

    Its name is the name of the folder. Files that exist there stay as they are.
    """
    from fitness_buddy.transform.host_project import write_host_project

    written = write_host_project(run.settings, run.warehouse, folder)
    for place in written.kept:
        run.say(f"Note: {folder / place} exists and stays as it is.")
    run.say(f"The dbt project {written.name} is in {folder}; its README.md says how to build it. First:")
    run.say(f"  cd {folder} && dbt deps")
    return {"folder": str(folder), **asdict(written)}
