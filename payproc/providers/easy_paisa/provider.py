"""Easypaisa as a provider."""

from datetime import timedelta
from typing import assert_never

from payproc.domain.ids import new_reference
from payproc.errors import InvalidRequest, NoticeMalformed, OperationNotSupported, Refusal, RequestRefused
from payproc.providers.answers import Outcome, PostForm, StartResult, Verdict
from payproc.providers.easy_paisa import guide, hosted, inspection, notices, values, wire
from payproc.providers.easy_paisa.client import EasyPaisaApi
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig
from payproc.providers.inspection import Finding
from payproc.providers.notices import Hint, ParsedNotice, RawNotice, VerifiedNotice
from payproc.providers.requests import (
    Operation,
    PayerDetail,
    PaymentRef,
    PreparedCall,
    StartMode,
    StartRequest,
    StoredCall,
)
from payproc.providers.transport.http import Http

# A customer approves within a minute or walks away; the gateway names no time before which it must not be asked.
_POLL_SCHEDULE = (
    timedelta(seconds=20),
    *(timedelta(minutes=minutes) for minutes in (1, 3, 10, 20, 40)),
    timedelta(hours=1),
)


class EasyPaisaProvider:
    """Provider, PostingForms and Returning (`payproc.providers.base`) over Easypaisa.

    Not Refunding: the gateway has no call for it. Money goes back by hand, in its portal, and an inquiry then says
    REVERSED. Raises SettingsInvalid for keys that cannot be the gateway's.
    """

    only_currency: str | None = values.CURRENCY

    def __init__(self, config: EasyPaisaConfig, http: Http) -> None:
        if config.dialect is Dialect.HOSTED:
            hosted.check_settings(config)
        self._config = config
        self._api = EasyPaisaApi(config, http)
        self.dialect: str = config.dialect.value
        self.live_mode = config.live_mode

    def check(self, request: StartRequest) -> None:
        """Refuse another currency, and a wallet charge without a phone."""
        if request.money.currency.code != values.CURRENCY:
            raise InvalidRequest("Easypaisa takes PKR only.", code="currency_unsupported", field="currency")
        if PayerDetail.PHONE in self.asks_payer(request.dialect) and not request.payer.phone:
            raise InvalidRequest("Easypaisa needs the customer's phone.", code="phone_missing", field="phone")

    def asks_payer(self, dialect: str) -> frozenset[PayerDetail]:
        """Say that a charge has to name whose wallet it is."""
        match _dialect(dialect):
            case Dialect.HOSTED:
                return frozenset()
            case Dialect.GUIDE | Dialect.REST_V4 | Dialect.REST_V5_RSA:
                return frozenset({PayerDetail.PHONE})
            case _ as never:
                assert_never(never)

    def start_mode(self, dialect: str) -> StartMode:
        """Say how a payment begins: nothing but the hosted page is begun by the browser."""
        match _dialect(dialect):
            case Dialect.HOSTED:
                return StartMode.FORM_POST
            case Dialect.GUIDE | Dialect.REST_V4 | Dialect.REST_V5_RSA:
                return StartMode.SINGLE_SHOT
            case _ as never:
                assert_never(never)

    def prepare_start(self, request: StartRequest) -> PreparedCall:
        """Return the parameters of a charge in its dialect, without the phone."""
        config = self._config
        match dialect := _dialect(request.dialect):
            case Dialect.GUIDE:
                words = guide.start_parameters(request, store_id=config.store_id, notify_url=config.notify_url)
            case Dialect.REST_V4 | Dialect.REST_V5_RSA:
                words = wire.start_parameters(
                    request,
                    store_id=config.store_id,
                    payment_type=config.payment_type,
                    merchant_email=config.merchant_email,
                )
            case Dialect.HOSTED:
                raise _begun_by_form()
            case _:
                assert_never(dialect)
        return PreparedCall(operation=Operation.START, parameters=words)

    def start(self, call: StoredCall) -> StartResult:
        """Send a stored charge, once."""
        phone = _phone(call)
        match dialect := _dialect(call.dialect):
            case Dialect.GUIDE:
                reply = self._api.initiate(dialect, guide.initiate_body(call.parameters, phone=phone))
                return guide.start_result(reply, call.parameters)
            case Dialect.REST_V4 | Dialect.REST_V5_RSA:
                reply = self._api.initiate(dialect, wire.initiate_body(call.parameters, phone=phone))
                return wire.start_result(call.parameters, reply)
            case Dialect.HOSTED:
                raise _begun_by_form()
            case _ as never:
                assert_never(never)

    def inquire(self, ref: PaymentRef) -> Outcome:
        """Ask how the payment with our reference stands."""
        config = self._config
        match dialect := _dialect(ref.dialect):
            case Dialect.GUIDE:
                return self._inquired_as_the_guide(ref)
            case Dialect.REST_V4 | Dialect.REST_V5_RSA | Dialect.HOSTED:
                ours = wire.inquiry_body(ref, store_id=config.store_id, account_number=config.account_number)
                return wire.inquiry_outcome(self._api.inquire(dialect, ours), ref, ours=ours)
            case _ as never:
                assert_never(never)

    def _inquired_as_the_guide(self, ref: PaymentRef) -> Outcome:
        outcome = Outcome(verdict=Verdict.UNKNOWN)
        for name in guide.names(ref):
            ours = guide.inquiry_body(name, store_id=self._config.store_id)
            outcome = guide.inquiry_outcome(self._api.inquire(Dialect.GUIDE, ours), ref, ours=ours)
            if outcome.verdict not in (Verdict.PENDING, Verdict.UNKNOWN):
                break
        return outcome

    def inspect(self) -> Finding:
        """Ask about an order that was never made."""
        config, name = self._config, new_reference()
        dialect, body = config.dialect, guide.inquiry_body(name, store_id=config.store_id)
        if dialect is not Dialect.GUIDE:
            body = {"orderId": name, "storeId": config.store_id, "accountNum": config.account_number}
        return inspection.of_inquiry(self._api.inquire(dialect, body), config)

    def can_inquire(self, ref: PaymentRef) -> bool:  # noqa: ARG002 (the interface's shape; others need an id first)
        """Whether we can ask: always, since the gateway knows our own reference."""
        return True

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:  # noqa: ARG002 (the same for every dialect)
        """Say how long to wait before each inquiry."""
        return self._config.poll_schedule or _POLL_SCHEDULE

    def form(self, request: StartRequest) -> PostForm:
        """Draw the hosted page's form."""
        if _dialect(request.dialect) is not Dialect.HOSTED:
            raise OperationNotSupported(f"Easypaisa's {request.dialect} has no form.", subject=request.payment_id)
        return hosted.index_form(request, self._config)

    def next_form(self, raw: RawNotice) -> PostForm | None:
        """Draw the hosted page's second form.

        Raises NoticeMalformed for a token that could not be the gateway's.
        """
        return hosted.confirm_form(raw, self._config)

    def returned(self, raw: RawNotice) -> Hint | None:
        """Return the order that the browser names."""
        order = hosted.returned_reference(raw)
        return Hint(kind=notices.RETURN, reference=order) if order else None

    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        """Take a delivery for a hint at most; of the payer and of our account nothing is kept."""
        return VerifiedNotice(notice=notices.read(raw, self._config), redacted=notices.redacted(raw, self._config))

    def parse_stored(self, body: bytes) -> ParsedNotice:
        """Refuse: nothing that Easypaisa sends is proven, so nothing proven was kept."""
        raise NoticeMalformed(f"Easypaisa proves no notices; these {len(body)} bytes are not one.")


def _dialect(name: str) -> Dialect:
    try:
        return Dialect(name)
    except ValueError:
        raise OperationNotSupported(f"Easypaisa has no dialect {name!r}.") from None


def _phone(call: StoredCall) -> str:
    if not call.payer.phone:
        # It is kept for as long as a start may be sent. Without it nobody can be asked to pay.
        raise RequestRefused("The customer's phone is not kept.", refusal=Refusal.INPUT, code="phone_missing")
    return call.payer.phone


def _begun_by_form() -> OperationNotSupported:
    return OperationNotSupported("Easypaisa's hosted page is begun by the customer's browser.")
