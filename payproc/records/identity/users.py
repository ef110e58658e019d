"""Who calls: API keys and tokens of the merchant's identity provider."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.engine import Database
from payproc.database.models import ApiKey, Role, Scope, User
from payproc.database.rows import RowReader
from payproc.domain.ids import Prefix, new_id
from payproc.domain.languages import Locale
from payproc.domain.requests.customer import check_email
from payproc.errors import Conflict, NotFound, PayprocError
from payproc.records.identity.jwks import SigningKeys
from payproc.settings import Settings

_SHOWN = 12  # characters of a key that may appear in lists and logs
_KEY_BYTES = 32
_LEAST_PREFIX = 6
# OpenID Connect Core §2 ends a subject at 255 characters, RFC 5321 an address at 254. The subject has an index, which
# holds no value longer than a third of a page.
_LONGEST_SUBJECT = 255
_LONGEST_EMAIL = 254
_LONGEST_NAME = 200

# Who may read may read the metrics too: that scope is for keys that do nothing else.
ALL_SCOPES = frozenset({Scope.READ, Scope.WRITE})


_USERS = RowReader(User)
# Every request begins with it.
_IN_FORCE = f"""
SELECT {_USERS.columns}, api_keys.scopes FROM api_keys JOIN users ON users.id = api_keys.user_id
WHERE api_keys.hash = %(hash)s AND (api_keys.revoked_at IS NULL OR api_keys.revoked_at > now())
"""  # noqa: S608 (names of our own columns)
_BY_SUBJECT = f"SELECT {_USERS.columns} FROM users WHERE token_subject = %(subject)s"  # noqa: S608 (as above)
_CHANGED = f"""
INSERT INTO users (id, token_subject, email, full_name, role, locale)
VALUES (%(id)s, %(subject)s, %(email)s, %(name)s, %(role)s, %(locale)s)
ON CONFLICT (token_subject) DO UPDATE
SET email = excluded.email, full_name = excluded.full_name, role = excluded.role, locale = excluded.locale
RETURNING {_USERS.columns}
"""  # noqa: S608 (as above)


class NotAuthenticated(PayprocError):
    """No credential, or one we do not accept. The message never says which part was wrong."""

    code = "not_authenticated"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A user and what this credential of theirs may do."""

    user: User
    scopes: Collection[Scope]
    by_key: bool = False


def create_user(session: Session, *, email: str, name: str, role: Role, locale: Locale = Locale.ENGLISH) -> User:
    """Make a user by hand, who is written to in the language of `locale`.

    Raises InvalidRequest for an address without an @, Conflict when it is taken.
    """
    check_email(email)
    taken = select(User.id).where(
        func.lower(User.email) == email.lower(), User.token_subject.is_(None), User.shop_id.is_(None)
    )
    if session.scalar(taken):
        raise Conflict(f"There is a user {email} already.", code="user_exists")
    user = User(email=email, full_name=name, role=role, locale=locale)
    session.add(user)
    session.flush()
    return user


def issue_key(session: Session, user: User, *, scopes: Collection[Scope] = ALL_SCOPES) -> str:
    """Make a key for the user and return it: the only time it is seen."""
    key = f"pp_{secrets.token_urlsafe(_KEY_BYTES)}"
    session.add(ApiKey(user_id=user.id, prefix=key[:_SHOWN], hash=_hash(key), scopes=sorted(scopes)))
    return key


def revoke_key(session: Session, prefix: str) -> ApiKey:
    """End a key by its first characters or its id, at once, even if it was to end later.

    Raises NotFound, or Conflict when the characters fit several keys.
    """
    key = _key_in_force(session, prefix)
    key.revoked_at = _now(session)
    return key


def rotate_key(session: Session, prefix: str, *, grace: timedelta) -> tuple[ApiKey, str]:
    """Make a key that may do what another one may, and end that when the grace is over; return both, the new in clear.

    Raises what `revoke_key` does, and Conflict where the key was rotated before: a third would be one too many.
    """
    key = _key_in_force(session, prefix)
    if key.revoked_at is not None:
        raise Conflict(f"Key {key.prefix} ends at {key.revoked_at:%Y-%m-%d %H:%M} UTC.", code="key_ends_already")
    successor = issue_key(session, key.user, scopes=frozenset(Scope(scope) for scope in key.scopes))
    key.revoked_at = _now(session) + grace
    return key, successor


