"""Compare the flows of a folder with those of a Kestra server, and make the server equal to the folder.

A folder has ``<purpose>/<id>.yaml``, the flows of the namespace ``buddy.<purpose>``, and ``<purpose>/files/**``, the
files of the namespace. Triggers that need an account are disabled there. BUDDY_FLOWS_ENABLED names the flows whose
triggers are enabled all the same. A flow that BigQuery can start has a trigger for each target, and its ``disabled``
are those of DuckDB; for BigQuery each of them is negated. With BUDDY_ATHLETES each athlete gets the triggers
(:mod:`fitness_buddy.kestra.athletes`). A trigger can also be disabled in the browser, which no source shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from fitness_buddy.core import variables
from fitness_buddy.core.athletes import listed_athletes
from fitness_buddy.core.errors import BuddyError, StoppedError, UsageError
from fitness_buddy.core.settings import Settings
from fitness_buddy.core.yaml_text import parse_yaml
from fitness_buddy.kestra.api import KestraApi, starts_nothing
from fitness_buddy.kestra.athletes import with_athletes

_NAMESPACES = "buddy."
_FILES = "files"
# It asks BigQuery with a query whether a flow has something to do.
_BIGQUERY_TRIGGER = "io.kestra.plugin.gcp.bigquery.Trigger"
# The status of a comparison, and the status of a deployment that it becomes.
_DONE = {"same": "unchanged", "differs": "updated", "missing": "created", "extra": "extra"}
STATUSES = ("created", "updated", "unchanged", "deleted", "extra")
_CHANGES = {"created", "updated", "deleted"}


@dataclass(frozen=True, slots=True)
class LocalFlow:
    """A flow of the folder, with its triggers as they are deployed.

    Attributes:
        is_disabled: see :func:`fitness_buddy.kestra.api.starts_nothing`.
        enabled_triggers: the ids of the triggers that start it.
    """

    path: Path
    namespace: str
    flow_id: str
    source: str
    is_disabled: bool
    enabled_triggers: frozenset[str]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of a namespace; its path on the server begins with ``/``."""

    path: Path
    namespace: str
    server_path: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One flow or file, in the folder and on the server.

    Attributes:
        name: the id of the flow, or the path of the file on the server.
        status: in a comparison ``same``, ``differs``, ``missing`` (on the server) or ``extra`` (only there); in a
            deployment one of STATUSES.
        is_disabled: of the flow on the server, or in the folder if the server does not have it; None for a file.
    """

    namespace: str
    name: str
    status: str
    is_disabled: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values: a flow has ``id`` and ``disabled``, a file ``path``."""
        if self.is_disabled is None:
            return {"namespace": self.namespace, "path": self.name, "status": self.status}
        return {"namespace": self.namespace, "id": self.name, "status": self.status, "disabled": self.is_disabled}

    def __str__(self) -> str:
        return f"{self.namespace}{'' if self.name.startswith('/') else '/'}{self.name}"


