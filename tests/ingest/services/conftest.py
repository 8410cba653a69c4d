"""Fixtures of the services' clients' tests."""

from __future__ import annotations

import pytest
from api_stub import ApiStub


@pytest.fixture
def stub(services: ApiStub, monkeypatch: pytest.MonkeyPatch) -> ApiStub:
    """The services, and an environment with the logins of ada."""
    monkeypatch.setenv("BUDDY_ATHLETE", "ada")
    return services
