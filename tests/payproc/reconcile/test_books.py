"""The books by Stripe's own words: whatever is told, in whatever order and however often, they end the same and right.

Lines are JSON as Stripe writes it, read and placed by the code that a run uses: nothing here says what a line is of.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc.database.models import Loop, Payment, ReconciliationRun, RunState
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.references import Reference
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.settlement import RefundOutcome, RefundVerdict, RemoteRefund, SettlementLine
from payproc.flows import checkout
from payproc.operations.doctor import broken_invariants
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.listing import Listing
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.wire import balance
from payproc.reconcile.balance import lines
from payproc.records import outcomes, remote_refunds
from payproc.records.ledger import journal, matching
from tests.support.world import World

TOLD = Provenance(source=Source.RECONCILE, evidence="run_1")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENT, CHARGE, REFUND = "pi_1", "ch_1", "re_1"
BOOKS = (
    *("journals_balance", "ledger_balances", "receivable_is_what_is_owed", "matches_agree"),
    *("completed_has_sale", "refunds_are_booked"),
)

AMOUNTS = st.integers(min_value=1, max_value=99_999_999)
SIGNED = st.integers(min_value=-99_999_999, max_value=99_999_999)
CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "kwd"])
# How old a line is when a run reads it: younger than any patience, between the two, and older than both.
AGES = st.sampled_from([timedelta(hours=1), timedelta(days=5), timedelta(days=10)])
# How many of a story's facts are about the payment.
OF_PAYMENT = 2
_looks = itertools.count()
Standing = dict[tuple[str, str], int]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What we learn of one payment, and the lines that Stripe shows of its account."""

    sale: Money
    refund: int | None
    undone: bool
    # Whether the word that it was paid names the charge, too, or the intent alone.
    names_charge: bool
    shown: list[dict[str, Any]]

    def facts(self, session: Session, payment: Payment) -> Iterator[Callable[[], object]]:
        """What we are told of payment and refund; each may be told again."""
        charge = {Reference.STRIPE_CHARGE: CHARGE}
        references = {Reference.STRIPE_PAYMENT_INTENT: INTENT} | (charge if self.names_charge else {})
        paid = Outcome(verdict=Verdict.PAID, references=references, money=self.sale)
        yield partial(outcomes.apply_outcome, session, payment.id, paid, provenance=TOLD)
        yield partial(outcomes.learn_references, session, payment.id, charge)
        for verdict in self._refunded():
            remote = RemoteRefund(
                provider_id=REFUND,
                references={},
                money=Money.of(self.refund or 0, self.sale.currency.code),
                outcome=RefundOutcome(verdict=verdict),
            )
            yield partial(remote_refunds.record_remote, session, payment, remote, provenance=TOLD)

    def _refunded(self) -> list[RefundVerdict]:
        if self.refund is None:
            return []
        return [RefundVerdict.SUCCEEDED, *([RefundVerdict.FAILED] if self.undone else [])]


def transaction(number: int, category: str, gross: int, *, fee: int, currency: str, source: Any) -> dict[str, Any]:
    return {
        "id": f"txn_{number}",
        "object": "balance_transaction",
        "amount": gross,
        "fee": fee,
        "net": gross - fee,
        "currency": currency,
        "created": int(NOON.timestamp()) + number,
        "reporting_category": category,
        "type": "adjustment",
        "source": source,
    }


def expanded(name: str) -> dict[str, Any]:
    return {"id": name, "payment_intent": INTENT}


@st.composite
def stories(draw: st.DrawFn) -> Story:
    sale = Money.of(draw(AMOUNTS), draw(CURRENCIES))
    refund = draw(st.none() | st.integers(min_value=1, max_value=sale.amount_minor))
    undone = refund is not None and draw(st.booleans())
    moved = [("charge", sale.amount_minor, expanded(CHARGE))]
    moved += [("refund", -refund, expanded(REFUND))] if refund else []
    moved += [("refund_failure", refund or 0, expanded(REFUND))] if undone else []
    names_charge = draw(st.booleans())
    if names_charge and draw(st.booleans()):
        # A bank debit of the same intent that did not arrive, before the try that paid.
        moved += [("charge", sale.amount_minor, expanded("ch_0"))]
        moved += [("charge_failure", -sale.amount_minor, expanded("ch_0"))]
    strange = {
        "charge": {"id": "ch_9", "payment_intent": "pi_9"},
        "charge_failure": {"id": "ch_9", "payment_intent": "pi_9"},
        "refund": {"id": "re_9", "payment_intent": "pi_9"},
        "dispute": expanded("dp_1"),
        "fee": None,
        "payout": "po_1",
        "transfer": "tr_1",
    }
    kinds = draw(st.lists(st.sampled_from(sorted(strange)), max_size=3))
    settled_in = draw(st.sampled_from([sale.currency.code, "chf"]))
    shown = []
    for number, (category, gross, source) in enumerate([*moved, *((kind, None, strange[kind]) for kind in kinds)]):
        amount = draw(SIGNED if gross is None else st.just(gross) | SIGNED)
        fee = draw(st.integers(min_value=-5000, max_value=5000))
        told = transaction(number, category, amount, fee=fee, currency=settled_in, source=source)
        if not draw(st.booleans()) and isinstance(source, dict) and category != "charge":
            told["source"] = source["id"]
        shown.append(told)
    return Story(sale=sale, refund=refund, undone=undone, names_charge=names_charge, shown=shown)


