"""What a stack remembers from one start to the next: secrets of its own making, never used anywhere else."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def _stripe_key() -> str:
    return f"sk_test_{secrets.token_hex(16)}"


def _webhook_key() -> str:
    return f"whsec_{secrets.token_hex(16)}"


def _secret() -> str:
    return secrets.token_urlsafe(24)


def _digits(count: int) -> str:
    return "".join(secrets.choice("123456789") for _ in range(count))


def _letters(count: int) -> str:
    return secrets.token_hex(count)[:count]


def _key_pair() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"private": private.decode(), "public": public.decode()}


@dataclass(frozen=True, kw_only=True)
class GeneratedSecrets:
    """Secrets, made once at random, and the seeded API keys by role."""

    secret_key: str = field(default_factory=_secret)
    stripe_secret_key: str = field(default_factory=_stripe_key)
    stripe_webhook_secret: str = field(default_factory=_webhook_key)
    flower_password: str = field(default_factory=_secret)
    jazz_cash_merchant_id: str = field(default_factory=lambda: f"MC{_digits(5)}")
    jazz_cash_password: str = field(default_factory=lambda: _letters(10))
    jazz_cash_integrity_salt: str = field(default_factory=lambda: _letters(10))
    jazz_cash_merchant_mpin: str = field(default_factory=lambda: _digits(4))
    easy_paisa_store_id: str = field(default_factory=lambda: _digits(5))
    easy_paisa_store_password: str = field(default_factory=_secret)
    easy_paisa_username: str = "shop"
    easy_paisa_password: str = field(default_factory=_secret)
    easy_paisa_account_number: str = field(default_factory=lambda: _digits(8))
    easy_paisa_hash_key: str = field(default_factory=lambda: _letters(16))
    # Of REST v5: the merchant's pair, and the gateway's.
    merchant_keys: dict[str, str] = field(default_factory=_key_pair)
    gateway_keys: dict[str, str] = field(default_factory=_key_pair)
    api_keys: dict[str, str] = field(default_factory=dict)


def recall(path: Path) -> GeneratedSecrets:
    """Read what was kept in `path`, or make it up where nothing was."""
    if path.exists():
        made = GeneratedSecrets(**json.loads(path.read_text()))
        # What a later release has learned to need is made up now, and must be the same at the next start.
        keep(path, made)
        return made
    made = GeneratedSecrets()
    keep(path, made)
    return made


def keep(path: Path, made: GeneratedSecrets) -> None:
    """Write to `path`, for its owner's eyes only, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(made), file, indent=2)
    draft.replace(path)
