"""What a simulated Easypaisa store is told when the gateway starts."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class EasyPaisaAccount:
    """One store, with what it has registered in Easypaisa's portal."""

    store_id: str
    # The dialect of the integration guide signs in with it, the real ones never.
    store_password: str = field(repr=False)
    username: str
    password: str = field(repr=False)
    account_number: str = field(repr=False)
    # 16, 24 or 32 characters, used as they are as an AES key.
    hash_key: str = field(repr=False)
    # Without the two keys, calls of REST v5 are answered with 0025.
    merchant_public_key_pem: str = ""
    gateway_private_key_pem: str = field(default="", repr=False)
    ipn_url: str
    # The address the gateway gives itself in a notice's `url`; empty means the one it was called at.
    own_base_url: str = ""
