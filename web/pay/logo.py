"""The merchant's logo: read once, from a file, and served by us.

An address elsewhere would tell its server who pays whom and when, and would have to be let into the page's policy.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, current_app

from payproc.errors import NotFound, SettingsInvalid
from payproc.settings import Settings

_LARGEST_BYTES = 256 * 1024
_EXTENSION = "merchant_logo"
_DAY_SECONDS = 24 * 3600
_KINDS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}

blueprint = Blueprint("pay_logo", __name__)


@dataclass(frozen=True, kw_only=True)
class Logo:
    """An image; `version` changes with it, so that a browser may keep what it has."""

    content: bytes
    mimetype: str
    version: str

    @property
    def is_drawing(self) -> bool:
        """Whether it is one that no messenger shows in a preview."""
        return self.mimetype == "image/svg+xml"


def register(web: Flask, settings: Settings) -> None:
    """Read the logo, where there is one.

    Raises SettingsInvalid for a file that cannot be read, is no image, or is too large for a page.
    """
    web.extensions[_EXTENSION] = _read(settings.merchant_logo) if settings.merchant_logo else None
    web.register_blueprint(blueprint)


def logo() -> Logo | None:
    """Return the merchant's logo."""
    found: Logo | None = current_app.extensions[_EXTENSION]
    return found


@blueprint.get("/pay/assets/merchant-logo")
def image() -> Response:
    """Serve the logo."""
    found = logo()
    if found is None:
        raise NotFound("This merchant has no logo.", code="no_logo")
    answer = Response(found.content, mimetype=found.mimetype)
    # A drawing may hold a script, and runs none: neither in a page nor where somebody opens it by itself.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    answer.headers["Cache-Control"] = f"public, max-age={_DAY_SECONDS}"
    return answer


def _read(path: str) -> Logo:
    try:
        content = Path(path).read_bytes()
    except OSError as missing:
        raise SettingsInvalid([f"MERCHANT_LOGO: {path} cannot be read ({missing.strerror})"]) from None
    if len(content) > _LARGEST_BYTES:
        raise SettingsInvalid([f"MERCHANT_LOGO: {path} is larger than {_LARGEST_BYTES // 1024} kB"])
    kind = next((kind for start, kind in _KINDS.items() if content.lstrip().startswith(start)), None)
    if kind is None:
        raise SettingsInvalid([f"MERCHANT_LOGO: {path} is no PNG, JPEG, WebP or SVG"])
    return Logo(content=content, mimetype=kind, version=hashlib.sha256(content).hexdigest()[:8])
