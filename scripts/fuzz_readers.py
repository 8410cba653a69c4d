"""Feed mutated files to every reader for as long as you like: `.venv/bin/python scripts/fuzz_readers.py --minutes 10`.

tests/ingest/sources/test_hostile_files.py does the same for seconds. A file that breaks a reader is kept, with the seed
that makes it again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("src", "tests/support", "tests/ingest/sources")]

from reader_support import Store, write  # noqa: E402 - after the path is set
from test_hostile_files import (  # type: ignore[import-not-found]  # noqa: E402
    SEEDS,
    SOON_S,
    check_loaded,
    mutated,
)

from fitness_buddy.core.errors import InputError  # noqa: E402
from fitness_buddy.ingest.sources.registry import sources  # noqa: E402


def attack(seed: int, kept: Path) -> str:
    """Load one mutated file with every reader; return what came of it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    name = chance.choice(sorted(SEEDS))
    outcome = "refused"
    with tempfile.TemporaryDirectory() as folder:
        store = Store.in_folder(Path(folder))
        path = write(Path(folder) / name, mutated(SEEDS[name], chance))
        began = time.monotonic()
        try:
            for source in sources().values():
                try:
                    store.ingest().files(source, path)
                    outcome = "loaded"
                except InputError as error:
                    if not str(error).endswith("Nothing was loaded."):
                        raise
            check_loaded(store)
            if time.monotonic() - began > SOON_S:
                raise TimeoutError(f"it took {time.monotonic() - began:.0f} s")
        except Exception:
            traceback.print_exc()
            shutil.copy(path, kept / f"{seed}-{name}")
            return "BROKEN"
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="of the first file; the next one has the next"
    )
    parser.add_argument("--keep", type=Path, default=Path("fuzz"), help="where files that break a reader are kept")
    stated = parser.parse_args()
    stated.keep.mkdir(parents=True, exist_ok=True)
    ends_at = time.monotonic() + 60 * stated.minutes
    outcomes: Counter[str] = Counter()
    seed = stated.seed
    while time.monotonic() < ends_at:
        outcomes[attack(seed, stated.keep)] += 1
        seed += 1
    sys.stdout.write(f"seeds {stated.seed} to {seed - 1}: {dict(outcomes)}\n")
    sys.exit(1 if outcomes["BROKEN"] else 0)


if __name__ == "__main__":
    main()
