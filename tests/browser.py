"""A browser that looks at a written page as people do: on a phone, on a wide screen, in the dark, on paper, by a screen reader.

Chromium is the system's own (`apt-get install chromium`); where there is none, the tests that look are skipped and say so.
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FAULTS = Path(__file__).with_name("faults.js")
SAMPLES = Path(__file__).with_name("samples.js")
CONTRAST = "color-contrast"
ALL_BUT_CONTRAST = {"resultTypes": ["violations"], "rules": {CONTRAST: {"enabled": False}}}
CONTRAST_ALONE = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": [CONTRAST]}}
"""The one rule that takes seconds is asked of one text of each look: samples.js marks them."""


@dataclass(frozen=True)
class Look:
    """A way to look at a page."""

    name: str
    width: int
    scheme: Literal["light", "dark"] = "light"
    media: Literal["screen", "print"] = "screen"


PAPER = 680
"""The width in pixels between the margins of a sheet of A4."""
WIDTHS = (390, 1024, 1920)
LOOKS = (
    *[Look(f"{width} wide", width) for width in WIDTHS],
    *[Look(f"{width} wide in the dark", width, scheme="dark") for width in WIDTHS],
    Look("printed", PAPER, media="print"),
    Look("printed where the screen is dark", PAPER, scheme="dark", media="print"),
)


def chromium() -> str | None:
    """Where the system's Chromium is; None where it has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def opened(executable: str) -> Iterator["Browser"]:
    """A browser, until the block ends."""
    with ThreadPoolExecutor(1, "browser") as thread:
        one = thread.submit(Browser.start, thread, executable).result()
        try:
            yield one
        finally:
            thread.submit(one.close).result()


class Browser:
    """Chromium, asked from a thread of its own: Playwright keeps an event loop running in the thread that it is used in."""

    def __init__(self, thread: ThreadPoolExecutor, playwright: Any, chromium: Any) -> None:
        from axe_playwright_python.sync_playwright import Axe

        self.thread, self.playwright, self.chromium = thread, playwright, chromium
        self.axe = Axe().axe_script
        self.faults_of, self.sampled = (file.read_text(encoding="utf-8") for file in (FAULTS, SAMPLES))

    @staticmethod
    def start(thread: ThreadPoolExecutor, executable: str) -> "Browser":
        from playwright.sync_api import sync_playwright

        playwright = sync_playwright().start()
        # Chromium refuses to be root in its sandbox, as one is in a container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        return Browser(
            thread, playwright, playwright.chromium.launch(executable_path=executable, args=arguments)
        )

    def close(self) -> None:
        self.chromium.close()
        self.playwright.stop()

    def faults(self, path: Path) -> list[str]:
        """What is wrong with a page, in whichever way one looks at it; and what it asks of others, which is to be nothing."""
        found: list[str] = self.thread.submit(self.look, path).result()
        return found

    def look(self, path: Path) -> list[str]:
        found: list[str] = []
        page = self.chromium.new_page()
        address = path.resolve().as_uri()
        page.on(
            "request", lambda one: found.append(f"asks for {one.url}") if foreign(one.url, address) else None
        )
        page.on("pageerror", lambda error: found.append(f"error: {error}"))
        page.goto(address)
        page.evaluate(self.axe)
        for look in LOOKS:
            page.set_viewport_size({"width": look.width, "height": 900})
            page.emulate_media(media=look.media, color_scheme=look.scheme)
            found += [f"{look.name}: {fault}" for fault in self.seen(page, look)]
        page.close()
        return found

    def seen(self, page: Any, look: Look) -> list[str]:
        """What is wrong in one look. In the dark nothing but the colours is another."""
        found: list[str] = []
        if look.scheme == "light":
            found += page.evaluate(self.faults_of, look.media == "print")
            found += self.rules_broken(page, None, ALL_BUT_CONTRAST)
        page.evaluate(self.sampled)
        return found + self.rules_broken(page, "[data-sample]", CONTRAST_ALONE)

    def rules_broken(self, page: Any, within: str | None, options: dict[str, Any]) -> list[str]:
        """The rules of axe-core that do not hold."""
        told = page.evaluate("([within, options]) => axe.run(within ?? document, options)", [within, options])
        return [in_words(one) for one in told["violations"]]


def foreign(url: str, address: str) -> bool:
    """Whether what a page asks for lies outside of it."""
    return url != address and not url.startswith("data:")


def in_words(violation: dict[str, Any]) -> str:
    """A rule of axe-core that does not hold, and where."""
    where = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {where}"
