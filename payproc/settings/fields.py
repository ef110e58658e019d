"""The deployment's own settings: name, type, default and reason. What belongs to one provider is in its folder."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from payproc.settings.types import (
    Address,
    BrokerUrl,
    CurrencyCode,
    DatabaseUrl,
    Duration,
    Environment,
    ForeignNotices,
    Hosts,
    HttpUrl,
    Lease,
    Line,
    LogLevel,
    Name,
    PushTimeout,
    RedisUrl,
    RefundByOwner,
    SmtpUrl,
    TimeZone,
    Words,
)


class Broker(BaseSettings):
    """What a process is told that sends or takes Celery's messages, or only looks on."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    # Redis, Redis behind Sentinel (`sentinel://a:26379;sentinel://b:26379`) or RabbitMQ (`amqp://`). Several of one
    # kind are tried in turn.
    broker_url: BrokerUrl = Field(default="redis://127.0.0.1:6379/0", repr=False)
    # By which name Sentinels know the Redis that takes writes, and what they themselves ask for.
    broker_master_name: Name = "mymaster"
    broker_sentinel_password: SecretStr | None = None


class Servers(Broker):
    """What a process is told that speaks to no provider: no secret but its servers' passwords."""

    environment: Environment = Environment.DEVELOPMENT
    database_url: DatabaseUrl = Field(repr=False)
    # How many connections all processes may open together; each has a share of it (`settings.connections`). PostgreSQL
    # takes 100 unless told otherwise, three of them for its superuser.
    database_connections: Annotated[int, Field(ge=1)] = 90
    # How many processes share it: those of web, and of all workers together.
    web_processes: Annotated[int, Field(ge=1)] = 2
    worker_processes: Annotated[int, Field(ge=1)] = 14
    log_level: LogLevel = "INFO"
    # A dispatched job waits this long for a worker before the relay sends it again: what a wiped broker costs.
    ring_lease: Lease = timedelta(seconds=10)

    @property
    def is_production(self) -> bool:
        """Whether money is real here. A wallet's answers do not say it: only we know which gateway we asked."""
        return self.environment is Environment.PRODUCTION


class Settings(Servers):
    """Settings by the names of their environment variables in lower case. A provider's own group inherits these."""

    public_base_url: HttpUrl = "http://127.0.0.1:8400"
    secret_key: SecretStr

    jwt_secret: SecretStr | None = None
    jwt_jwks_url: HttpUrl | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    cors_origins: Words = ()

    # Whether a wallet may speak the integration guide's dialect in production.
    allow_guide_dialect: bool = False

    # What an amount is in where neither the request nor an order says it; None refuses such a request.
    default_currency: CurrencyCode | None = None
    redirect_hosts: Hosts = ()
    # How long after a payment's end its pay page can still be seen.
    pay_link_days: Annotated[int, Field(ge=1)] = 7
    # Who is paid, where a customer can ask, and by whose clock times are told: on receipts and on the pay page.
    merchant_name: Name | None = None
    merchant_contact: Line | None = None
    # The file of an image that web reads when it starts.
    merchant_logo: Line | None = None
    merchant_time_zone: TimeZone = "Asia/Karachi"
    smtp_url: SmtpUrl = Field(default="smtp://127.0.0.1:25", repr=False)
    mail_from: Address = "payments@localhost"
    operator_mail: Address | None = None
    flower_basic_auth: SecretStr | None = None

    # How long a worker may be silent: while it runs a job it renews the lease, four times in this.
    work_lease: Lease = timedelta(seconds=12)
    provider_connect_timeout: Duration = timedelta(seconds=3)
    provider_read_timeout: Duration = timedelta(seconds=8)
    # How long a wallet charge waits for the customer's MPIN: at most what the time limit of such a job covers.
    push_timeout: PushTimeout = timedelta(seconds=100)
    # How long a wallet charge that never reached its gateway is tried before the payment fails.
    push_patience: Duration = timedelta(minutes=10)
    # Wallet charges whose customer may still be rung, at most: for one phone, of one user, of all that one shop names,
    # from one address.
    pushes_per_phone: Annotated[int, Field(ge=1)] = 3
    pushes_per_user: Annotated[int, Field(ge=1)] = 20
    pushes_per_shop: Annotated[int, Field(ge=1)] = 50
    pushes_per_address: Annotated[int, Field(ge=1)] = 40
    # How long at most a gateway that failed five times in a row is left alone: a quarter of it at first, doubling.
    circuit_rest: Duration = timedelta(seconds=5)
    # Unsigned notices taken from one address by each web process.
    hints_per_minute: Annotated[int, Field(ge=1)] = 120
    # Requests in a minute, by all keys and tokens of one user, and from one address; 0 counts none. Each web process
    # counts for itself, or all of them in the Redis at this address.
    requests_per_user: Annotated[int, Field(ge=0)] = 6000
    requests_per_address: Annotated[int, Field(ge=0)] = 12_000
    request_limits_url: RedisUrl | None = Field(default=None, repr=False)
    # Connections that one address may hold open to each web process, where no proxy stands before it.
    connections_per_address: Annotated[int, Field(ge=1)] = 128
    # Reverse proxies before web whose X-Forwarded-For is believed.
    forwarded_hops: Annotated[int, Field(ge=0, le=5)] = 0
    refund_window_days: Annotated[int, Field(ge=1)] = 90
    refund_by_owner: RefundByOwner = RefundByOwner.EXECUTE
    # First wait after a failed call; it doubles to ten minutes.
    retry_base: Duration = timedelta(seconds=5)
    # An event about a payment we do not have is retried this long, then a person looks at it.
    orphan_notice_after: Duration = timedelta(minutes=15)
    foreign_notices: ForeignNotices = ForeignNotices.IGNORE
    idempotency_key_life: Duration = timedelta(hours=72)

    # How long rows are kept that only helped to do the work (`operations.pruning`); what is about money stays.
    done_jobs_life: Duration = timedelta(days=7)
    dead_jobs_life: Duration = timedelta(days=90)
    ticks_life: Duration = timedelta(days=30)
    push_shares_life: Duration = timedelta(days=1)
    notices_life: Duration = timedelta(days=400)
    mails_life: Duration = timedelta(days=400)
    events_life: Duration = timedelta(days=30)
    runs_life: Duration = timedelta(days=400)
    abandoned_run_life: Duration = timedelta(days=1)
