"""Every setting: its name, its type, its default and its reason."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from payproc.settings.types import (
    Address,
    BrokerUrl,
    DatabaseUrl,
    Duration,
    Environment,
    ExactUrl,
    Hosts,
    HttpUrl,
    Lease,
    LogLevel,
    Pem,
    PushTimeout,
    RefundByOwner,
    Schedule,
    Secrets,
    SmtpUrl,
    Words,
)


class Settings(BaseSettings):
    """Every setting, by the name of its environment variable in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Environment = Environment.DEVELOPMENT
    database_url: DatabaseUrl = Field(repr=False)
    broker_url: BrokerUrl = Field(default="redis://127.0.0.1:6379/0", repr=False)
    public_base_url: HttpUrl = "http://127.0.0.1:8400"
    secret_key: SecretStr
    log_level: LogLevel = "INFO"

    jwt_secret: SecretStr | None = None
    jwt_jwks_url: HttpUrl | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    cors_origins: Words = ()

    stripe_secret_key: SecretStr
    stripe_publishable_key: str = ""
    stripe_webhook_secret: Secrets
    stripe_api_version: str = "2026-10-28.endive"
    stripe_api_base: HttpUrl = "https://api.stripe.com"

    # A wallet is offered where it has an account: JAZZ_CASH_MERCHANT_ID, EASY_PAISA_STORE_ID.
    jazz_cash_dialect: Literal["guide", "hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0"] = "guide"
    jazz_cash_merchant_id: str = ""
    jazz_cash_password: SecretStr = SecretStr("")
    jazz_cash_integrity_salt: SecretStr = SecretStr("")
    jazz_cash_merchant_mpin: SecretStr = SecretStr("")
    jazz_cash_sub_merchant_name: str = ""
    jazz_cash_endpoints: Literal["classic", "pgw", "orchestrator"] = "classic"
    jazz_cash_base_url: HttpUrl | None = None
    jazz_cash_hosted_url: ExactUrl | None = None
    jazz_cash_push_url: ExactUrl | None = None
    jazz_cash_inquiry_url: ExactUrl | None = None
    jazz_cash_refund_url: ExactUrl | None = None
    jazz_cash_return_url: ExactUrl | None = None
    jazz_cash_notify_url: ExactUrl | None = None

    easy_paisa_dialect: Literal["guide", "rest-v4", "rest-v5-rsa", "hosted"] = "guide"
    easy_paisa_payment_type: Literal["MA", "OTC"] = "MA"
    easy_paisa_store_id: str = ""
    easy_paisa_store_password: SecretStr = SecretStr("")
    easy_paisa_username: str = ""
    easy_paisa_password: SecretStr = SecretStr("")
    easy_paisa_account_number: SecretStr = SecretStr("")
    easy_paisa_hash_key: SecretStr = SecretStr("")
    easy_paisa_private_key: Pem = SecretStr("")
    easy_paisa_public_key: Pem = SecretStr("")
    easy_paisa_base_url: HttpUrl | None = None
    easy_paisa_return_url: ExactUrl | None = None
    easy_paisa_notify_url: ExactUrl | None = None

    allow_guide_dialect: bool = False

    redirect_hosts: Hosts = ()
    smtp_url: SmtpUrl = Field(default="smtp://127.0.0.1:25", repr=False)
    mail_from: Address = "payments@localhost"
    operator_mail: Address | None = None
    flower_basic_auth: SecretStr | None = None

    # Stripe §3: a minute, five times five minutes, then hourly; the last step repeats.
    poll_schedule_stripe: Schedule = (
        timedelta(seconds=60),
        *[timedelta(minutes=5)] * 5,
        timedelta(hours=1),
    )
    # None: as the gateway's dialect suggests.
    poll_schedule_jazz_cash: Schedule | None = None
    poll_schedule_easy_paisa: Schedule | None = None
    # A dispatched job waits this long for a worker before the relay sends it again: what a wiped broker costs.
    ring_lease: Lease = timedelta(seconds=20)
    # Longer than the longest provider calls and Celery's hard limit of 60 s.
    work_lease: Lease = timedelta(seconds=90)
    provider_connect_timeout: Duration = timedelta(seconds=3)
    provider_read_timeout: Duration = timedelta(seconds=8)
    # How long a wallet's push waits for the customer's MPIN: at most what the lease of such a job covers.
    push_timeout: PushTimeout = timedelta(seconds=100)
    # How long a push that never reached its gateway is tried before the payment fails.
    push_patience: Duration = timedelta(minutes=10)
    # How long a gateway that failed five times in a row is left alone.
    circuit_rest: Duration = timedelta(seconds=30)
    # Unsigned notices taken from one address by each web process.
    hints_per_minute: Annotated[int, Field(ge=1)] = 120
    # Reverse proxies before web whose X-Forwarded-For is believed.
    forwarded_hops: Annotated[int, Field(ge=0, le=5)] = 0
    refund_window_days: Annotated[int, Field(ge=1)] = 90
    refund_by_owner: RefundByOwner = RefundByOwner.EXECUTE
    # First wait after a failed call; it doubles to ten minutes.
    retry_base: Duration = timedelta(seconds=5)
    # An event about a payment we do not have is retried this long, then a person looks at it.
    orphan_notice_after: Duration = timedelta(minutes=15)
    idempotency_key_life: Duration = timedelta(hours=72)

    @property
    def live_mode(self) -> bool:
        """Whether Stripe's key moves real money; every event must say the same."""
        return self.stripe_secret_key.get_secret_value().startswith(("sk_live_", "rk_live_"))

    @property
    def offers_jazz_cash(self) -> bool:
        """Whether there is an account at JazzCash."""
        return bool(self.jazz_cash_merchant_id)

    @property
    def offers_easy_paisa(self) -> bool:
        """Whether there is a store at Easypaisa."""
        return bool(self.easy_paisa_store_id)

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets in force: two while one is being replaced."""
        return tuple(secret.get_secret_value() for secret in self.stripe_webhook_secret)
