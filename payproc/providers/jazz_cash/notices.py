"""What the gateway sends us by itself: the browser's return, its own notification, and the guide's unsigned hint.

The hash covers values without their names. Whoever holds one signed message can therefore give its values other
names, and it stays signed; and every customer holds one, the form that we let the browser post. So a hash that fits
is not enough: `_cannot_be_renamed` says what else is asked for. Without it a delivery is only a reason to ask.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from payproc.domain.references import Reference
from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.jazz_cash import codes, guide, values
from payproc.providers.jazz_cash.answers import outcome_of
from payproc.providers.jazz_cash.deliveries import Fields, fields_of, is_json
from payproc.providers.jazz_cash.settings import REAL_DIALECTS, JazzCashConfig
from payproc.providers.jazz_cash.signature import SECURE_HASH, sign, signed_part, verified
from payproc.providers.notices import Hint, Notice, Proven, RawNotice, VerifiedNotice

_REFERENCE = "pp_TxnRefNo"
# What the guide's notification and return may name a payment by; the likeliest to be ours comes first.
_TXN_ID, _BILL, _AUTH_CODE = "pp_txn_id", "pp_bill_reference", "pp_auth_code"
_GUIDE_NAMES = (_BILL, _AUTH_CODE, _TXN_ID)
_PASSWORD = "pp_Password"  # noqa: S105 (a field's name)
_AMOUNT, _MERCHANT, _CODE, _MESSAGE = "pp_Amount", "pp_MerchantID", "pp_ResponseCode", "pp_ResponseMessage"

# The names of the published return and notification, but for those that carry secrets or the payer.
_CLEAR = frozenset(
    {
        *(_AMOUNT, "pp_AuthCode", "pp_BankID", "pp_BillReference", "pp_Language", _MERCHANT, "pp_ProductID", _CODE),
        *("pp_RetreivalReferenceNo", "pp_SettlementExpiry", "pp_SubMerchantId", "pp_TxnCurrency", "pp_TxnDateTime"),
        *(_REFERENCE, "pp_TxnType", "pp_Version"),
    }
)
_MASKED = frozenset({_PASSWORD, *(f"{prefix}_{number}" for prefix in ("ppmpf", "ppmbf") for number in range(1, 6))})
_PUBLISHED = _CLEAR | _MASKED | {_MESSAGE}
_MASK = "***"


class Kind(StrEnum):
    """What was delivered."""

    IPN = "jazz_cash.ipn"  # by the gateway's server
    RETURN = "jazz_cash.return"  # by the customer's browser
    GUIDE = "jazz_cash.guide"  # by anybody


@dataclass(frozen=True, kw_only=True)
class _Proven:
    """A delivery whose hash fitted, without what must not be kept. Not `certain`: a reason to ask, and no more."""

    key: str
    kind: Kind
    live_mode: bool
    certain: bool
    fields: dict[str, str]


def verify(raw: RawNotice, config: JazzCashConfig) -> VerifiedNotice:
    """Verify a delivery; what may be kept of it holds what was proven about it.

    Raises NoticeMalformed or BadSignature.
    """
    fields = fields_of(raw.body)
    if not _is_signed_kind(fields):
        hint = _hint(fields, kind=Kind.GUIDE)
        kept = {"kind": hint.kind} | {
            name: named for name in _GUIDE_NAMES if (named := values.name_of(fields.get(name)))
        }
        return VerifiedNotice(notice=hint, redacted=json.dumps(kept).encode())
    proven = _prove(fields, raw, config)
    answer = _acknowledgement(config.integrity_salt) if proven.kind is Kind.IPN else None
    return VerifiedNotice(
        notice=Proven(key=proven.key, kind=proven.kind.value, answer=answer),
        redacted=json.dumps(asdict(proven), sort_keys=True).encode(),
    )


def parse_stored(body: bytes) -> Notice:
    """Read what `verify` let us keep.

    Raises NoticeMalformed for anything else, a hint included: nothing was ever proven about one.
    """
    try:
        kept = json.loads(body)
        proven = _Proven(**{**kept, "kind": Kind(kept["kind"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NoticeMalformed("This is no proven delivery.") from None
    return _notice(proven)


def returned(raw: RawNotice) -> Hint | None:
    """Say which payment a browser's return names, in its form or in its query."""
    try:
        named = fields_of(raw.body).get(_REFERENCE)
    except NoticeMalformed:
        named = None
    try:
        return _hint({_BILL: named} if named else dict(parse_qsl(raw.query)), kind=Kind.RETURN)
    except NoticeMalformed:
        return None


