"""Everything a page did that a page of ours must not do."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request


@dataclass
class Watch:
    """Everything a page did that a page of ours must not do."""

    ours: set[str]
    wrong: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._spoke)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("request", self._asked)

    def _spoke(self, message: ConsoleMessage) -> None:
        # A violated policy is an error here, too.
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, asked: Request) -> None:
        parts = urlsplit(asked.url)
        if parts.scheme != "data" and parts.netloc not in self.ours:
            self.wrong.append(f"request: {asked.url}")

    def forgive(self, pattern: str) -> None:
        """Let a test that breaks something on purpose hear of it."""
        self.forgiven.append(pattern)

    def check(self) -> None:
        left = [what for what in self.wrong if not any(re.search(pattern, what) for pattern in self.forgiven)]
        assert left == []


OpenPage = Callable[..., Page]
