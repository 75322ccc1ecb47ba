"""How long MLflow's pages take in a real browser, until what somebody wants to see is there."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# one that calls nobody
_FLAGS = "no-sandbox disable-gpu disable-quic disable-background-networking disable-sync"
_SOON = 300_000  # ms
_STILL = 2.0  # s


def chromium() -> str | None:
    """Where it is; None without it or without playwright."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return None
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def opened(executable: str) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=[f"--{flag}" for flag in _FLAGS.split()]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 810})
        page.set_default_timeout(_SOON)
        # else a panel of MLflow's assistant opens at the first visit
        page.add_init_script("localStorage['mlflow.assistant.fab.autoOpenedOnFirstLoad_v1'] = true")
        yield page
        browser.close()


def seconds_until(page: "Page", url: str, shown: str, least: int, picture: Path | None) -> float:
    """From opening `url` in a fresh page until `least` elements `shown` (CSS) are there and no
    more of them come. `picture`: where the page is kept then."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(url)
    found = page.locator(shown)
    found.nth(least - 1).wait_for(state="attached")
    count, since = found.count(), time.perf_counter()
    while time.perf_counter() - since < _STILL:
        page.wait_for_timeout(100)
        if (now := found.count()) != count:
            count, since = now, time.perf_counter()
    if picture:
        page.screenshot(path=picture)
    return since - began
