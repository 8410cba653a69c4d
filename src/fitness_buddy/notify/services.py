"""Posting to any service that the library apprise knows: ntfy, Telegram, Slack, e-mail and some hundred others.

The address of such a channel is a secret. What apprise logs may hold it, so nothing of that is shown unredacted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fitness_buddy.core import variables
from fitness_buddy.core.errors import BuddyError, UsageError
from fitness_buddy.core.redaction import hidden_parts
from fitness_buddy.core.retry import ATTEMPTS, ATTEMPTS_AWAITED, back_off
from fitness_buddy.notify.message import OutgoingMessage, as_text

# The subject of a message that has no title of its own.
_TITLE = "Buddy"
_MAX_REASON_CHARACTERS = 200
_STATUS = re.compile(r"\berror=(\d{3})\b")
# Of Slack and others: words that notify people, whoever wrote them.
_MENTION = re.compile(r"<(?=[!@#&])|@(?=\w)")
_NO_WIDTH = "\u200b"


class ServiceError(BuddyError):
    """A service did not take a message.

    Attributes:
        status: of HTTP, as far as apprise names one.
    """

    def __init__(self, service: str, reason: str, status: int | None) -> None:
        super().__init__(
            f"{service} did not take the message{f': {reason}' if reason else ''}", details={"http_status": status}
        )
        self.status = status


class Service:
    """One channel of apprise."""

    def __init__(self, address: str, name: str, *, is_awaited: bool = False) -> None:
        """
        Args:
            address: an address of apprise, such as ``ntfy://topic``.
            name: of the address, for messages; the address itself is a secret.
            is_awaited: see :func:`fitness_buddy.notify.channels.open_channels`.

        Raises:
            UsageError: apprise does not know such an address.
        """
        import apprise

        asset = apprise.AppriseAsset(app_id=_TITLE, app_desc=_TITLE, app_url="", async_mode=False)
        with _captured_log():
            found = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if not isinstance(found, apprise.NotifyBase):
            raise UsageError(f"{name}: apprise knows no such address (its list of services: appriseit.com/services)")
        self._hidden = sorted(hidden_parts(address), key=len, reverse=True)
        self._title = f"{found.service_name} ({name})"
        self.key = f"{address.partition('://')[0]}-{found.url_id()[:12]}"
        # Its pause between two requests of one process is longer than services ask for.
        found.request_rate_per_sec = min(found.request_rate_per_sec, variables.HTTP_BACKOFF_S.read())
        self._service = found
        self._library = apprise.Apprise(asset=asset)
        self._library.add(found)
        self._policy = back_off(variables.HTTP_BACKOFF_S.read(), ATTEMPTS_AWAITED if is_awaited else ATTEMPTS)

    def post(self, message: OutgoingMessage) -> str:
        """Post a message as plain text, with its pictures and files if the service takes files.

        Raises:
            ServiceError: the service did not take it, in no attempt.
        """
        self._policy.call(lambda: self._send(message), is_passing=_is_passing)
        return ""

    def _send(self, message: OutgoingMessage) -> None:
        with _captured_log() as said:
            is_taken = self._library.notify(**self._content(message))
        if not is_taken:
            reason = next(iter(said), "")
            status = _STATUS.search(reason)
            raise ServiceError(self._title, self._redacted(reason), int(status[1]) if status else None)

    def _content(self, message: OutgoingMessage) -> Mapping[str, Any]:
        import apprise
        from apprise.attachment.memory import AttachMemory

        title = without_mentions(message.title or _TITLE)
        text = without_mentions(as_text(message, self._service.body_maxlen - len(title) - 2))
        files = apprise.AppriseAttachment()
        if self._service.attachment_support:
            for one in message.files:
                files.add(AttachMemory(content=one.content, name=one.name, mimetype=one.media_type))
        else:
            text = "\n".join([text, *(f"Picture: {one.alt}" for one in message.files if one.alt)])
        return {
            "title": title,
            "body": text,
            "body_format": apprise.NotifyFormat.TEXT,
            "attach": files if len(files) else None,
        }

    def _redacted(self, reason: str) -> str:
        for part in self._hidden:
            reason = reason.replace(part, "***")
        return " ".join(reason.split())[:_MAX_REASON_CHARACTERS]


def without_mentions(text: str) -> str:
    """Return a text that notifies nobody, whoever it names."""
    return _MENTION.sub(lambda found: found[0] + _NO_WIDTH, text)


def _is_passing(error: BaseException) -> bool:
    """Return whether another attempt may help: not if the service refused this message or this address."""
    return isinstance(error, ServiceError) and (error.status is None or error.status == 429 or error.status >= 500)


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Keep what apprise and its HTTP client log from every other log, and yield the warnings of apprise."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logs = [logging.getLogger(name) for name in ("apprise", "urllib3")]
    keep, before = Keep(logging.WARNING), [log.propagate for log in logs]
    logs[0].addHandler(keep)
    for log in logs:
        log.propagate = False
    try:
        yield said
    finally:
        logs[0].removeHandler(keep)
        for log, propagates in zip(logs, before, strict=True):
            log.propagate = propagates
