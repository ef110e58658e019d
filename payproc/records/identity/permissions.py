"""Who may do what: one table, of roles and of scopes, asked by everybody who lets somebody do something.

Customers act on what is their own, shops on what they made. Operators also see what is everybody's, and admins act on
it: only they move other people's money. A key does no more than its scopes, whoever's it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement

from payproc.database.models import Role, Scope, User
from payproc.database.models.base import Owned
from payproc.errors import PayprocError


class NotAllowed(PayprocError):
    """A good credential that may not do this."""

    code = "not_allowed"


class Act(StrEnum):
    """Something that somebody may be allowed to do, in words."""

    START_PAYMENT = "start a payment"
    SEE_PAYMENT = "see a payment, its refunds and disputes"
    CANCEL_PAYMENT = "call a payment off"
    REFUND_PAYMENT = "give a payment's money back"
    MAKE_ORDER = "make an order"
    SEE_ORDER = "see an order"
    CLOSE_ORDER = "close an order"
    SEE_CUSTOMERS = "see customers"
    ERASE_CUSTOMER = "erase what is known of a customer"
    SEE_EVENTS = "see events"
    SEE_WORKINGS = "see how a payment was worked on"
    SEE_BOOKS = "see the books"
    CORRECT_BOOKS = "correct the books"
    SEE_RECONCILIATION = "see what reconciliation found"
    SEE_METRICS = "see the metrics"
    SEE_WEBHOOKS = "see webhook endpoints and their deliveries"
    MANAGE_WEBHOOKS = "change webhook endpoints"


class Reach(StrEnum):
    """Whose things a role may do it with."""

    NONE = "—"
    OWN = "own"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the table: any one of `scopes` is enough; where there is none, no key does it."""

    reach: Mapping[Role, Reach]
    scopes: frozenset[Scope]


# Books are corrected at the command line by two people of the staff, who are named, not by a key. Who may read may
# read the metrics as well; a scraper's key reads nothing else.
_GRID = """
act                  customer  shop  operator  admin  scopes
start_payment        own       own   own       own    payments:write
see_payment          own       own   all       all    payments:read
cancel_payment       own       own   own       all    payments:write
refund_payment       own       own   own       all    payments:write
make_order           -         own   all       all    payments:write
see_order            own       own   all       all    payments:read
close_order          -         own   all       all    payments:write
see_customers        -         own   all       all    payments:read
erase_customer       -         own   -         all    payments:write
see_events           -         own   all       all    payments:read
see_workings         -         -     all       all    payments:read
see_books            -         -     all       all    payments:read
correct_books        -         -     all       all
see_reconciliation   -         -     all       all    payments:read
see_metrics          -         -     all       all    payments:read metrics:read
see_webhooks         -         own   all       all    payments:read
manage_webhooks      -         own   -         all    payments:write
"""


def _read_grid(text: str) -> dict[Act, Rule]:
    (_, *roles, _), *rows = (line.split() for line in text.strip().splitlines())
    reaches = {"-": Reach.NONE, "own": Reach.OWN, "all": Reach.ALL}
    return {
        Act[name.upper()]: Rule(
            reach={Role(role): reaches[word] for role, word in zip(roles, words, strict=False)},
            scopes=frozenset(Scope(scope) for scope in words[len(roles) :]),
        )
        for name, *words in rows
    }


RULES: Mapping[Act, Rule] = _read_grid(_GRID)


def check(act: Act, *, user: User, scopes: Collection[Scope]) -> None:
    """Let a caller go on who may do this with something, at least with what is their own.

    Raises NotAllowed.
    """
    if RULES[act].scopes.isdisjoint(scopes):
        needed = " or ".join(sorted(RULES[act].scopes))
        raise NotAllowed(f"This key lacks the scope {needed}.")
    if RULES[act].reach[user.role] is Reach.NONE:
        raise NotAllowed(f"{user.role.capitalize()}s may not {act}.")


def reaches_all(act: Act, *, user: User) -> bool:
    """Tell whether a user may do this with everybody's."""
    return RULES[act].reach[user.role] is Reach.ALL


def reaches(act: Act, *, user: User, owners: Collection[str]) -> bool:
    """Tell whether a user may do this with what belongs to `owners`, the ids of its customer and of its shop."""
    reach = RULES[act].reach[user.role]
    return reach is Reach.ALL or (reach is Reach.OWN and user.id in owners)


def mine(table: type[Owned], user: User) -> ColumnElement[bool]:
    """Return what holds of the rows that are a user's own: what a shop made, or what is somebody's to pay."""
    return (table.shop_id if user.role is Role.SHOP else table.user_id) == user.id


def check_owner(act: Act, *, user: User, owners: Collection[str]) -> None:
    """Let a user go on who may do this with what belongs to `owners`, as in `reaches`, and sees that it is there.

    Raises NotAllowed.
    """
    if not reaches(act, user=user, owners=owners):
        raise NotAllowed(f"{user.role.capitalize()}s may not {act} that is somebody else's.")
