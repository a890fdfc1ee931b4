"""A reader with a real browser, who writes down everything that the browser complains of."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
TABS = ("shapes", "curves", "settings", "compare", "take")
INSTALL = (
    f"no Chromium: none of {', '.join(NAMES)} is on PATH. Install Debian's (apt-get install "
    "chromium), or name another one's program in RESNAS_CHROMIUM"
)
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP violated: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
FOCUSED = """() => {
  const at = document.activeElement;
  const labelled = at.labels?.length ? at.labels[0].textContent : "";
  return (at.getAttribute("aria-label") || labelled || at.textContent || at.tagName).trim();
}"""
TYPED = "status of 422"  # a browser complains of every refusal, also of what is not yet all typed
GO = """(hash) => new Promise((gone) => {
  if (location.hash === hash) return gone();
  addEventListener("hashchange", gone, { once: true }); // behind the page's own listener
  location.hash = hash;
})"""
PATIENCE = 60_000  # milliseconds: a machine may be busy


def program() -> str | None:
    """Where Chromium is, if anywhere."""
    named = os.environ.get("RESNAS_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window; without its sandbox where root runs it, as in a container."""
    words = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=words)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One page of a browser, on one server.

    Attributes:
        url: of the server.
        token: which the address carries.
        page: as playwright has it.
        clicks: how many there were.
        complaints: errors on the console, violations of the CSP, requests that failed.
        expected: parts of complaints that belong to what a test does.
    """

    url: str
    token: str
    page: Page
    clicks: int = 0
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.add_init_script(VIOLATIONS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("requestfailed", self._failed)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and TYPED not in message.text:
            self.complaints.append(f"{message.type}: {message.text} {message.location['url']}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page itself did not wait for it
            self.complaints.append(f"failed: {request.url} {request.failure}")

    @property
    def unexpected(self) -> list[str]:
        """The complaints that no test has announced."""
        return [
            complaint
            for complaint in self.complaints
            if not any(part in complaint for part in self.expected)
        ]

    def sign_in(self) -> None:
        """Open the address that the server prints."""
        self.page.goto(f"{self.url}/#token={self.token}")
        self.heading("Jobs")

    def open(self, hash_: str) -> None:
        """Go to a place of the page, signed in; the page has begun to show it."""
        if not self.page.url.startswith(self.url):
            self.sign_in()
        self.page.evaluate(GO, hash_)

    def reload(self) -> None:
        """Load the page again, as it stands in the address."""
        self.page.reload()

    def heading(self, text: str) -> Locator:
        """The heading of the view, once it is there."""
        found = self.page.get_by_role("heading", level=1, name=text)
        found.wait_for()
        return found

    def see(self, text: str) -> Locator:
        """Wait until a text is to be seen."""
        found = self.page.get_by_text(text).and_(self.page.locator(":visible")).first
        found.wait_for()
        return found

    def click(self, role: str, name: str) -> None:
        """One click, and count it."""
        self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]
        self.clicks += 1

    def settle(self) -> None:
        """Wait until a view has come, its charts are drawn, and nothing of it is on its way."""
        self.page.locator("h1").first.wait_for()
        self.until("!document.querySelector('.loading, [aria-busy=true]')")

    def until(self, condition: str) -> None:
        """Wait for a condition in JavaScript; playwright's own way to do so wants eval."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, f"{condition} does not come true"
            self.page.wait_for_timeout(20)

    def drawn(self) -> None:
        """Wait until the front's points stand in its chart."""
        self.page.locator(".front-chart .points path").first.wait_for(state="attached")

    def focused(self) -> str:
        """What the focus is on, as it is read out."""
        return str(self.page.evaluate(FOCUSED))

    def tab_to(self, name: str, most: int = 80) -> None:
        """Press Tab until what has the focus begins with that name."""
        passed = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            passed.append(self.focused())
            if passed[-1].startswith(name):
                return
        raise AssertionError(f"Tab does not come to {name!r}, only to {passed}")

    def shot(self, path: Path) -> None:
        """A picture of the whole page."""
        self.page.screenshot(path=path, full_page=True)