def _is_signed_kind(fields: Fields) -> bool:
    # Either name: a notification of the real dialects that lost its hash must not pass as a hint.
    return SECURE_HASH in fields or _REFERENCE in fields


def _hint(fields: Fields, *, kind: Kind) -> Hint:
    named = [name for field in _GUIDE_NAMES if (name := values.name_of(fields.get(field)))]
    if not named:
        raise NoticeMalformed("The body names no payment.")
    # Our reference as it is, or read out of our auth code.
    ours = list(dict.fromkeys(guide.reference_of(name) or name for name in named))
    theirs = values.name_of(fields.get(_TXN_ID))
    return Hint(
        kind=kind.value,
        reference=ours[0],
        also=tuple(ours[1:]),
        references={Reference.JAZZ_CASH: theirs} if theirs else {},
        answer={"status": "received"} if kind is Kind.GUIDE else None,
    )


def _prove(fields: Fields, raw: RawNotice, config: JazzCashConfig) -> _Proven:
    if values.reference_of(fields.get(_REFERENCE)) is None:
        raise NoticeMalformed("The body names no payment.")
    if not verified(fields, config.integrity_salt):
        raise BadSignature("pp_SecureHash is missing or does not fit.")
    signed = signed_part(fields)
    if signed.get(_MERCHANT, config.merchant_id) != config.merchant_id:
        # Only our account holds our salt, so this was renamed or comes of a mixed-up configuration. To keep it as
        # ignored would acknowledge it.
        raise BadSignature("pp_MerchantID is another merchant's.")
    has_password = hmac.compare_digest(signed.get(_PASSWORD, "").encode(), config.password.encode())
    return _Proven(
        key=_key(signed, config.integrity_salt),
        kind=Kind.IPN if has_password or is_json(raw.body) else Kind.RETURN,
        live_mode=config.live_mode,
        # The notification names no amount but repeats the password; the return names the amount, and the password
        # never. With neither, the return of a smaller payment may have lost its amount.
        certain=_cannot_be_renamed(signed) and (has_password or _AMOUNT in signed),
        fields=_kept(signed),
    )


def _cannot_be_renamed(signed: Mapping[str, str]) -> bool:
    """Whether the values must be what their names say.

    Renamed values keep their order, so strange names are needed to make room between a stolen "000" and our
    reference; or an ampersand, to hide the values that are too many in one. And our own form always holds an
    address, which no answer of the gateway does.
    """
    return _PUBLISHED.issuperset(signed) and not any("&" in value or "://" in value for value in signed.values())


def _key(signed: Mapping[str, str], salt: str) -> str:
    # Keyed, for the fields hold the password and the payer; and over the names too, which the gateway's hash forgets.
    message = json.dumps(sorted(signed.items())).encode()
    return hmac.new(salt.encode(), message, hashlib.sha256).hexdigest()


def _kept(signed: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value if name in _CLEAR else _MASK for name, value in signed.items() if name in _PUBLISHED}
    if _MESSAGE in signed:
        kept[_MESSAGE] = values.message_of(signed[_MESSAGE]) or ""
    return kept


def _notice(proven: _Proven) -> Notice:
    reference = proven.fields[_REFERENCE]
    return Notice(
        key=proven.key,
        kind=proven.kind.value,
        reference=reference,
        references={Reference.JAZZ_CASH: reference},
        outcome=_outcome(proven, reference),
        dialects=REAL_DIALECTS,
    )


def _outcome(proven: _Proven, reference: str) -> Outcome:
    if not proven.certain:
        return Outcome(
            verdict=Verdict.UNKNOWN,
            references={Reference.JAZZ_CASH: reference},
            live_mode=proven.live_mode,
        )
    paid = codes.PAID_LATER if proven.kind is Kind.IPN else codes.PAID_AT_ONCE
    found = codes.meaning(values.code_of(proven.fields.get(_CODE)), paid=paid)
    return outcome_of(proven.fields, found, reference=reference, live_mode=proven.live_mode)


def _acknowledgement(salt: str) -> dict[str, str]:
    # Anything else, or nothing within a minute, and the gateway delivers again: twice, and never after.
    return sign({_CODE: "000", _MESSAGE: "IPN received successfully"}, salt)
