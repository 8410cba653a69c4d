"""Read dbt's doc blocks (``models/docs/*.md``), which descriptions of models refer to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_BLOCK = re.compile(r"{%\s*docs\s+(\w+)\s*%}(.*?){%\s*enddocs\s*%}", re.DOTALL)
_CALL = re.compile(r"{{\s*doc\('(\w+)'\)\s*}}")


def read_doc_blocks(project_dir: Path) -> dict[str, str]:
    """Return the texts of all blocks by name."""
    blocks: dict[str, str] = {}
    for path in sorted((project_dir / "models" / "docs").glob("*.md")):
        blocks |= {name: text.strip() for name, text in _BLOCK.findall(path.read_text(encoding="utf-8"))}
    return blocks


def with_blocks(description: str, blocks: Mapping[str, str]) -> str:
    """Return a description on one line, with the texts of its blocks."""
    return _CALL.sub(lambda call: blocks.get(call[1], ""), " ".join(description.split()))
