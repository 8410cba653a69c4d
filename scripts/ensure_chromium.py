"""Install a Chromium for the browser tests where that is possible; otherwise print one line and succeed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from chromium import find_chromium


def main() -> None:
    """Try the system's package manager, then playwright's own download."""
    if find_chromium():
        return
    attempts: list[list[list[str]]] = []
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        attempts.append([["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]])
    attempts.append([[sys.executable, "-m", "playwright", "install", "chromium"]])
    for commands in attempts:
        if all(_succeeds(command) for command in commands) and find_chromium():
            return
    print("No Chromium here and none could be installed: the report's browser tests will be skipped.")  # noqa: T201


def _succeeds(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        completed = subprocess.run(command, capture_output=True, timeout=300, check=False, env=environment)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return completed.returncode == 0


if __name__ == "__main__":
    main()
