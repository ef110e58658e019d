"""The only way to Easypaisa's socket: which address, which credentials, how long, and whose word is believed."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from payproc.errors import OutcomeUncertain, Refusal, RequestRefused
from payproc.providers.easy_paisa import codes, wire
from payproc.providers.easy_paisa.envelope import Envelope, NotSigned
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig, PaymentType
from payproc.providers.easy_paisa.values import Json
from payproc.providers.transport.http import Call, Http, JsonAnswer

_CHARGES = {
    PaymentType.MOBILE_ACCOUNT: "initiate-ma-transaction",
    PaymentType.OVER_THE_COUNTER: "initiate-otc-transaction",
}


class EasyPaisaApi:
    """The two calls there are, in every dialect. Answers are plain dictionaries.

    Raises SettingsInvalid for keys that are none.
    """

    def __init__(self, config: EasyPaisaConfig, http: Http) -> None:
        self._config = config
        self._http = http
        self._envelope = _envelope(config)

    def initiate(self, dialect: Dialect, body: Json) -> Json:
        """Charge. It may block while the customer types a PIN.

        Raises ProviderUnavailable, OutcomeUncertain or RequestRefused.
        """
        pushes = body.get("transactionType") != PaymentType.OVER_THE_COUNTER
        call = Call(
            operation="initiate",
            url=self._config.base_for(dialect) + _initiate_path(dialect, body),
            patience=self._config.push_timeout if pushes else self._config.read_timeout,
            waits_for_customer=pushes,
        )
        return self._asked(call, dialect, body)

    def inquire(self, dialect: Dialect, body: Json) -> Json:
        """Ask. Changes nothing there.

        Raises ProviderUnavailable or RequestRefused.
        """
        call = Call(
            operation="inquiry",
            url=self._config.base_for(dialect) + _inquiry_path(dialect),
            patience=self._config.read_timeout,
            reading=True,
        )
        return self._asked(call, dialect, body)

    def _asked(self, call: Call, dialect: Dialect, body: Json) -> Json:
        answer = self._http.ask(self._worded(call, dialect, body))
        try:
            return self._believed(dialect, answer)
        except NotSigned as doubt:
            # A charge was sent, and may well have been made.
            uncertain = OutcomeUncertain(_doubted(call, doubt, answer), code="bad_signature")
            raise (uncertain.of_a_question() if call.reading else uncertain) from None

    def _worded(self, call: Call, dialect: Dialect, body: Json) -> Call:
        config = self._config
        match dialect:
            case Dialect.GUIDE:
                return replace(call, json_body=body, basic_auth=(config.store_id, config.store_password))
            case Dialect.REST_V4 | Dialect.HOSTED:
                return replace(call, json_body=body, headers=self._credentials)
            case Dialect.REST_V5_RSA:
                headers = {**self._credentials, "Content-Type": "application/json"}
                return replace(call, raw_body=self._keys.sealed(body), headers=headers)
            case _:
                assert_never(dialect)

    def _believed(self, dialect: Dialect, answer: JsonAnswer) -> Json:
        match dialect:
            case Dialect.GUIDE | Dialect.REST_V4 | Dialect.HOSTED:
                return answer.fields
            case Dialect.REST_V5_RSA:
                return self._keys.opened(answer.text)
            case _:
                assert_never(dialect)

    @property
    def _credentials(self) -> Mapping[str, str]:
        # Not `Authorization: Basic`, though it is the same text.
        pair = f"{self._config.username}:{self._config.password}"
        return {"Credentials": base64.b64encode(pair.encode()).decode()}

    @property
    def _keys(self) -> Envelope:
        if self._envelope is None:
            # An old payment of rest-v5-rsa, after the keys were taken out of the settings.
            raise RequestRefused(
                "Easypaisa's keys are not configured.", refusal=Refusal.CONFIGURATION, code="rsa_keys_missing"
            )
        return self._envelope


def _envelope(config: EasyPaisaConfig) -> Envelope | None:
    has_keys = config.private_key_pem and config.public_key_pem
    if config.dialect is not Dialect.REST_V5_RSA and not has_keys:
        return None
    return Envelope.from_pem(private_key=config.private_key_pem, public_key=config.public_key_pem)


def _initiate_path(dialect: Dialect, body: Json) -> str:
    if dialect is Dialect.GUIDE:
        return "/api/Payment/InitiatePayment"
    return f"{_service(dialect)}/{_CHARGES[wire.payment_type_of(body)]}"


def _inquiry_path(dialect: Dialect) -> str:
    if dialect is Dialect.GUIDE:
        return "/api/Payment/GetTransactionStatus"
    return f"{_service(dialect)}/inquire-transaction"


def _service(dialect: Dialect) -> str:
    # The hosted page has no inquiry of its own: its orders are found by rest v4.
    return f"/easypay-service/rest/{'v5' if dialect is Dialect.REST_V5_RSA else 'v4'}"


def _doubted(call: Call, doubt: NotSigned, answer: JsonAnswer) -> str:
    # Not believed, but whoever sets the keys up wants to read it: 0022 to 0025 are about our own signature.
    inner = answer.fields.get("response")
    code = codes.code_of(inner if isinstance(inner, dict) else answer.fields)
    return f"{call.operation}: {doubt}" + (f", and says {code}" if code else "")
