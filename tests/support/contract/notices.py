"""A delivery's whole way: verified as it comes, then read from what was kept of it."""

from payproc.errors import PayprocError
from payproc.providers.base import Provider
from payproc.providers.notices import Hint, Ignored, ParsedNotice, RawNotice


def read_notice(provider: Provider, raw: RawNotice) -> ParsedNotice | Hint:
    """What a delivery says: a hint at once, anything proven from what may be kept of it."""
    verified = provider.verify_notice(raw)
    if isinstance(verified.notice, Hint | Ignored):
        return verified.notice
    try:
        read = provider.parse_stored(verified.redacted)
    except PayprocError as unreadable:
        # By then the provider has been told that it arrived.
        raise AssertionError("a delivery was accepted that cannot be read") from unreadable
    assert not isinstance(read, Ignored), "a delivery was accepted that is ignored when it is read"
    assert (verified.notice.key, verified.notice.kind) == (read.key, read.kind)
    return read
