"""Which addresses an endpoint may have: none of ours, whatever its name says, and whatever it says a moment later."""

import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from payproc.errors import PayprocError

# What a network that speaks IPv6 alone writes an IPv4 address as (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFFFFFF


class AddressRefused(PayprocError):
    """An endpoint's name leads to an address that is not for the world: nothing was sent."""

    code = "address_refused"


def is_public(text: str) -> bool:
    """Tell whether everybody on the internet means the same machine by this address."""
    return all(_is_of_the_world(each) for each in _meant(ip_address(text.partition("%")[0])))


def _is_of_the_world(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return address.is_global and not (isinstance(address, IPv6Address) and address.is_site_local)


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Find what an address leads to: the IPv4 address that an IPv6 address is, or all that it goes through."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _TRANSLATED:
        yield IPv4Address(int(address) & _LAST_32_BITS)
    else:
        yield address
        yield from address.teredo or ()
        if address.sixtofour is not None:
            yield address.sixtofour


def connected(host: str, port: int, *, anywhere: bool, seconds: float) -> socket.socket:
    """Return a socket that is connected to a host, in `seconds` for all of its addresses together.

    The name is looked up once, and what was looked at is what is connected to: a second answer could be another one.
    `anywhere` lets private addresses be called, as in development. Raises AddressRefused, or OSError.
    """
    last = time.monotonic() + seconds
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [each for each in found if anywhere or is_public(str(each[4][0]))]
    if not allowed:
        raise AddressRefused(f"{host} leads to an address that is private or reserved")
    trouble: OSError | None = None
    for family, kind, protocol, _, address in allowed:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(max(last - time.monotonic(), 0.001))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _check_peer(opened, host, anywhere=anywhere)
        except OSError as error:
            opened.close()
            trouble = error
        except AddressRefused:
            opened.close()
            raise
        else:
            return opened
    assert trouble is not None
    raise trouble


def _check_peer(opened: socket.socket, host: str, *, anywhere: bool) -> None:
    # Whoever is at the other end by the kernel's own word, before it has been sent a byte.
    if not anywhere and not is_public(str(opened.getpeername()[0])):
        raise AddressRefused(f"{host} leads to an address that is private or reserved")
