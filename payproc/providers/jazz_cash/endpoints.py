"""Where the gateway listens. It has moved twice in two years, so every address is configuration."""

from dataclasses import dataclass
from enum import StrEnum


class Preset(StrEnum):
    """A generation of hosts and paths; which is yours, JazzCash says at onboarding."""

    CLASSIC = "classic"
    PGW = "pgw"
    ORCHESTRATOR = "orchestrator"


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Absolute URLs, each replaceable with `dataclasses.replace`."""

    hosted: str
    push_1_1: str
    push_2_0: str
    inquiry: str
    refund: str
    guide_form: str
    guide_inquiry: str


@dataclass(frozen=True, kw_only=True)
class _Paths:
    push_1_1: str
    push_2_0: str
    refund: str
    hosted: str = "/CustomerPortal/transactionmanagement/merchantform"
    inquiry: str = "/ApplicationAPI/API/PaymentInquiry/Inquire"


@dataclass(frozen=True, kw_only=True)
class _Hosts:
    live: str
    sandbox: str


_CLASSIC = _Paths(
    push_1_1="/ApplicationAPI/API/Payment/DoTransaction",
    push_2_0="/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction",
    refund="/ApplicationAPI/API/Purchase/domwalletrefundtransaction",
)
_PATHS = {
    Preset.CLASSIC: _CLASSIC,
    Preset.PGW: _Paths(
        push_1_1="/api/payment/DoTransaction",
        push_2_0="/api/2.0/purchase/domwallettransaction",
        refund="/api/Purchase/domwalletrefundtransaction",
    ),
    Preset.ORCHESTRATOR: _Paths(
        push_1_1="/api/v1/rest/payments/m-wallet",
        push_2_0="/api/v2/rest/payments/m-wallet",
        refund="/api/v1/rest/payments/m-wallet/refund",
        inquiry="/api/v2/rest/payments/status/inquiry",
    ),
}
_SANDBOX = "https://sandbox.jazzcash.com.pk"
# The gateway's 2026 guide prints this one for production and for tests.
_ORCHESTRATOR = "https://onlinepayments.jazzcash.com.pk/payment-orchestrator"
_HOSTS = {
    Preset.CLASSIC: _Hosts(live="https://payments.jazzcash.com.pk", sandbox=_SANDBOX),
    Preset.PGW: _Hosts(live="https://pgw.jazzcash.com.pk", sandbox=_SANDBOX),
    Preset.ORCHESTRATOR: _Hosts(live=_ORCHESTRATOR, sandbox=_ORCHESTRATOR),
}
_GUIDE_HOSTS = _Hosts(live="https://secure.jazzcash.com.pk", sandbox=_SANDBOX)
_GUIDE_PATH = "/ApplicationAPI/API/"


def endpoints_of(preset: Preset, *, live: bool, base_url: str | None) -> Endpoints:
    """Return a preset's addresses; `base_url` takes the place of everything before their paths."""
    paths = _PATHS[preset]
    if preset is Preset.PGW and not live and base_url is None:
        # That generation has no sandbox of its own: it is tried on classic's, which knows classic's paths.
        paths = _CLASSIC
    base = _base(_HOSTS[preset], live=live, base_url=base_url)
    guide = _base(_GUIDE_HOSTS, live=live, base_url=base_url) + _GUIDE_PATH
    return Endpoints(
        hosted=base + paths.hosted,
        push_1_1=base + paths.push_1_1,
        push_2_0=base + paths.push_2_0,
        inquiry=base + paths.inquiry,
        refund=base + paths.refund,
        guide_form=guide,
        guide_inquiry=guide + "TransactionStatus.php",
    )


def _base(hosts: _Hosts, *, live: bool, base_url: str | None) -> str:
    if base_url is not None:
        return base_url.rstrip("/")
    return hosts.live if live else hosts.sandbox
