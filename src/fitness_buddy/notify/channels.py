"""Open the channels that the settings name: Discord by its webhook, everything else by apprise."""

from __future__ import annotations

from urllib.parse import urlsplit

from fitness_buddy.core import variables
from fitness_buddy.core.errors import UsageError
from fitness_buddy.notify.discord import Webhook
from fitness_buddy.notify.message import Channel


def open_channels(*, is_awaited: bool = False) -> list[Channel]:
    """Return the channels of BUDDY_NOTIFY and of BUDDY_DISCORD_WEBHOOK, each once.

    Args:
        is_awaited: a person waits for the end of a post: fewer and shorter attempts.

    Raises:
        UsageError: none is set, or an address is none.
    """
    named = [(address, f"{variables.NOTIFY.name}, address {n}") for n, address in enumerate(variables.NOTIFY.read(), 1)]
    if webhook := variables.DISCORD_WEBHOOK.read():
        named.append((webhook, variables.DISCORD_WEBHOOK.name))
    if not named:
        raise UsageError(
            f"{variables.NOTIFY.name} is not set: it holds the addresses of the channels, such as discord://… or "
            "ntfy://… (docs/notify/buddy.md)"
        )
    channels: dict[str, Channel] = {}
    for address, name in named:
        channel = open_channel(address, name, is_awaited=is_awaited)
        channels.setdefault(channel.key, channel)
    return list(channels.values())


def open_channel(address: str, name: str, *, is_awaited: bool = False) -> Channel:
    """Return the channel of an address.

    Args:
        name: of the address, for messages.
        is_awaited: see :func:`open_channels`.

    Raises:
        UsageError: nothing knows such an address.
    """
    parts = urlsplit(address)
    if name == variables.DISCORD_WEBHOOK.name or parts.scheme == "discord" or "/api/webhooks/" in parts.path:
        return Webhook(address, name=name, is_awaited=is_awaited)
    from fitness_buddy.notify.services import Service

    return Service(address, name, is_awaited=is_awaited)
