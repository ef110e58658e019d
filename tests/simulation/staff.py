"""What members of the staff have got wrong, and how two of them undo it."""

from collections.abc import Sequence

from payproc.database.models import Payment
from payproc.domain.states import PaymentStatus
from payproc.operations import books
from payproc.records.ledger import drafts
from tests.simulation import truth
from tests.simulation.shop import Shop
from tests.simulation.truth import Standing


def mistaken(shop: Shop) -> Sequence[Payment]:
    """Return what counts as completed by a person's mistake, and was not paid since."""
    wrong = [each for each in shop.payments() if each.id in shop.mistaken]
    wrong = [each for each in wrong if each.status is PaymentStatus.COMPLETED]
    return [each for each in wrong if truth.standing(shop, each) is not Standing.PAID]


def undo(shop: Shop, payment: Payment) -> None:
    """Have one person draft that a payment was completed wrongly, and another approve it."""
    one, other = shop.operator, shop.colleague
    with shop.app.database.transaction() as session:
        mine = session.get_one(Payment, payment.id)
        draft = drafts.draft_undone_sale(session, mine, reason="declined", document="a screenshot", by=one)
        draft_id = draft.id
    with shop.app.database.transaction() as session:
        books.approve_draft(session, draft_id, by=other)
