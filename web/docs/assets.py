"""Large answers that are the same for everybody: compressed once, kept once, and not copied for each who reads."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from io import BytesIO
from wsgiref.types import WSGIEnvironment

from flask import Response, request
from werkzeug.wsgi import wrap_file

# Its address names its content, so it never has to be asked for again.
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


class SharedResponse(Response):
    """An answer that the server reads piece by piece as it is taken: a BytesIO shares the bytes it is made of."""

    shared = b""

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Hand the bytes to the server as a file, where there are any to send."""
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code == HTTPStatus.NOT_MODIFIED:
            return ()
        return wrap_file(environ, BytesIO(self.shared))


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
        """Answer the present request, with 304 where its sender has this content."""
        is_packed = request.accept_encodings.quality("gzip") > 0
        body = self.packed if is_packed else self.body
        response = SharedResponse(content_type=self.media_type, direct_passthrough=True)
        response.shared = body
        response.content_length = len(body)
        response.headers["Cache-Control"] = self.cache_control
        response.vary.add("Accept-Encoding")
        if is_packed:
            response.content_encoding = "gzip"
        response.set_etag(f"{self.digest}-gzip" if is_packed else self.digest)
        response.make_conditional(request)
        return response
