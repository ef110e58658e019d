"""What a stack remembers from one start to the next: secrets of its own making, never used anywhere else."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path


def _stripe_key() -> str:
    return f"sk_test_{secrets.token_hex(16)}"


def _webhook_key() -> str:
    return f"whsec_{secrets.token_hex(16)}"


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Secrets, made once at random, and the seeded API keys by role."""

    secret_key: str = field(default_factory=_secret)
    stripe_secret_key: str = field(default_factory=_stripe_key)
    stripe_webhook_secret: str = field(default_factory=_webhook_key)
    flower_password: str = field(default_factory=_secret)
    api_keys: dict[str, str] = field(default_factory=dict)


def recall(path: Path) -> Memory:
    """Read what was kept in `path`, or make it up where nothing was."""
    if path.exists():
        return Memory(**json.loads(path.read_text()))
    memory = Memory()
    keep(path, memory)
    return memory


def keep(path: Path, memory: Memory) -> None:
    """Write to `path`, for its owner's eyes only, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(memory), file, indent=2)
    draft.replace(path)