def _key_in_force(session: Session, prefix: str) -> ApiKey:
    if len(prefix) < _LEAST_PREFIX:
        raise NotFound("Name at least six characters of the key.", code="key_not_found")
    fits = (ApiKey.id == prefix) | ApiKey.prefix.startswith(prefix, autoescape=True)
    in_force = ApiKey.revoked_at.is_(None) | (ApiKey.revoked_at > func.now())
    found = list(session.scalars(select(ApiKey).where(fits, in_force).with_for_update()))
    if not found:
        raise NotFound(f"There is no key in force that starts with {prefix}.", code="key_not_found")
    if len(found) > 1:
        raise Conflict(f"{len(found)} keys start with {prefix}; name more of it.", code="key_ambiguous")
    return found[0]


def _now(session: Session) -> datetime:
    return session.scalars(select(func.now())).one()


def authenticate(database: Database, credential: str, *, settings: Settings, keys: SigningKeys | None = None) -> Caller:
    """Return who presents this bearer credential: an API key, or a token where tokens are configured.

    Raises NotAuthenticated, or IdentityUnavailable.
    """
    if credential.count(".") == 2 and (settings.jwt_secret or keys):  # noqa: PLR2004 (header.claims.signature)
        claims = _claims(credential, settings=settings, keys=keys)
        return Caller(user=_user_of(database, claims), scopes=ALL_SCOPES)
    return _by_key(database, credential)


def _by_key(database: Database, key: str) -> Caller:
    # 256 random bits need no slow hash, and looking one up by its hash leaks nothing by its timing.
    rows = database.rows(_IN_FORCE, {"hash": _hash(key)})
    if not rows:
        raise NotAuthenticated("The API key is not valid.")
    user, scopes = _USERS.read(rows[0]), rows[0][_USERS.width]
    # A scope of a later release, read while that is being installed, is one that this process cannot grant.
    return Caller(user=user, scopes=frozenset(scope for scope in Scope if scope in scopes), by_key=True)


def _claims(token: str, *, settings: Settings, keys: SigningKeys | None) -> dict[str, object]:
    try:
        claims: dict[str, object] = jwt.decode(
            token,
            keys.key_for(token) if keys else _shared_secret(settings),
            # One family each: with both, a public key could be passed off as a shared secret.
            algorithms=["RS256", "ES256"] if keys else ["HS256"],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            options={"require": ["exp", "sub"], "verify_aud": settings.jwt_audience is not None},
        )
    except jwt.PyJWTError as refused:
        raise NotAuthenticated("The token is not valid.") from refused
    return claims


def _shared_secret(settings: Settings) -> str:
    assert settings.jwt_secret is not None
    return settings.jwt_secret.get_secret_value()


def _user_of(database: Database, claims: dict[str, object]) -> User:
    email, subject, role = claims.get("email"), claims["sub"], claims.get("role", Role.CUSTOMER)
    if not (isinstance(email, str) and isinstance(subject, str)) or role not in tuple(Role):
        raise NotAuthenticated("The token needs the claims sub and email, and a role we know if any.")
    if not (_is_plain(subject, _LONGEST_SUBJECT) and _is_plain(email, _LONGEST_EMAIL)) or email.count("@") != 1:
        raise NotAuthenticated("The claims sub and email must be plain and short, and email an address.")
    name = claims.get("name")
    full_name = name if isinstance(name, str) and _is_plain(name, _LONGEST_NAME) else email
    locale = _locale(claims.get("locale"))
    values = {"subject": subject, "email": email, "name": full_name, "role": role, "locale": locale}
    # Looked at before it is written: an upsert that changes nothing locks the row all the same, and waits for whoever
    # has it.
    rows = database.rows(_BY_SUBJECT, {"subject": subject})
    if rows:
        user = _USERS.read(rows[0])
        if (user.email, user.full_name, user.role, user.locale) == (email, full_name, role, locale):
            return user
    # The token is the authority on its own user: a demotion there holds here from the next request on.
    return _USERS.read(database.rows(_CHANGED, values | {"id": new_id(Prefix.USER)})[0])


def _is_plain(text: str, longest: int) -> bool:
    # Lone surrogates are not printable either.
    return len(text) <= longest and text.isprintable()


def _locale(claim: object) -> Locale:
    # "ur", "ur-PK", and "ur_PK" as some identity providers write it (OpenID Connect Core §5.1).
    language = claim.replace("_", "-").partition("-")[0].lower() if isinstance(claim, str) else ""
    return Locale.URDU if language == Locale.URDU else Locale.ENGLISH


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
