"""Where a browser of the Chromium family is on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# No sandbox: containers run as root. No background networking: the tests are alone with the machine.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOW_TO_GET_ONE = (
    "no Chromium was found: install one (Debian, Ubuntu: apt install chromium; elsewhere Google Chrome, or "
    "python -m playwright install chromium), or set CHROMIUM=/path/to/the/program"
)
_ON_PATH = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"]
_ELSEWHERE = {
    "darwin": [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "~/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    ],
    "win32": [
        "%PROGRAMFILES%/Google/Chrome/Application/chrome.exe",
        "%PROGRAMFILES(X86)%/Google/Chrome/Application/chrome.exe",
        "%LOCALAPPDATA%/Google/Chrome/Application/chrome.exe",
        "%PROGRAMFILES(X86)%/Microsoft/Edge/Application/msedge.exe",
        "%LOCALAPPDATA%/ms-playwright/chromium-*/chrome-win*/chrome.exe",
    ],
    "linux": ["~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome"],
}


def find_chromium() -> Path | None:
    """The program that CHROMIUM names, or else the first one found in the usual places."""
    if named := os.environ.get("CHROMIUM"):
        return Path(named)
    for name in _ON_PATH:
        if found := shutil.which(name):
            return Path(found)
    for pattern in _ELSEWHERE.get(sys.platform, []):
        place = Path(os.path.expandvars(pattern)).expanduser()
        found_here = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
        if found_here:
            return found_here[-1]
    return None
