"""Read what can be asked: metrics and dimensions of the semantic models, without any athlete's data."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fitness_buddy.core.errors import BuddyError
from fitness_buddy.core.yaml_text import parse_yaml

GRAINS = ("day", "week", "month", "year")
_BOOLEANS = ("true", "false")
_REF = re.compile(r"ref\('(\w+)'\)")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A property by which rows are grouped and filtered.

    Attributes:
        column: the column of the mart.
        values: the possible values; None if only the athlete's data has them.
    """

    name: str
    column: str
    label: str
    description: str
    values: Sequence[str] | None

    @property
    def is_boolean(self) -> bool:
        return self.values == _BOOLEANS


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a subject.

    Attributes:
        unit: the unit of its value; empty if the label says what is counted.
        within: the metric has a meaning only within one value of one of these dimensions.
        known_by: the metric that counts the rows that have a value; empty if all rows have one.
    """

    name: str
    label: str
    description: str
    subject: str
    unit: str
    decimals: int
    within: Sequence[str]
    known_by: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One semantic model: a mart, the meaning of its rows, and their dimensions.

    Attributes:
        day: the column with the local day.
        area: the area in fct_source_coverage; empty for all areas together.
        counted_by: the metric that counts the rows.
        one, many: the noun for one row, for several.
    """

    name: str
    label: str
    description: str
    mart: str
    day: str
    entity: str
    area: str
    counted_by: str
    one: str
    many: str
    dimensions: Mapping[str, Dimension]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All subjects and metrics.

    Attributes:
        semantic_models, metric_documents: the content of the project's YAML files.
    """

    subjects: Mapping[str, Subject]
    metrics: Mapping[str, Metric]
    semantic_models: Sequence[Mapping[str, Any]]
    metric_documents: Sequence[Mapping[str, Any]]

    def subject_of(self, metric: str) -> Subject:
        return self.subjects[self.metrics[metric].subject]

    def markdown(self) -> str:
        """Return the tables of docs/ask/metrics.md, which a language model also reads before it chooses."""
        parts = []
        for subject in self.subjects.values():
            parts += [
                f"### {subject.label}",
                "",
                subject.description,
                "",
                "| metric | unit | what it is |",
                "|---|---|---|",
            ]
            parts += [
                f"| `{metric.name}` | {metric.unit} | {metric.label}. {metric.description} |"
                for metric in self.metrics.values()
                if metric.subject == subject.name
            ]
            if subject.dimensions:
                parts += ["", "| dimension | what it is | values |", "|---|---|---|"]
            for dimension in subject.dimensions.values():
                values = ", ".join(dimension.values) if dimension.values is not None else "as recorded"
                parts.append(f"| `{dimension.name}` | {dimension.label}. {dimension.description} | {values} |")
            parts.append("")
        return "\n".join(parts)


def load_catalogue(project_dir: Path) -> Catalogue:
    """Read the catalogue from the project's YAML files; no build is needed.

    Raises:
        BuddyError: a file cannot be read, or has another form.
    """
    documents = [_read(path) for path in sorted((project_dir / "models").rglob("_*__semantic_models.yml"))]
    semantic_models = [model for document in documents for model in document["semantic_models"]]
    metric_documents = [metric for document in documents for metric in document["metrics"]]
    if not semantic_models:
        raise BuddyError(
            f"{project_dir / 'models'}: expected semantic models in _<area>__semantic_models.yml, found none"
        )
    subjects = {model["name"]: _subject(model, project_dir / "seeds") for model in semantic_models}
    subject_of_measure = {
        measure["name"]: model["name"] for model in semantic_models for measure in model.get("measures", [])
    }
    subject_of_metric: dict[str, str] = {}
    for metric in metric_documents:
        parameters = metric["type_params"]
        if metric["type"] == "simple":
            subject_of_metric[metric["name"]] = subject_of_measure[parameters["measure"]]
    metrics = {}
    for metric in metric_documents:
        name, meta = metric["name"], metric["config"]["meta"]
        metrics[name] = Metric(
            name=name,
            label=metric["label"],
            description=metric["description"],
            # The inputs of a ratio are metrics of one semantic model.
            subject=subject_of_metric.get(name) or subject_of_metric[metric["type_params"]["numerator"]["name"]],
            unit=meta["unit"],
            decimals=meta.get("decimals", 0),
            within=tuple(meta.get("within", ())),
            known_by=meta.get("known_by", ""),
        )
    return Catalogue(subjects, metrics, semantic_models, metric_documents)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BuddyError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise BuddyError(f"{path}: expected the keys semantic_models and metrics")
    return {"semantic_models": [], "metrics": []} | document


def _subject(model: Mapping[str, Any], seeds_dir: Path) -> Subject:
    meta = model["config"]["meta"]
    named = _REF.fullmatch(model["model"])
    if not named:
        raise BuddyError(f"semantic model {model['name']}: expected model: ref('…'), found {model['model']!r}")
    entities = {entity["type"]: entity["name"] for entity in model["entities"]}
    dimensions = {
        dimension["name"]: Dimension(
            dimension["name"],
            dimension.get("expr", dimension["name"]),
            dimension["label"],
            dimension["description"],
            _values(dimension["config"]["meta"]["values"], seeds_dir),
        )
        for dimension in model["dimensions"]
        if dimension["type"] == "categorical"
    }
    return Subject(
        name=model["name"],
        label=model["label"],
        description=model["description"],
        mart=named[1],
        day=model["defaults"]["agg_time_dimension"],
        entity=model.get("primary_entity") or entities["primary"],
        area=meta["area"],
        counted_by=meta["counted_by"],
        one=meta["one"],
        many=meta["many"],
        dimensions=dimensions,
    )


def _values(stated: str | list[str], seeds_dir: Path) -> tuple[str, ...] | None:
    if isinstance(stated, list):
        return tuple(stated)
    if stated == "any":
        return None
    if stated == "bool":
        return _BOOLEANS
    seed, _, column = stated.partition(".")
    return tuple(dict.fromkeys(_column(seeds_dir / f"{seed}.csv", column)))


def _column(path: Path, column: str) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row[column]
