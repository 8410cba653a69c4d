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


def test_every_message_and_every_flow_of_a_report_is_an_exposure() -> None:
    flows = {path: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "flows" / "report").glob("*.yaml")}
    ids = {f"{flow['namespace']}.{flow['id']}" for path, flow in flows.items() if path.stem != "send"}
    stated = {meta(one)["flow"] for one in EXPOSURES if "flow" in meta(one)}
    assert stated == ids | {"buddy.remind.meditation"}
    names = {one["name"] for one in EXPOSURES}
    assert {f"message_{kind.replace('-', '_')}" for kind in ReportKind} <= names
