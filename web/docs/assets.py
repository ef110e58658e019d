"""Large answers that are the same for everybody: compressed once, kept once, and not copied for each who reads."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from flask import Response, request
from werkzeug.wsgi import wrap_file

# Its address names its content, so it never has to be asked for again.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Bytes of one media type, and how long they may be kept."""

    body: bytes
    media_type: str
    cache_control: str

    @cached_property
    def digest(self) -> str:
        """A name for this content."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes:
        """The same, compressed."""
        return gzip.compress(self.body, mtime=0)

    def respond(self) -> Response:
        """Answer the present request, with 304 where its sender has this content.

        The server reads it piece by piece as it is taken: a BytesIO shares the bytes it is made of.
        """
        is_packed = request.accept_encodings.quality("gzip") > 0
        body = self.packed if is_packed else self.body
        response = Response(
            wrap_file(request.environ, BytesIO(body)), content_type=self.media_type, direct_passthrough=True
        )
        response.content_length = len(body)
        response.headers["Cache-Control"] = self.cache_control
        response.vary.add("Accept-Encoding")
        if is_packed:
            response.content_encoding = "gzip"
        response.set_etag(f"{self.digest}-gzip" if is_packed else self.digest)
        response.make_conditional(request)
        return response
