"""How soon a page shows something, and how much it loads, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

PATIENCE = 180.0
_LOOK = """
{
  const look = () => {
    if (document.querySelector(%r)) globalThis.drawnAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  globalThis.waits = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.interactionId) waits.push(entry.duration);
  }).observe({ type: "event", durationThreshold: 16 });
}
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
_BLOCKED = "Math.max(0, ...waits.splice(0))"


@dataclass(frozen=True)
class Load:
    """What a page took, without anything in the browser's cache.

    Attributes:
        painted: milliseconds from the address to the first text or picture.
        drawn: milliseconds until the points of the front stand in their chart.
        size: bytes of all that was loaded until then, as it came over the line.
        requests: how many there were.
    """

    painted: float
    drawn: float
    size: int
    requests: int


def load(
    browser: Browser, address: str, drawn: str, before: str | None = None
) -> tuple[Load, Page]:
    """Open a page until something is drawn in it; the page is left open.

    Args:
        browser: that has the page.
        address: of the page.
        drawn: CSS selector of what is there once the front is drawn.
        before: an address that signs in, where that is needed.

    Raises:
        TimeoutError: it is never drawn.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    if before:
        page.goto(before, wait_until="networkidle")
        page.goto("about:blank")
    network.send("Network.clearBrowserCache")
    sizes: list[int] = []
    network.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
    page.add_init_script(_LOOK % drawn)
    page.goto(address, wait_until="commit")
    found = until(page, "globalThis.drawnAt ?? null")
    painted = until(page, _PAINTED)
    return Load(painted, found, sum(sizes), len(sizes)), page


def interaction(page: Page, act: Callable[[], None], done: str) -> float:
    """Milliseconds from an input to the next picture, the longest of those that `act` makes.

    Args:
        page: that `load` has opened.
        act: clicks somewhere.
        done: what is true in the page once it has had its effect.
    """
    page.evaluate(_BLOCKED)
    act()
    until(page, f"({done}) || null")
    page.evaluate("new Promise((r) => requestAnimationFrame(() => setTimeout(r, 100)))")
    return float(page.evaluate(_BLOCKED))


def until(page: Page, value: str) -> float:
    """What an expression is once it is not null.

    Raises:
        TimeoutError: it is null all the time.
    """
    deadline = time.monotonic() + PATIENCE
    while (found := page.evaluate(value)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {PATIENCE:.0f} s there is no {value}")
        page.wait_for_timeout(20)
    return float(found)
