"""How much of us a peer may hold, and for how long. None of it depends on who it says it is."""

import resource
from dataclasses import dataclass

# More connections than a process of ours serves well; a descriptor costs the kernel next to nothing.
_WANTED_DESCRIPTORS = 16_384
# The database, logs, the other connections of a process, and what is being accepted.
_OTHER_DESCRIPTORS = 256


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one process of the front; times are in seconds."""

    # A new connection may be silent this long, and one that has asked before this long: longer than a proxy keeps its
    # own (deploy/Caddyfile), or it would send a request into a connection that we are closing.
    first_silence: float = 10
    silence: float = 75
    # A whole request, from its first byte.
    request: float = 30
    # Either direction: looked at so often, it has come on by so many bytes a second.
    grace: float = 10
    least_rate: float = 1024
    # With more open than this, those that have held us up longest give way to who comes next.
    connections: int = 4096
    # Of one address; None behind a proxy, where all come from one.
    of_an_address: int | None = 128
    # Bytes of requests that are not answered yet.
    buffered: int = 64 * 1024 * 1024
    # A request's head, and its body: more than any of ours, Stripe's events are a few kilobytes.
    head: int = 32 * 1024
    body: int = 1024 * 1024


def raise_descriptors() -> int:
    """Ask for as many file descriptors as the front wants; return how many connections fit into what it was given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # Some hold a second one: a file that is being sent, or a body that did not stay in memory.
    return max(1, (wanted - _OTHER_DESCRIPTORS) // 2)
