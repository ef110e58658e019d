"""The wallets' accounts of a stack: what payproc is told of them, and what the gateway is told to believe."""

import json
import os

from sandbox.stack.site import Site


def write(site: Site) -> None:
    """Write what the gateway is told, for its owner's eyes only."""
    told = {"jazz_cash": _jazz_cash(site), "easy_paisa": _easy_paisa(site)}
    descriptor = os.open(site.wallets_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(told, file, indent=2)


def _jazz_cash(site: Site) -> dict[str, str]:
    made = site.secrets
    return {
        "merchant_id": made.jazz_cash_merchant_id,
        "password": made.jazz_cash_password,
        "integrity_salt": made.jazz_cash_integrity_salt,
        "merchant_mpin": made.jazz_cash_merchant_mpin,
        "return_url": f"{site.web_url}/api/v1/payments/jazz-cash/return",
        "ipn_url": f"{site.web_url}/api/v1/payments/jazz-cash/notify",
    }


def _easy_paisa(site: Site) -> dict[str, str]:
    made = site.secrets
    return {
        "store_id": made.easy_paisa_store_id,
        "store_password": made.easy_paisa_store_password,
        "username": made.easy_paisa_username,
        "password": made.easy_paisa_password,
        "account_number": made.easy_paisa_account_number,
        "hash_key": made.easy_paisa_hash_key,
        "merchant_public_key_pem": made.merchant_keys["public"],
        "gateway_private_key_pem": made.gateway_keys["private"],
        "ipn_url": f"{site.web_url}/api/v1/payments/easy-paisa/notify",
    }
