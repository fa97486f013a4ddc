"""Takes the README's picture of the board: `python docs/take_picture.py http://127.0.0.1:8321/ docs/board.png`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
WIDTH, HEIGHT = 1360, 850


def take_picture(address: str, file: Path) -> None:
    """Write what a laptop shows of a board that runs, once its first agent is on it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(address)
        page.locator("[data-agent]").first.wait_for()
        page.screenshot(path=file)
        chromium.close()


if __name__ == "__main__":
    take_picture(sys.argv[1], Path(sys.argv[2]))
