"""Kestra's REST API (2.0, open-source edition with its one tenant): sources of flows, files of namespaces, triggers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from urllib3.filepost import encode_multipart_formdata

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.core.http import ApiError, HttpClient, HttpResponse, RateLimit

_TENANT_PATH = "/api/v1/main"
_YAML = "application/x-yaml"
_ROWS_A_PAGE = 100

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class KestraSettings:
    """The address of Kestra, and its login (basic authentication).

    Attributes:
        is_in_clear: whether the login may go there over http://.
    """

    url: str
    username: str
    password: str = field(repr=False)
    is_in_clear: bool = False


def kestra_settings() -> KestraSettings:
    """Read BUDDY_KESTRA_URL, BUDDY_KESTRA_USERNAME, BUDDY_KESTRA_PASSWORD and BUDDY_KESTRA_IN_CLEAR.

    Raises:
        UsageError: only one of name and password is set.
    """
    username, password = variables.KESTRA_USERNAME.read(), variables.KESTRA_PASSWORD.read()
    if bool(username) != bool(password):
        raise UsageError("BUDDY_KESTRA_USERNAME and BUDDY_KESTRA_PASSWORD: expected both or neither, found one of them")
    return KestraSettings(variables.KESTRA_URL.read(), username, password, variables.KESTRA_IN_CLEAR.read() == "true")


@dataclass(frozen=True, slots=True)
class ServedFlow:
    """A flow as the server lists it.

    Attributes:
        is_disabled: see :func:`starts_nothing`.
    """

    namespace: str
    flow_id: str
    is_disabled: bool


@dataclass(frozen=True, order=True, slots=True)
class ServedTrigger:
    """A trigger that the server's scheduler evaluates: a schedule or a poll, no webhook.

    Attributes:
        is_disabled: in the browser, or in the source of its flow.
    """

    namespace: str
    flow_id: str
    trigger_id: str
    is_disabled: bool


def starts_nothing(flow: Mapping[str, Any]) -> bool:
    """Return whether a flow (its YAML or JSON) is disabled, itself or each of its triggers."""
    triggers = flow.get("triggers") or []
    return flow.get("disabled") is True or (
        bool(triggers) and all(isinstance(trigger, dict) and trigger.get("disabled") is True for trigger in triggers)
    )


class KestraApi:
    """One server. Every method raises ApiError if the server does not answer as Kestra 2.0 does."""

    def __init__(
        self, settings: KestraSettings, *, backoff_s: float | None = None, rows_a_page: int = _ROWS_A_PAGE
    ) -> None:
        """
        Args:
            backoff_s: see :class:`fitness_buddy.core.http.HttpClient`.

        Raises:
            UsageError: the address would send the password unencrypted.
        """
        self._url = settings.url
        self._rows_a_page = rows_a_page
        login = (settings.username, settings.password) if settings.username else None
        self._client = HttpClient(
            settings.url,
            rate_limit=RateLimit("Kestra"),
            login=login,
            is_clear_text_allowed=settings.is_in_clear,
            backoff_s=backoff_s,
        )

    def problem(self, source: str) -> str:
        """Return what is wrong with a flow, in the server's words on one line; empty if nothing is."""
        response = self._call("POST", "/flows/validate", content=(_YAML, source.encode()))
        constraints = self._read(response, lambda found: [violation.get("constraints") for violation in found])
        return " ".join(" ".join(filter(None, constraints)).split())

    def flows(self, namespace_prefix: str) -> list[ServedFlow]:
        """Return all flows of namespaces with this prefix, sorted by namespace and id."""
        flows = [
            ServedFlow(str(flow["namespace"]), str(flow["id"]), starts_nothing(flow))
            for flow in self._search("/flows/search", "id:asc", namespace_prefix)
        ]
        return sorted(set(flows), key=lambda flow: (flow.namespace, flow.flow_id))

    def triggers(self, namespace_prefix: str) -> list[ServedTrigger]:
        """Return all evaluated triggers of namespaces with this prefix, sorted."""
        found = self._search("/triggers/search", "triggerId:asc", namespace_prefix, lambda entry: entry["state"])
        return sorted({_served_trigger(state) for state in found})

    def enable(self, triggers: Iterable[tuple[str, str, str]]) -> None:
        """Enable triggers, each given by namespace, flow and id; the server does it shortly after."""
        ids = [dict(zip(("namespace", "flowId", "triggerId"), trigger, strict=True)) for trigger in triggers]
        body = json.dumps({"triggers": ids, "disabled": False}).encode()
        self._call("POST", "/triggers/set-disabled/by-triggers", content=("application/json", body))

    def _search(
        self, path: str, sort: str, namespace_prefix: str, read: Callable[[Any], Any] = lambda entry: entry
    ) -> Iterator[Mapping[str, Any]]:
        for page in itertools.count(1):
            asked = {"page": page, "size": self._rows_a_page, "sort": sort}
            asked |= {"filters[namespace][STARTS_WITH]": namespace_prefix}
            response = self._call("GET", path, params=asked)
            found = self._read(response, lambda found: [dict(read(entry)) for entry in found["results"]])
            yield from found
            if len(found) < self._rows_a_page:
                return

    def source(self, namespace: str, flow_id: str) -> str:
        """Return the YAML of a flow, verbatim."""
        response = self._call("GET", _flow_path(namespace, flow_id), params={"source": "true"})
        return self._read(response, lambda flow: str(flow["source"]))

    def create(self, source: str) -> None:
        """Create a flow from its YAML."""
        self._call("POST", "/flows", content=(_YAML, source.encode()))

    def update(self, namespace: str, flow_id: str, source: str) -> None:
        """Replace a flow; the server keeps the old one as a revision."""
        self._call("PUT", _flow_path(namespace, flow_id), content=(_YAML, source.encode()))

    def delete(self, namespace: str, flow_id: str) -> None:
        """Delete a flow; the server keeps its executions."""
        self._call("DELETE", _flow_path(namespace, flow_id), expects_json=False)

    def files(self, namespace: str) -> list[str]:
        """Return the absolute paths of a namespace's files, sorted."""
        paths: list[str] = []
        folders = ["/"]
        while folders:
            folder = folders.pop()
            response = self._call("GET", _files_path(namespace, "/directory"), params={"path": folder})
            for name, kind in self._read(response, _names_and_kinds):
                path = f"{folder.rstrip('/')}/{name}"
                (folders if kind == "Directory" else paths).append(path)
        return sorted(paths)

    def file(self, namespace: str, path: str) -> bytes:
        """Return the content of a namespace's file."""
        return self._call("GET", _files_path(namespace), params={"path": path}, expects_json=False).body

    def put_file(self, namespace: str, path: str, content: bytes) -> None:
        """Write a namespace's file, and the folders that it needs."""
        # The server uses this name only to unpack files that end in .zip.
        part = {"fileContent": ("content", content, "application/octet-stream")}
        body, media_type = encode_multipart_formdata(part)
        self._call(
            "POST", _files_path(namespace), params={"path": path}, content=(media_type, body), expects_json=False
        )

    def delete_file(self, namespace: str, path: str) -> None:
        """Delete a namespace's file, and the folders that are empty without it."""
        self._call("DELETE", _files_path(namespace), params={"path": path}, expects_json=False)

    def _call(self, method: str, path: str, **how: Any) -> HttpResponse:
        try:
            response = self._client.call(method, _TENANT_PATH + path, **how)
        except ApiError as error:
            if error.status is not None:
                raise
            raise ApiError(str(error), f"is Kestra running at {self._url}? BUDDY_KESTRA_URL says where it is") from None
        if response.status == 401:
            raise response.error("BUDDY_KESTRA_USERNAME and BUDDY_KESTRA_PASSWORD must be Kestra's own login")
        if response.status == 404:
            raise response.error(f"Either it is gone, or there is no Kestra 2 at {self._url} (BUDDY_KESTRA_URL)")
        if response.status >= 400:
            raise response.error("Kestra refused it")
        return response

    def _read(self, response: HttpResponse, read: Callable[[Any], _Read]) -> _Read:
        try:
            return read(response.document)
        except (KeyError, TypeError, AttributeError):
            raise response.error(
                f"That is not how Kestra 2 answers: what is at {self._url} (BUDDY_KESTRA_URL)?"
            ) from None


def _served_trigger(state: Mapping[str, Any]) -> ServedTrigger:
    namespace, flow_id, trigger_id = (str(state[name]) for name in ("namespace", "flowId", "triggerId"))
    return ServedTrigger(namespace, flow_id, trigger_id, state.get("disabled") is True)


def _flow_path(namespace: str, flow_id: str) -> str:
    return f"/flows/{quote(namespace, safe='')}/{quote(flow_id, safe='')}"


def _files_path(namespace: str, what: str = "") -> str:
    return f"/namespaces/{quote(namespace, safe='')}/files{what}"


def _names_and_kinds(found: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(str(entry["fileName"]), str(entry["type"])) for entry in found]
