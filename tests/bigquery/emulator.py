"""An emulator of BigQuery on this machine, for as long as a test needs it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import HANGS_AFTER_S, REPOSITORY

PYTHON = REPOSITORY / ".venv-emulator" / "bin" / "python"
NO_EMULATOR = "no emulator of BigQuery here: install Python 3.13 or newer, then run scripts/install_emulator"


def is_installed() -> bool:
    """Whether scripts/install_emulator has done its work."""
    return (REPOSITORY / ".venv-emulator" / "installed").is_file()


@contextmanager
def running_emulator(folder: Path) -> Iterator[str]:
    """Start an emulator on a free port, its data and its log in the folder; yields ``http://127.0.0.1:PORT``."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "emulator.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [str(PYTHON), str(Path(__file__).with_name("run_emulator.py")), str(folder / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port, f"the emulator did not start:\n{log.read_text()}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()  # it ends with its input
        try:
            process.wait(timeout=HANGS_AFTER_S)
        finally:
            process.kill()
