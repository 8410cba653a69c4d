"""Explanations as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fitness_buddy.report.explain import Explanation

# Of an activity and of a meal, what the versions differ by.
_NOT_SHOWN = {"source", "loaded_at", "load_id", "is_deleted"}


def steps_lines(found: Explanation) -> Iterator[str]:
    """Return a day of steps: the count, then each source with its devices, then the loads."""
    result = found.result
    yield f"{found.subject}: {result['steps']:,} from {result['step_source']}" if result else f"{found.subject}: none"
    yield from found.why
    for source in found.parts:
        yield ""
        yield f"{source['source']}: {source['steps']:,} steps, {source['why']}"
        if source["total_steps"] is not None:
            yield f"  its own total: {source['total_steps']:,}{_loads(source['load_ids'])}"
        for device in source["devices"]:
            counted = f"{device['steps']:,.0f} of {device['steps_stated']:,.0f} steps"
            yield f"  {device['device']} ({device['kind']}): {counted}, {device['why']}{_loads(device['load_ids'])}"
    yield from _origin_lines(found)


def version_lines(found: Explanation) -> Iterator[str]:
    """Return an activity or a meal: the reasons, then each version in the order of loads, then the loads."""
    yield f"{found.subject}:"
    yield from found.why
    for version in found.parts:
        yield ""
        deleted = ", deleted" if version["is_deleted"] else ""
        source = f"{version['source']}, " if "source" in version else ""
        yield f"{source}loaded {version['loaded_at']:%Y-%m-%d %H:%M} UTC{deleted}{_loads([version['load_id']])}"
        yield "  " + ", ".join(
            f"{name} {value}" for name, value in version.items() if name not in _NOT_SHOWN and value is not None
        )
    yield from _origin_lines(found)


def _loads(load_ids: list[str]) -> str:
    return f" [{', '.join(load_ids)}]" if load_ids else ""


def _origin_lines(found: Explanation) -> Iterator[str]:
    yield ""
    for load in found.loads:
        yield f"{load.load_id}: {load.origin}, {load.rows_added:,} rows, loaded {load.loaded_at:%Y-%m-%d %H:%M} UTC"
    known = {load.load_id for load in found.loads}
    missing = sorted(_load_ids(found.parts) - known)
    if missing:
        yield f"{', '.join(missing)}: the file is not known (loaded from a bucket, or before file names were kept)"


def _load_ids(parts: list[dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    for part in parts:
        found |= set(part.get("load_ids", [])) | {part["load_id"] for name in part if name == "load_id"}
        found |= _load_ids(part.get("devices", []))
    return found
