"""Stripe is told where we are, by its API: ours is made or changed to fit, and nobody else's is touched.

While a new endpoint takes an old one's place both bring every event, signed with a secret each. The inbox keeps an
event once, by its id; so none is lost as long as the old one goes last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from payproc.errors import Conflict, NotFound
from payproc.providers.stripe import endpoints
from payproc.providers.stripe.account import StripeAccount
from payproc.providers.stripe.endpoints import Endpoint

_ANOTHERS = "leads elsewhere: left alone"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Each endpoint with what is to be said of it, what was done, and the secret where a new one was made.

    `fits` says whether our endpoint brings what we read, in the version that we read.
    """

    address: str
    found: Sequence[tuple[Endpoint, str]]
    done: Sequence[str]
    fits: bool
    secret: str | None = field(default=None, repr=False)


def look(account: StripeAccount, *, replace: bool) -> Report:
    """Say what stands there and what `register` would do."""
    found = account.endpoints()
    ours = _ours(account, found)
    counts = endpoints.current(ours)
    return Report(
        address=account.address,
        found=_remarks(account, found, counts),
        done=[f"would {act}" for act in _acts(counts, replace=replace)],
        fits=counts is not None and not _shortcomings(account, counts),
    )


def register(account: StripeAccount, *, replace: bool) -> Report:
    """Make our endpoint where there is none, or a new one where it is to be replaced; else change it to fit."""
    found = account.endpoints()
    counts = endpoints.current(_ours(account, found))
    acts, secret = list(_acts(counts, replace=replace)), None
    if counts is None or replace:
        counts, secret = account.register(replaced=counts)
        found = (counts, *found)
    elif acts:
        counts = account.mend(counts)
        found = tuple(counts if each.id == counts.id else each for each in found)
    return Report(
        address=account.address,
        found=_remarks(account, found, counts),
        done=[f"did {act}" for act in acts],
        fits=not _shortcomings(account, counts),
        secret=secret,
    )


def retire(account: StripeAccount, endpoint_id: str) -> Report:
    """Disable an endpoint of ours whose place another has taken.

    Raises NotFound for one that is not ours, Conflict where none that fits would be left.
    """
    found = account.endpoints()
    ours = {each.id: each for each in _ours(account, found)}
    retired = ours.pop(endpoint_id, None)
    if retired is None:
        raise NotFound(f"No endpoint {endpoint_id} leads to {account.address}.", subject=endpoint_id)
    counts = endpoints.current(ours.values())
    if counts is None or _shortcomings(account, counts):
        raise Conflict(f"Without {endpoint_id} nothing would bring all that is read: `setup stripe --replace` first.")
    disabled = account.retire(retired)
    found = tuple(disabled if each.id == endpoint_id else each for each in found)
    return Report(
        address=account.address,
        found=_remarks(account, found, counts),
        done=[f"did disable {endpoint_id}"],
        fits=True,
    )


def _ours(account: StripeAccount, found: Iterable[Endpoint]) -> list[Endpoint]:
    return [each for each in found if each.leads_to(account.address)]


def _acts(counts: Endpoint | None, *, replace: bool) -> Iterable[str]:
    if counts is None:
        yield "make an endpoint"
    elif replace:
        yield f"make an endpoint beside {counts.id}"
    else:
        yield from (f"change {counts.id}: {difference}" for difference in endpoints.differences(counts))


def _shortcomings(account: StripeAccount, found: Endpoint) -> list[str]:
    other = endpoints.other_version(found, account.api_version)
    return [*endpoints.differences(found), *([other] if other else [])]


def _remarks(account: StripeAccount, found: Iterable[Endpoint], counts: Endpoint | None) -> list[tuple[Endpoint, str]]:
    return [(each, _remark(account, each, counts)) for each in found]


def _remark(account: StripeAccount, each: Endpoint, counts: Endpoint | None) -> str:
    if not each.leads_to(account.address):
        return _ANOTHERS
    if counts is None or each.id != counts.id:
        return "ours, replaced" if not each.enabled else f"ours, replaced: `setup stripe --retire {each.id}`"
    shortcomings = _shortcomings(account, each)
    return f"ours, but {'; '.join(shortcomings)}" if shortcomings else "ours"
