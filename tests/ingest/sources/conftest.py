"""Fixtures of the file readers' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from reader_support import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.in_folder(tmp_path / "warehouse")