class Undo(Exception):
    """Ends an example's transaction without a trace."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One transaction in which a story is told."""

    world: World
    session: Session
    payment: Payment

    @property
    def listing(self) -> Listing:
        provider = self.world.app.provider(STRIPE)
        assert isinstance(provider, Listing)
        return provider

    def read(self, shown: list[dict[str, Any]], *, age: timedelta) -> None:
        run, page = self._run(age), [line for each in shown if (line := balance.line(each))]
        assert len(page) == len(shown)
        lines.book_all(self.session, run, page, self.listing)

    def look_again(self, shown: list[dict[str, Any]]) -> None:
        page: list[SettlementLine] = [line for each in shown if (line := balance.line(each))]
        own = [line for line in page if line.kind in matching.ANSWERED]
        lines.match_again(self.session, self._run(timedelta(days=60)), own, self.listing)

    def _run(self, age: timedelta) -> ReconciliationRun:
        end = NOON + age
        made = ReconciliationRun(
            loop=Loop.MONEY,
            provider=STRIPE,
            period=f"a look {next(_looks)}",
            state=RunState.DONE,
            window_begin=end - timedelta(days=45),
            window_end=end,
            dry_run=False,
            counts={},
        )
        self.session.add(made)
        self.session.flush()
        return made

    def standing(self) -> Standing:
        self.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        self.session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        wrong = [each.sentence for each in broken_invariants(self.session) if each.name in BOOKS]
        assert wrong == []
        found = journal.balances(self.session)
        return {(b.account.value, b.money.currency.code): b.money.amount_minor for b in found if b.money.amount_minor}


def told(world: World, story: Story, tell: Callable[[Telling, list[Callable[[], object]]], None]) -> Standing:
    """Say what stands where after a story was told in some way, and then read once more to the end."""
    found: Standing = {}
    request = PaymentRequest(
        money=story.sale,
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    taken = checkout.take_payment(world.app, request, user=world.customer, method=STRIPE)
    with contextlib.suppress(Undo), world.app.database.transaction() as session:
        payment = session.get_one(Payment, taken.id)
        telling = Telling(world=world, session=session, payment=payment)
        tell(telling, list(story.facts(session, payment)))
        telling.read(story.shown, age=timedelta(days=60))
        telling.look_again(story.shown)
        found = telling.standing()
        raise Undo
    return found


def in_order(telling: Telling, facts: list[Callable[[], object]]) -> None:
    for fact in facts:
        fact()
    telling.standing()


@st.composite
def orders(draw: st.DrawFn, length: int) -> list[int]:
    """Any order of the facts, some of them told again; but that a refund failed is heard after its success.

    One that is heard of as failed was never a refund of ours.
    """
    shuffled = draw(st.permutations(range(length)))
    refunds = iter(sorted(place for place in shuffled if place >= OF_PAYMENT))
    once = [next(refunds) if place >= OF_PAYMENT else place for place in shuffled]
    return once + draw(st.lists(st.sampled_from(once), max_size=3))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(story=stories(), data=st.data())
def test_the_books_end_the_same_whichever_comes_first(world: World, story: Story, data: st.DataObject) -> None:
    def shuffled(telling: Telling, facts: list[Callable[[], object]]) -> None:
        for place in data.draw(orders(len(facts))):
            if data.draw(st.booleans()):
                some = data.draw(st.lists(st.sampled_from(story.shown), unique_by=lambda each: each["id"]))
                telling.read(some, age=data.draw(AGES))
                telling.standing()
            facts[place]()
            telling.standing()

    expected = told(world, story, in_order)
    assert told(world, story, shuffled) == expected
    net = sum(each["net"] for each in story.shown)
    code = story.shown[0]["currency"]
    assert {key: value for key, value in expected.items() if key[0] == "receivable"} == (
        {("receivable", code): net} if net else {}
    )
