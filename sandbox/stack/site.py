"""Where one stack lives: its directory, its addresses, and the environment its processes are given."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from payproc.bootstrap import settings_type
from sandbox.stack.generated_secrets import GeneratedSecrets
from sandbox.stack.ports import Ports

# Its value is the stack's directory; how a later start knows what an earlier one left running.
MARK = "PAYPROC_STACK"

FLOWER_USER = "operator"

# Settings that a stack begins with, and that may be others.
_HABITS = {
    # What the gateways of today speak. The guide's dialects are for who asks for them.
    "JAZZ_CASH_DIALECT": "mwallet-2.0",
    "EASY_PAISA_DIALECT": "rest-v4",
    # The gateways' own rule is ten minutes, which nobody wants to watch.
    "POLL_SCHEDULE_JAZZ_CASH": "5s,10s,30s,1m",
    "POLL_SCHEDULE_EASY_PAISA": "5s,10s,30s,1m",
    "MAIL_FROM": "shop@example.com",
    "OPERATOR_MAIL": "operators@example.com",
    # A person who breaks something here on purpose does not want to wait as long as production may.
    "RETRY_BASE": "1s",
    "RING_LEASE": "5s",
    # The phones that answer as one wants are few, and whoever tries them is one user at one address.
    "PUSHES_PER_PHONE": "100",
    "PUSHES_PER_USER": "100",
    "PUSHES_PER_ADDRESS": "100",
    # So are those who call, and what is measured here is what a machine can do.
    "REQUESTS_PER_USER": "0",
    "REQUESTS_PER_ADDRESS": "0",
}
# Settings that are the stack's own and no others. That some processes are up is read from their logs.
PLUMBING = frozenset(
    {
        *("ENVIRONMENT", "FLOWER_BASIC_AUTH", "SECRET_KEY", "FORWARDED_HOPS", "LOG_LEVEL"),
        *("JAZZ_CASH_MERCHANT_ID", "JAZZ_CASH_PASSWORD", "JAZZ_CASH_INTEGRITY_SALT", "JAZZ_CASH_MERCHANT_MPIN"),
        *("EASY_PAISA_STORE_ID", "EASY_PAISA_STORE_PASSWORD", "EASY_PAISA_USERNAME", "EASY_PAISA_PASSWORD"),
        *("EASY_PAISA_ACCOUNT_NUMBER", "EASY_PAISA_HASH_KEY", "EASY_PAISA_PRIVATE_KEY", "EASY_PAISA_PUBLIC_KEY"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One stack's directory, addresses and secrets."""

    directory: Path
    ports: Ports
    secrets: GeneratedSecrets
    database_url: str
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def web_url(self) -> str:
        """Where payproc answers."""
        return f"http://127.0.0.1:{self.ports.web}"

    @property
    def gateway_url(self) -> str:
        """Where the simulator answers, and the mail page."""
        return f"http://127.0.0.1:{self.ports.gateway}"

    @property
    def flower_url(self) -> str:
        """Where Flower answers those who know the login."""
        return f"http://127.0.0.1:{self.ports.flower}"

    @property
    def flower_login(self) -> tuple[str, str]:
        """User and password of Flower."""
        return FLOWER_USER, self.secrets.flower_password

    @property
    def broker_url(self) -> str:
        """Where Celery's messages go."""
        return f"redis://127.0.0.1:{self.ports.redis}/0"

    @property
    def webhook_url(self) -> str:
        """Where the simulator posts its events."""
        return f"{self.web_url}/api/v1/payments/webhook/stripe"

    @property
    def wallets_file(self) -> Path:
        """File that tells the gateway of the wallets' accounts."""
        return self.directory / "wallets.json"

    def log(self, name: str) -> Path:
        """File that a process's output goes to."""
        return self.directory / "logs" / f"{name}.log"

    def settings(self) -> dict[str, str]:
        """Return payproc's settings, by the names of their environment variables."""
        return {**self._plumbing(), **_HABITS, **self.overrides}

    def _plumbing(self) -> dict[str, str]:
        # What holds the stack together: another value would lead it out of this machine, or apart.
        return {
            "ENVIRONMENT": "development",
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "PUBLIC_BASE_URL": self.web_url,
            "SECRET_KEY": self.secrets.secret_key,
            "STRIPE_SECRET_KEY": self.secrets.stripe_secret_key,
            "STRIPE_WEBHOOK_SECRET": self.secrets.stripe_webhook_secret,
            "STRIPE_API_BASE": self.gateway_url,
            "JAZZ_CASH_MERCHANT_ID": self.secrets.jazz_cash_merchant_id,
            "JAZZ_CASH_PASSWORD": self.secrets.jazz_cash_password,
            "JAZZ_CASH_INTEGRITY_SALT": self.secrets.jazz_cash_integrity_salt,
            "JAZZ_CASH_MERCHANT_MPIN": self.secrets.jazz_cash_merchant_mpin,
            "JAZZ_CASH_BASE_URL": f"{self.gateway_url}/jazzcash",
            "EASY_PAISA_STORE_ID": self.secrets.easy_paisa_store_id,
            "EASY_PAISA_STORE_PASSWORD": self.secrets.easy_paisa_store_password,
            "EASY_PAISA_USERNAME": self.secrets.easy_paisa_username,
            "EASY_PAISA_PASSWORD": self.secrets.easy_paisa_password,
            "EASY_PAISA_ACCOUNT_NUMBER": self.secrets.easy_paisa_account_number,
            "EASY_PAISA_HASH_KEY": self.secrets.easy_paisa_hash_key,
            "EASY_PAISA_PRIVATE_KEY": self.secrets.merchant_keys["private"],
            "EASY_PAISA_PUBLIC_KEY": self.secrets.gateway_keys["public"],
            "EASY_PAISA_BASE_URL": f"{self.gateway_url}/easypaisa",
            "SMTP_URL": f"smtp://127.0.0.1:{self.ports.smtp}",
            "FLOWER_BASIC_AUTH": ":".join(self.flower_login),
        }

    def environment(self) -> dict[str, str]:
        """Return everything a process is given. What the developer's shell exports for payproc does not leak in."""
        ours = settings_type().model_fields
        shell = {name: value for name, value in os.environ.items() if name.lower() not in ours}
        return {
            **shell,
            "PYTHONUNBUFFERED": "1",
            # A proxy would be asked for 127.0.0.1, too.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self.ports.flower),
            "FLOWER_DB": str(self.directory / "flower.db"),
            MARK: str(self.directory),
            **self.settings(),
        }
