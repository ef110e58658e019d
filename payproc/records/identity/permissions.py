"""Who may do what: one table, of roles and of scopes, asked by everybody who lets somebody do something.

Customers act on what is their own. Operators also see what is everybody's, and admins act on it: only they move other
people's money. A key does no more than its scopes, whoever's it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from payproc.database.models import Role, Scope, User
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
    SEE_WORKINGS = "see how a payment was worked on"
    SEE_BOOKS = "see the books"
    CORRECT_BOOKS = "correct the books"
    SEE_RECONCILIATION = "see what reconciliation found"
    SEE_METRICS = "see the metrics"


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
act                  customer  operator  admin  scopes
start_payment        own       own       own    payments:write
see_payment          own       all       all    payments:read
cancel_payment       own       own       all    payments:write
refund_payment       own       own       all    payments:write
see_workings         -         all       all    payments:read
see_books            -         all       all    payments:read
correct_books        -         all       all
see_reconciliation   -         all       all    payments:read
see_metrics          -         all       all    payments:read metrics:read
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


def reaches(act: Act, *, user: User, owner: str) -> bool:
    """Tell whether a user may do this with what belongs to `owner`, a user's id."""
    reach = RULES[act].reach[user.role]
    return reach is Reach.ALL or (reach is Reach.OWN and owner == user.id)


def check_owner(act: Act, *, user: User, owner: str) -> None:
    """Let a user go on who may do this with what belongs to `owner`, a user's id, and sees that it is there.

    Raises NotAllowed.
    """
    if not reaches(act, user=user, owner=owner):
        raise NotAllowed(f"{user.role.capitalize()}s may not {act} that is somebody else's.")
