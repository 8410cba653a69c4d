"""Everything outside of dbt that reads marts is an exposure, with the marts that its code names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import REPOSITORY

from fitness_buddy.report.kinds import ReportKind

MODELS = REPOSITORY / "models" / "marts"
EXPOSURES: list[dict[str, Any]] = yaml.safe_load((MODELS / "health" / "_health__exposures.yml").read_text())[
    "exposures"
]
MARTS = {path.stem for path in MODELS.rglob("*.sql")}


def read_in(place: str) -> set[str]:
    """The marts that a module, or the modules of a folder, name."""
    path = REPOSITORY / "src" / "fitness_buddy" / place
    paths: list[Path] = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert paths, place
    return {name for one in paths for name in re.findall(r"\b\w+\b", one.read_text())} & MARTS


def refs(exposure: dict[str, Any]) -> set[str]:
    return {name for ref in exposure["depends_on"] for name in re.findall(r"ref\('(\w+)'\)", ref)}


def meta(exposure: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = exposure.get("config", {}).get("meta", {})
    return found


@pytest.mark.parametrize("exposure", [one for one in EXPOSURES if "read_in" in meta(one)], ids=lambda one: one["name"])
def test_an_exposure_depends_on_the_marts_that_its_code_reads(exposure: dict[str, Any]) -> None:
    assert refs(exposure) == set().union(*map(read_in, meta(exposure)["read_in"]))


def test_the_exposure_of_questions_depends_on_the_marts_of_the_semantic_models() -> None:
    documents = [yaml.safe_load(path.read_text()) for path in MODELS.rglob("_*__semantic_models.yml")]
    asked = {
        name for one in documents for model in one["semantic_models"] for name in re.findall(r"'(\w+)'", model["model"])
    }
    (exposure,) = (one for one in EXPOSURES if one["name"] == "buddy_ask")
    assert refs(exposure) == asked | {"dim_athletes"}


# The commands of flows that read marts, and those that read none; `buddy report` is called by the flow send.
READ_MARTS = {"report", "ask", "build", "meditation"}
READ_NONE = {
    *("check", "docs", "events", "flows", "freshness", "heartbeat", "ingest", "load-from-bucket", "meal"),
    *("remind", "setup-gcp"),
}


def commands_of(part: Any) -> set[str]:
    """The commands of `buddy` that the tasks of a flow, or of a part of it, run."""
    if isinstance(part, list):
        return set().union(*map(commands_of, part))
    if not isinstance(part, dict):
        return set()
    lines = "\n".join(map(str, part.get("commands", ())))
    return set(re.findall(r"\bbuddy ([a-z][a-z-]+)", lines)).union(*map(commands_of, part.values()))


def reads_marts(flow: dict[str, Any], text: str) -> bool:
    """Whether a flow names a mart, runs a command that reads marts, or calls the flow that sends reports."""
    commands = commands_of(flow["tasks"])
    assert commands <= READ_MARTS | READ_NONE, f"{flow['id']}: say in this test whether {commands} read marts"
    is_report = any(task.get("flowId") == "send" for task in flow["tasks"])
    return is_report or bool(commands & READ_MARTS or set(re.findall(r"\w+", text)) & MARTS)


def test_every_message_and_every_flow_that_reads_marts_is_an_exposure() -> None:
    """A flow without an exposure reads no mart, or calls another flow that has one."""
    texts = [path.read_text() for path in (REPOSITORY / "flows").rglob("*.yaml")]
    flows = [(yaml.safe_load(text), text) for text in texts]
    reading = {f"{flow['namespace']}.{flow['id']}" for flow, text in flows if reads_marts(flow, text)}
    reading.remove("buddy.report.send")  # it runs the report of the flow that calls it
    stated = {meta(one)["flow"] for one in EXPOSURES if "flow" in meta(one)}
    assert stated == reading
    names = {one["name"] for one in EXPOSURES}
    assert {f"message_{kind.replace('-', '_')}" for kind in ReportKind} <= names


def test_the_export_depends_on_all_marts() -> None:
    (exposure,) = (one for one in EXPOSURES if one["name"] == "buddy_export")
    assert refs(exposure) == MARTS
