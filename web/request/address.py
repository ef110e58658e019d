"""What is read of a request's address."""

from functools import cached_property

import flask
from werkzeug.datastructures import MultiDict

from payproc.errors import InvalidRequest


class Request(flask.Request):
    """A request of which the address may hold any octets, as what comes over a wire may.

    Flask takes the query for UTF-8 and raises UnicodeDecodeError, in whoever asks first. What a provider's return
    brings is read octet by octet (payproc/providers/), and is no error until something of ours asks for a name in it.
    """

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Return what the query names.

        Raises InvalidRequest where it is no text.
        """
        try:
            return super().args
        except UnicodeDecodeError:
            raise _no_text() from None

    @cached_property
    def full_path(self) -> str:
        """Return the path and the query.

        Raises InvalidRequest where the query is no text.
        """
        try:
            return super().full_path
        except UnicodeDecodeError:
            raise _no_text() from None


def _no_text() -> InvalidRequest:
    return InvalidRequest("The query must be UTF-8 text.", field="query")
