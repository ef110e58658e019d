"""What an application of a test is told."""

import secrets
from typing import Any

from payproc.bootstrap import load_settings
from payproc.settings import Settings

WEBHOOK_SECRET = "whsec_test_0123456789abcdef"


def settings_of_a_test(database_url: str, **overrides: Any) -> Settings:
    """Settings of a test; anything can be overridden by its field's name."""
    values: dict[str, Any] = {
        "environment": "test",
        "database_url": database_url,
        "secret_key": secrets.token_hex(16),
        "stripe_secret_key": "sk_test_payproc",
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "stripe_api_base": "http://127.0.0.1:9",
        "retry_base": "10m",
        "mail_from": "shop@example.com",
        # Whoever tests the limits sets them.
        "requests_per_user": 0,
        "requests_per_address": 0,
    }
    return load_settings(**(values | overrides))
