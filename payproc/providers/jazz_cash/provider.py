"""JazzCash as a provider."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from payproc.domain.ids import new_reference
from payproc.domain.money import LARGEST_MINOR
from payproc.domain.settlement import RefundOutcome
from payproc.errors import InvalidRequest, OperationNotSupported
from payproc.providers.answers import Outcome, PostForm, StartResult
from payproc.providers.inspection import Finding
from payproc.providers.jazz_cash import answers, guide, inspection, notices, values, wire
from payproc.providers.jazz_cash.client import JazzCashApi
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.notices import Hint, ParsedNotice, RawNotice, VerifiedNotice
from payproc.providers.requests import (
    Operation,
    PayerDetail,
    PaymentRef,
    PreparedCall,
    RefundMode,
    RefundRequest,
    StartMode,
    StartRequest,
    StoredCall,
)
from payproc.providers.transport.http import Http

# Between whose hosts the gateway moves the browser, as it has moved its API from year to year.
_SITES = ("https://*.jazzcash.com.pk",)
# Those that begin with a call of ours.
_CHARGED = frozenset({Dialect.MWALLET_1_1, Dialect.MWALLET_2_0})
_PHONE = re.compile(r"03[0-9]{9}")
_CNIC_TAIL = re.compile(r"[0-9]{6}")

_REAL_STEPS = (timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40), timedelta(hours=1))
# The gateway's guide forbids an inquiry in the first ten minutes. The integration guide's dialect has no such rule,
# and its notification proves nothing, so there the inquiry is what the customer waits for.
_GUIDE_STEPS = (timedelta(seconds=20), timedelta(minutes=1), timedelta(minutes=3), *_REAL_STEPS)


class JazzCashProvider:
    """Provider, PostingForms, Returning and Refunding (`payproc.providers.base`) over JazzCash."""

    only_currency: str | None = values.CURRENCY.lower()

    def __init__(self, config: JazzCashConfig, http: Http) -> None:
        self._config = config
        self.dialect = config.dialect.value
        self.live_mode = config.live_mode
        self._api = JazzCashApi(config, http)

    def check(self, request: StartRequest) -> None:
        """Refuse another currency than rupees, and a wallet charge that does not say whose wallet."""
        if request.money.currency.code != values.CURRENCY.lower():
            raise InvalidRequest("JazzCash takes PKR only.", code="currency_unsupported", field="currency")
        if not 0 < request.money.amount_minor <= LARGEST_MINOR:
            raise InvalidRequest("JazzCash cannot take this amount.", code="amount_invalid", field="amount")
        asked = self.asks_payer(request.dialect)
        if PayerDetail.PHONE in asked:
            _check(request.payer.phone, _PHONE, name="phone", wanted="a phone number such as 03001234567")
        if PayerDetail.CNIC in asked:
            _check(request.payer.cnic, _CNIC_TAIL, name="cnic", wanted="the last six digits of the CNIC")

    def asks_payer(self, dialect: str) -> frozenset[PayerDetail]:
        """Say whose wallet has to be named, and that the newer charge wants to know its owner."""
        match _dialect(dialect):
            case Dialect.GUIDE | Dialect.HOSTED_1_1 | Dialect.HOSTED_2_0:
                return frozenset()
            case Dialect.MWALLET_1_1:
                return frozenset({PayerDetail.PHONE})
            case Dialect.MWALLET_2_0:
                return frozenset({PayerDetail.PHONE, PayerDetail.CNIC})
            case other:
                assert_never(other)

    def start_mode(self, dialect: str) -> StartMode:
        """Say whether the browser posts a form, or we charge the wallet: once, for it knows no keys."""
        match _dialect(dialect):
            case Dialect.GUIDE | Dialect.HOSTED_1_1 | Dialect.HOSTED_2_0:
                return StartMode.FORM_POST
            case Dialect.MWALLET_1_1 | Dialect.MWALLET_2_0:
                return StartMode.SINGLE_SHOT
            case other:
                assert_never(other)

    def form(self, request: StartRequest) -> PostForm:
        """Draw the form that begins a payment in the customer's browser."""
        endpoints = self._config.endpoints
        match dialect := _dialect(request.dialect):
            case Dialect.GUIDE:
                fields, url = guide.form_fields(request, self._config), endpoints.guide_form
            case Dialect.HOSTED_1_1 | Dialect.HOSTED_2_0:
                fields, url = wire.hosted_fields(request, self._config, dialect), endpoints.hosted
            case Dialect.MWALLET_1_1 | Dialect.MWALLET_2_0:
                raise OperationNotSupported(f"Payments of {dialect} begin with a call.", subject=request.payment_id)
            case other:
                assert_never(other)
        return PostForm(url=url, fields=fields, sites=_SITES, return_url=self._config.return_url)

    def prepare_start(self, request: StartRequest) -> PreparedCall:
        """Return the parameters of a wallet charge."""
        parameters = wire.push_parameters(request, self._config, _charged(request.dialect))
        return PreparedCall(operation=Operation.START, parameters=parameters)

    def start(self, call: StoredCall) -> StartResult:
        """Charge the wallet; the customer approves on the phone while we wait."""
        dialect = _charged(call.dialect)
        fields = wire.push_fields(call, self._config, dialect)
        return answers.start_result(self._api.push(fields, dialect=dialect), call, self._config)

    def inquire(self, ref: PaymentRef) -> Outcome:
        """Ask how a payment stands, in the dialect it was made in."""
        if _dialect(ref.dialect) is Dialect.GUIDE:
            return guide.inquired(ref, self._config, self._api.guide_inquiry)
        return answers.inquiry_outcome(self._inquired(ref), ref, self._config)

    def can_inquire(self, ref: PaymentRef) -> bool:  # noqa: ARG002 (the interface's own shape)
        """Say yes: our own reference is all that an inquiry names."""
        return True

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:
        """Say how long to wait before each inquiry; the last step repeats."""
        if self._config.poll_schedule is not None:
            return self._config.poll_schedule
        return _GUIDE_STEPS if _dialect(dialect) is Dialect.GUIDE else _REAL_STEPS

    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        """Verify a notification, or the form with which the browser returns."""
        return notices.verify(raw, self._config)

    def parse_stored(self, body: bytes) -> ParsedNotice:
        """Read a stored delivery."""
        return notices.parse_stored(body)

    def next_form(self, raw: RawNotice) -> PostForm | None:  # noqa: ARG002 (the interface's own shape)
        """Ask for no further form: the browser comes back once."""
        return None

    def returned(self, raw: RawNotice) -> Hint | None:
        """Say which payment the browser names."""
        return notices.returned(raw)

    def refund_mode(self, dialect: str) -> RefundMode:
        """Say that a wallet charge is given back by a call, and only with the merchant's MPIN."""
        by_call = self.start_mode(dialect) is StartMode.SINGLE_SHOT and bool(self._config.merchant_mpin)
        return RefundMode.SINGLE_SHOT if by_call else RefundMode.MANUAL

    def prepare_refund(self, request: RefundRequest) -> PreparedCall:
        """Return the parameters of a refund.

        Raises OperationNotSupported where a person gives it back.
        """
        self._need_refunds(request.payment.dialect)
        return PreparedCall(operation=Operation.REFUND, parameters=wire.refund_parameters(request, self._config))

    def refund(self, call: StoredCall) -> RefundOutcome:
        """Give money back, once: the gateway knows neither a key nor a refund's id."""
        self._need_refunds(call.dialect)
        said = self._api.refund(wire.refund_fields(call, self._config))
        return answers.refund_outcome(said, call, self._config)

    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask about the payment, and conclude from it what can be concluded."""
        return answers.refund_standing(self._inquired(request.payment), request, self._config)

    def _inquired(self, ref: PaymentRef) -> Mapping[str, object]:
        return self._api.inquiry(wire.inquiry_fields(ref.reference, self._config))

    def inspect(self) -> Finding:
        """Ask about a reference that was never used."""
        if self._config.dialect is Dialect.GUIDE:
            answer = self._api.guide_inquiry(guide.inquiry_fields(new_reference(), self._config))
            return inspection.of_guide_inquiry(answer, self._config)
        answer = self._api.inquiry(wire.inquiry_fields(new_reference(), self._config))
        return inspection.of_inquiry(answer, self._config)

    def _need_refunds(self, dialect: str) -> None:
        if self.refund_mode(dialect) is RefundMode.MANUAL:
            raise OperationNotSupported("This payment is refunded in the merchant's portal.", code="refund_by_hand")


def _dialect(name: str) -> Dialect:
    try:
        return Dialect(name)
    except ValueError:
        raise OperationNotSupported(f"JazzCash has no dialect {name!r}.") from None


def _charged(name: str) -> Dialect:
    dialect = _dialect(name)
    if dialect not in _CHARGED:
        raise OperationNotSupported(f"Payments of {dialect} begin in the customer's browser.")
    return dialect


def _check(value: str | None, pattern: re.Pattern[str], *, name: str, wanted: str) -> None:
    if not value:
        raise InvalidRequest(f"JazzCash needs {wanted}.", code=f"{name}_missing", field=name)
    if not pattern.fullmatch(value):
        raise InvalidRequest(f"This is not {wanted}.", code=f"{name}_invalid", field=name)
