"""A card payment with every row that it leaves behind, as lines of COPY, from nothing but its number.

Each table's columns stand above its lines. The ids are as long as real ones and grow with time as they do; references
and the provider's ids are scattered, as random ones are, so that indexes over them are as cold as in life.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

AMOUNT_MINOR = 1999
# Odd, so that no two numbers are scattered to the same place.
_SCATTER, _MASK = 0x9E3779B97F4A7C15, 2**64 - 1
_DIGITS = str.maketrans("01", "ZY")

COLUMNS: Mapping[str, str] = {
    "payments": "id, user_id, amount_minor, currency, status, payment_method, reference, dialect, environment,"
    " live_mode, stripe_session_id, stripe_payment_intent_id, stripe_charge_id, next_action, description, metadata,"
    " created_at, updated_at, completed_at",
    "payment_events": "payment_id, fact, effect, from_status, to_status, source, evidence, at",
    "provider_calls": "id, provider, operation, subject, attempt, idempotency_key, parameters, state, answer,"
    " created_at, answered_at",
    "idempotency_keys": "user_id, key, fingerprint, subject, locked_until, status, location, answer, created_at",
    "jobs": "id, kind, queue, subject, dedupe_key, payload, state, due_at, attempts, created_at, finished_at",
    "notices": "id, provider, key, kind, body, headers, state, payment_id, received_at, settled_at",
    "journals": "id, key, kind, payment_id, evidence, at",
    "ledger_entries": "journal_id, account, provider, amount_minor, currency",
    "emails": "id, payment_id, kind, recipient, created_at, sent_at",
}
Line = tuple[str, str]
Lines = Iterator[Line]
_NULL = r"\N"
_EVENT = json.dumps({"object": "event", "type": "checkout.session.completed", "data": "x" * 600})
_BODY = r"\\x" + _EVENT.encode().hex()
_FINGERPRINT = r"\\x" + "5a" * 32


def payment_id(number: int) -> str:
    return _id("pay", number)


def session_id(number: int) -> str:
    return f"cs_test_{_scattered(number)}"


def intent_id(number: int) -> str:
    return f"pi_{_scattered(number)}"


def _id(prefix: str, number: int, part: str = "0") -> str:
    return f"{prefix}_0{number:024d}{part}"


def _line(table: str, *values: str) -> Line:
    return table, "\t".join(values)


def _scattered(number: int) -> str:
    return f"{number * _SCATTER & _MASK:024x}"


def _reference(number: int) -> str:
    return "P" + f"{number * _SCATTER & _MASK:019X}".translate(_DIGITS)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A payment whose session is made and whose customer has yet to pay."""

    number: int
    at: str  # ISO 8601, as all times here
    due_at: str  # of its next poll
    user_id: str
    email: str

    @property
    def id(self) -> str:
        return payment_id(self.number)

    def lines(self) -> Lines:
        """Yield a table's name and a line for each row."""
        yield self._payment("pending", _NULL, _NULL)
        yield from self._beginning()

    def _payment(self, status: str, charge: str, completed_at: str) -> Line:
        action = f'{{"type": "redirect", "url": "https://example.com/{self.number}"}}'
        asked = (self.id, self.user_id, str(AMOUNT_MINOR), "usd", status, "stripe", _reference(self.number))
        made = ("checkout", "development", "f", session_id(self.number), intent_id(self.number), charge, action)
        return _line("payments", *asked, *made, "Two mangoes", "{}", self.at, self.at, completed_at)

    def _beginning(self) -> Lines:
        call, session = _id("call", self.number), session_id(self.number)
        sent = f'{{"mode": "payment", "client_reference_id": "{self.id}"}}'
        key = f"development:start:{self.id}:1"
        yield self._event("created", "moved", _NULL, "pending", "api", self.user_id)
        yield self._event("started", "same", "pending", "pending", "api", call)
        yield _line("provider_calls", call, "stripe", "start", self.id, "1", key, sent, "answered", session,
                    self.at, self.at)  # fmt: skip
        answer = f'{{"payment_id": "{self.id}", "status": "pending"}}'
        yield _line("idempotency_keys", self.user_id, f"order-{self.number}", _FINGERPRINT, self.id, self.at, "202",
                    f"/api/v1/payments/{self.id}", answer, self.at)  # fmt: skip
        yield self._done("payment.start", "provider.stripe", self.id, "0")
        # The next poll, ahead in time.
        yield _line("jobs", _id("job", self.number, "1"), "payment.inquire", "provider.stripe", self.id,
                    f"payment.inquire:{self.id}", "{}", "ready", self.due_at, "0", self.at, _NULL)  # fmt: skip

    def _event(self, *told: str) -> Line:
        return _line("payment_events", self.id, *told, self.at)

    def _done(self, kind: str, queue: str, subject: str, part: str) -> Line:
        named = (_id("job", self.number, part), kind, queue, subject, f"{kind}:{subject}")
        return _line("jobs", *named, "{}", "done", self.at, "1", self.at, self.at)


class Paid(Begun):
    """The same once it was paid: the notice that said so, the sale in the books, the receipt that was sent."""

    def lines(self) -> Lines:
        """Yield a table's name and a line for each row."""
        notice, journal, email = _id("ntc", self.number), _id("jrn", self.number), _id("eml", self.number)
        kind, headers = "checkout.session.completed", '{"content-type": "application/json"}'
        yield self._payment("completed", f"ch_{_scattered(self.number)}", self.at)
        yield from self._beginning()
        yield self._event("paid", "moved", "pending", "completed", "notice", notice)
        yield _line("notices", notice, "stripe", f"evt_{_scattered(self.number)}", kind, _BODY, headers, "applied",
                    self.id, self.at, self.at)  # fmt: skip
        yield _line("journals", journal, f"sale:{self.id}", "sale", self.id, _reference(self.number), self.at)
        yield _line("ledger_entries", journal, "receivable", "stripe", str(AMOUNT_MINOR), "usd")
        yield _line("ledger_entries", journal, "sales", "stripe", str(-AMOUNT_MINOR), "usd")
        yield _line("emails", email, self.id, "receipt", self.email, self.at, self.at)
        yield self._done("notice.apply", "notices", notice, "2")
        yield self._done("mail.send", "mail", email, "3")
