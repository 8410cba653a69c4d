"""What a language model answers when it chooses what is looked up."""

from __future__ import annotations

from typing import Any


def chosen(**stated: Any) -> dict[str, Any]:
    """A document as the model answers it."""
    nothing: dict[str, Any] = {
        "kind": "metric",
        "metrics": [],
        "group_by": [],
        "grain": "none",
        "filters": [],
        "first_day": None,
    }
    return nothing | {"last_day": None, "order": "in_order", "limit": None, "search_words": "", "reason": ""} | stated
