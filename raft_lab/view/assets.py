"""The browser's half of the lab, put together from its small files."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLES = ("lab.css", "driving.css", "ask.css", "store.css")


def bundle(entry: str) -> str:
    """One ES module out of `entry` and the modules beside it that it imports, each after what it needs."""
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        done[name] = ""
        source = (STATIC / name).read_text(encoding="utf-8")
        for needed in re.findall(r'^import .* from "\./(.*)";$', source, flags=re.MULTILINE):
            add(needed)
        source = re.sub(r"^import .*;$\n", "", source, flags=re.MULTILINE)
        del done[name]
        done[name] = re.sub(r"^export (?!default)", "", source, flags=re.MULTILINE)

    add(entry)
    return "\n".join(done.values())


def styles() -> str:
    """The lab's style sheets as one."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)
