"""Fixtures of the services' clients' tests."""

from __future__ import annotations

import pytest
from api_stub import ApiStub


@pytest.fixture
def stub(services: ApiStub) -> ApiStub:
    return services