@dataclass(frozen=True, slots=True)
class TriggerDifference:
    """A trigger that the folder enables, in a flow that is the same on the server.

    Attributes:
        status: in a comparison ``same`` or ``disabled`` (in the browser); in a deployment ``unchanged``, ``enabled`` or
            ``disabled``.
    """

    namespace: str
    flow_id: str
    trigger_id: str
    status: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values: ``id`` is the flow's."""
        return {"namespace": self.namespace, "id": self.flow_id, "trigger": self.trigger_id, "status": self.status}

    def __str__(self) -> str:
        return f"{self.namespace}/{self.flow_id}.{self.trigger_id}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All flows and files of the folder and the server, and the triggers, by namespace and name."""

    flows: list[Difference]
    files: list[Difference]
    triggers: list[TriggerDifference]

    @property
    def all(self) -> list[Difference | TriggerDifference]:
        return [*self.flows, *self.files, *self.triggers]

    @property
    def drift(self) -> list[Difference | TriggerDifference]:
        return [found for found in self.all if found.status != "same"]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values: the lists ``flows``, ``files``, ``triggers``, and how many of all drifted."""
        return {
            "flows": [flow.to_dict() for flow in self.flows],
            "files": [file.to_dict() for file in self.files],
            "triggers": [trigger.to_dict() for trigger in self.triggers],
            "drift": len(self.drift),
        }


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was done, or would be done: flows and files, each with one of STATUSES, and triggers."""

    flows: list[Difference]
    files: list[Difference]
    triggers: list[TriggerDifference]
    is_dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values: lists, and how many flows and files have which status."""
        return {
            "dry_run": self.is_dry_run,
            "flows": [flow.to_dict() for flow in self.flows],
            "files": [file.to_dict() for file in self.files],
            "triggers": [trigger.to_dict() for trigger in self.triggers],
            "flow_counts": count_statuses(self.flows),
            "file_counts": count_statuses(self.files),
        }


def count_statuses(done: Iterable[Difference]) -> dict[str, int]:
    """Return how many have each of STATUSES."""
    counts = Counter(one.status for one in done)
    return {status: counts[status] for status in STATUSES}


class FlowFolder:
    """The flows and files of a folder.

    Attributes:
        flows: by namespace and id.
        files: by namespace and path on the server.
    """

    def __init__(
        self,
        folder: Path,
        enabled_ids: Iterable[str] = (),
        *,
        is_on_bigquery: bool = False,
        athletes: Mapping[str, str] | None = None,
        own_athlete_id: str = variables.ATHLETE.default,
    ) -> None:
        """Read the flows and files of a folder.

        Args:
            enabled_ids: the flows whose disabled triggers are enabled.
            is_on_bigquery: whether flows that BigQuery can start are started by it.
            athletes: see :func:`fitness_buddy.kestra.athletes.with_athletes`, also for own_athlete_id.

        Raises:
            UsageError: the folder has no flows, or not one with an id that is to be enabled.
            BuddyError: a file is not a flow, or its id and namespace differ from its place.
        """
        enabled_ids = set(enabled_ids)
        read = _read_flows(folder, enabled_ids, is_on_bigquery, athletes or {}, own_athlete_id)
        self.flows = {(flow.namespace, flow.flow_id): flow for flow in read}
        self.files = {(file.namespace, file.server_path): file for file in _find_files(folder)}
        if not self.flows:
            raise UsageError(f"{folder}: no flows there; expected <purpose>/<id>.yaml")
        unknown = enabled_ids - {flow.flow_id for flow in self.flows.values()}
        if unknown:
            raise UsageError(
                f"BUDDY_FLOWS_ENABLED: {folder} has no flow {', '.join(sorted(unknown))}; "
                f"it has: {', '.join(sorted({flow.flow_id for flow in self.flows.values()}))}"
            )

    def compare(self, api: KestraApi) -> Comparison:
        """Compare this folder with the server, in all namespaces that begin with ``buddy.``.

        Raises:
            ApiError: the server does not answer as Kestra does.
        """
        served = {(flow.namespace, flow.flow_id): flow for flow in api.flows(_NAMESPACES)}
        flows = []
        for key in sorted(self.flows.keys() | served.keys()):
            flow, on_server = self.flows.get(key), served.get(key)
            if flow is None or on_server is None:
                status = "missing" if flow else "extra"
            else:
                # The server may remove white space around a source.
                status = "same" if api.source(*key).strip() == flow.source.strip() else "differs"
            is_disabled = on_server.is_disabled if on_server else bool(flow and flow.is_disabled)
            flows.append(Difference(*key, status, is_disabled))
        namespaces = {namespace for namespace, _ in (*self.flows, *served)}
        served_files = {(namespace, path) for namespace in sorted(namespaces) for path in api.files(namespace)}
        files = []
        for key in sorted(self.files.keys() | served_files):
            if key not in self.files or key not in served_files:
                status = "missing" if key in self.files else "extra"
            else:
                status = "same" if api.file(*key) == self.files[key].path.read_bytes() else "differs"
            files.append(Difference(*key, status))
        return Comparison(flows, files, list(self._compare_triggers(api, flows)))

    def _compare_triggers(self, api: KestraApi, flows: list[Difference]) -> Iterator[TriggerDifference]:
        same = {(flow.namespace, flow.name) for flow in flows if flow.status == "same"}
        for served in api.triggers(_NAMESPACES):
            key = (served.namespace, served.flow_id)
            if key in same and served.trigger_id in self.flows[key].enabled_triggers:
                yield TriggerDifference(*key, served.trigger_id, "disabled" if served.is_disabled else "same")

    def deploy(
        self, api: KestraApi, *, deletes: bool = False, enables: bool = False, is_dry_run: bool = False
    ) -> Deployment:
        """Make the server equal to this folder; nothing is loaded if the server finds a flow invalid.

        Args:
            deletes: delete what only the server has; without it, it stays and is listed as ``extra``.
            enables: enable the triggers that were disabled in the browser.
            is_dry_run: change nothing.

        Raises:
            ApiError: the server does not answer as Kestra does.
            BuddyError: flows are invalid.
            StoppedError: a change failed; the changes before it are made.
        """
        self._validate(api)
        comparison = self.compare(api)
        done = _DONE | ({"extra": "deleted"} if deletes else {})
        flows, files = (
            [replace(one, status=done[one.status]) for one in found] for found in (comparison.flows, comparison.files)
        )
        becomes = {"same": "unchanged"} | ({"disabled": "enabled"} if enables else {})
        triggers = [replace(one, status=becomes.get(one.status, one.status)) for one in comparison.triggers]
        deployment = Deployment(flows, files, triggers, is_dry_run)
        if not is_dry_run:
            self._apply(api, deployment)
        return deployment

    def _validate(self, api: KestraApi) -> None:
        problems = {str(flow.path): problem for flow in self.flows.values() if (problem := api.problem(flow.source))}
        if problems:
            lines = "".join(f"\n  {path}: {problem}" for path, problem in problems.items())
            raise BuddyError(
                f"{len(problems)} of {len(self.flows)} flows are invalid. Nothing was loaded.{lines}",
                details={"invalid": [{"file": path, "problem": problem} for path, problem in problems.items()]},
            )

    def _apply(self, api: KestraApi, deployment: Deployment) -> None:
        # Files first: a flow may start and read them as soon as it is loaded.
        changes = [one for one in (*deployment.files, *deployment.flows) if one.status in _CHANGES]
        for made, one in enumerate(changes):
            try:
                if one.is_disabled is None:
                    self._change_file(api, one)
                else:
                    self._change_flow(api, one)
            except BuddyError as error:
                words = f"Stopped at {one}; {made} of {len(changes)} changes are made. Run it again."
                raise StoppedError(error, words, details={"changes_made": made}) from error
        enabled = [one for one in deployment.triggers if one.status == "enabled"]
        if enabled:
            api.enable((one.namespace, one.flow_id, one.trigger_id) for one in enabled)

    def _change_file(self, api: KestraApi, file: Difference) -> None:
        if file.status == "deleted":
            api.delete_file(file.namespace, file.name)
        else:
            api.put_file(file.namespace, file.name, self.files[file.namespace, file.name].path.read_bytes())

    def _change_flow(self, api: KestraApi, flow: Difference) -> None:
        if flow.status == "deleted":
            api.delete(flow.namespace, flow.name)
        elif flow.status == "created":
            api.create(self.flows[flow.namespace, flow.name].source)
        else:
            api.update(flow.namespace, flow.name, self.flows[flow.namespace, flow.name].source)


def open_flows(settings: Settings, folder: Path | None = None) -> FlowFolder:
    """Return the flows of a folder [the project's] as they are deployed for the warehouse, the athletes and settings.

    Raises:
        UsageError, BuddyError: see :class:`FlowFolder`.
    """
    return FlowFolder(
        folder or settings.project_dir / "flows",
        variables.FLOWS_ENABLED.read(),
        is_on_bigquery=settings.profile.get("type") == "bigquery",
        athletes=listed_athletes(),
        own_athlete_id=variables.ATHLETE.read(),
    )


def enable_triggers(source: str) -> str:
    """Return a flow's text with ``disabled: false`` for every trigger that says true; the rest is unchanged.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return _replace_disabled(source, {"true": "false"})


def negate_triggers(source: str) -> str:
    """Return a flow's text with the other word for every ``disabled`` of a trigger; the rest is unchanged.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return _replace_disabled(source, {"true": "false", "false": "true"})


def _replace_disabled(source: str, words: Mapping[str, str]) -> str:
    places = [
        (value.start_mark.index, value.end_mark.index, words[value.value])
        for triggers in _values(yaml.compose(source, Loader=yaml.SafeLoader), "triggers")
        for trigger in triggers.value
        for value in _values(trigger, "disabled")
        if value.value in words
    ]
    for start, end, word in reversed(places):
        source = source[:start] + word + source[end:]
    return source


def _asks_bigquery(source: str) -> bool:
    # Parsed instead of composed, which takes ten times as long: this asks each flow.
    stated = parse_yaml(source)
    triggers = (stated.get("triggers") or []) if isinstance(stated, Mapping) else []
    return any(trigger.get("type") == _BIGQUERY_TRIGGER for trigger in triggers)


def _values(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for key, value in node.value if key.value == name)


def _read_flows(
    folder: Path, enabled_ids: set[str], is_on_bigquery: bool, athletes: Mapping[str, str], own_athlete_id: str
) -> Iterator[LocalFlow]:
    for path in sorted(folder.glob("*/*.yml")):
        raise BuddyError(f"{path}: expected the ending .yaml")
    for path in sorted(folder.glob("*/*.yaml")):
        flow_id, namespace = path.stem, _NAMESPACES + path.parent.name
        _refuse_link(path)
        try:
            source = path.read_text(encoding="utf-8")
            if _asks_bigquery(source):
                source = negate_triggers(source) if is_on_bigquery else source
            elif flow_id in enabled_ids:
                source = enable_triggers(source)
            source = with_athletes(source, athletes, own_athlete_id)
            stated = parse_yaml(source)
        except (yaml.YAMLError, ValueError) as error:
            raise BuddyError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(stated, Mapping) or (stated.get("id"), stated.get("namespace")) != (flow_id, namespace):
            raise BuddyError(f"{path}: expected a flow with id {flow_id} and namespace {namespace}, as its place says")
        enabled = {str(one.get("id")) for one in stated.get("triggers") or [] if one.get("disabled") is not True}
        yield LocalFlow(path, namespace, flow_id, source, starts_nothing(stated), frozenset(enabled))


def _refuse_link(path: Path) -> None:
    """Refuse a link: it may show any file of this machine, which would become a file of the server."""
    if path.is_symlink():
        raise BuddyError(f"{path}: a link is not deployed: put the file itself there")


def _find_files(folder: Path) -> Iterator[LocalFile]:
    for root in sorted(folder.glob(f"*/{_FILES}")):
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            _refuse_link(path)
            # Without files of editors and systems, and without what Python compiles.
            if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
                yield LocalFile(path, _NAMESPACES + root.parent.name, f"/{inside.as_posix()}")
