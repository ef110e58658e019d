"""The part of a browser that a payment needs: it follows redirects and posts forms, and keeps no cookies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests


@dataclass
class Form:
    """A page's first form."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class _FormFinder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the first form and its hidden fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form = Form(action=given.get("action", ""))
        elif tag == "input" and self.form is not None and given.get("type") == "hidden":
            self.form.fields[given["name"]] = given.get("value", "")


class LostWay(Exception):
    """A page that leads nowhere, or in a circle."""


_MOST_PAGES = 6
_TIMEOUT_SECONDS = 10


def form_on(page: requests.Response) -> Form | None:
    """Return the first form of a page, its action absolute."""
    finder = _FormFinder()
    finder.feed(page.text)
    if finder.form is not None:
        finder.form.action = urljoin(page.url, finder.form.action)
    return finder.form


def follow(onward: Mapping[str, Any], *, until: str) -> requests.Response:
    """Go where a wallet's page sends the browser, and on and on, until an address that holds `until`.

    Raises LostWay.
    """
    method, url, fields = onward["method"], onward["url"], onward["fields"]
    for _ in range(_MOST_PAGES):
        page = requests.request(method, url, data=fields or None, timeout=_TIMEOUT_SECONDS)
        if until in page.url:
            return page
        form = form_on(page)
        if form is None:
            raise LostWay(f"{page.url} answered {page.status_code} and leads nowhere")
        method, url, fields = "POST", form.action, form.fields
    raise LostWay(f"after {_MOST_PAGES} pages there was none with {until}")
