"""Whether a form was posted by one of our own pages."""

from urllib.parse import urlsplit

from flask import request

from payproc.records.identity.permissions import NotAllowed
from web.auth import application

_OURS = frozenset({"same-origin", "none"})


def check_same_site() -> None:
    """Raise NotAllowed for a form that another site had a customer's browser post.

    A link to a pay page is its capability, so whoever posts here may; but not in the name of a passer-by, whose address
    the limits on wallet charges would be counted by. Browsers have said who posts since 2023, over https. An older one
    names the page's origin, or hides it, as it does of our pages that send no referrer.
    """
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        if said not in _OURS:
            raise NotAllowed("This form was posted from another site.", code="cross_site_post")
        return
    origin = request.headers.get("Origin")
    if origin not in (None, "null") and urlsplit(origin).netloc not in _our_hosts():
        raise NotAllowed("This form was posted from another site.", code="cross_site_post")


def _our_hosts() -> set[str]:
    return {request.host, urlsplit(application().settings.public_base_url).netloc}
