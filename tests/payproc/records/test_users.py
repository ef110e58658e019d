import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import func, select, update

from payproc.application import Application
from payproc.database.models import ApiKey, Role, Scope, User
from payproc.domain.languages import Locale
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.records.identity.jwks import IdentityUnavailable, SigningKeys
from payproc.records.identity.users import (
    ALL_SCOPES,
    Caller,
    NotAuthenticated,
    authenticate,
    create_user,
    issue_key,
    revoke_key,
)
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.support.round_trips import Counted, Wire

JWT_SECRET = "b7Hq2Lw9Xz4Rt6Yv1Nc8Kd3Fg5Hj0PmQ"
ISSUER, AUDIENCE = "https://id.shop.pk", "payproc"


@pytest.fixture
def settings(wire: Wire) -> Settings:
    return settings_of_a_test(wire.url, jwt_secret=JWT_SECRET, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)


def key_of(app: Application, user: User, **scopes: Any) -> str:
    with app.database.transaction() as session:
        return issue_key(session, user, **scopes)


def caller(app: Application, credential: str, *, keys: SigningKeys | None = None) -> Caller:
    return authenticate(app.database, credential, settings=app.settings, keys=keys)


def claims(**changes: Any) -> dict[str, Any]:
    good = {
        "sub": "auth0|1",
        "email": "bilal@example.com",
        "name": "Bilal Ahmed",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(*, secret: str = JWT_SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def test_a_key_brings_its_user_and_its_scopes(app: Application, customer: User) -> None:
    found = caller(app, key_of(app, customer))
    assert (found.user.id, found.scopes) == (customer.id, ALL_SCOPES)
    assert caller(app, key_of(app, customer, scopes=[Scope.READ])).scopes == {Scope.READ}


def test_each_key_brings_its_own_user(app: Application, customer: User, operator: User) -> None:
    keys = {customer.id: key_of(app, customer), operator.id: key_of(app, operator)}
    assert {caller(app, key).user.id: key for key in keys.values()} == keys


def test_a_key_is_stored_nowhere(app: Application, customer: User) -> None:
    key = key_of(app, customer)
    with app.database.transaction() as session:
        row = session.scalars(select(ApiKey)).one()
    assert row.hash == hashlib.sha256(key.encode()).digest()
    assert key.startswith(row.prefix)
    assert len(row.prefix) == 12


@pytest.mark.parametrize("credential", ["", "pp_", "pp_nobody", "x" * 5000, "\N{SNOWMAN}", "..", "a.b.c", "....."])
@pytest.mark.usefixtures("customer")
def test_what_is_no_credential_of_ours_is_refused(app: Application, credential: str) -> None:
    with pytest.raises(NotAuthenticated):
        caller(app, credential)


def test_a_part_of_a_key_or_its_hash_opens_nothing(app: Application, customer: User) -> None:
    key = key_of(app, customer)
    for part in (key[:12], key[:-1], key + "a", key.upper(), hashlib.sha256(key.encode()).hexdigest()):
        with pytest.raises(NotAuthenticated):
            caller(app, part)


def test_a_revoked_key_is_refused_and_the_users_other_key_is_not(app: Application, customer: User) -> None:
    gone, kept = key_of(app, customer), key_of(app, customer)
    with app.database.transaction() as session:
        revoke_key(session, gone[:12])
    with pytest.raises(NotAuthenticated):
        caller(app, gone)
    assert caller(app, kept).user.id == customer.id


def test_a_key_can_be_revoked_by_its_id_and_only_once(app: Application, customer: User) -> None:
    key_of(app, customer)
    with app.database.transaction() as session:
        key_id = session.scalars(select(ApiKey.id)).one()
        assert revoke_key(session, key_id).revoked_at is not None
    with pytest.raises(NotFound), app.database.transaction() as session:
        revoke_key(session, key_id)


def test_characters_that_fit_several_keys_revoke_none(app: Application, customer: User) -> None:
    keys = [key_of(app, customer), key_of(app, customer)]
    with app.database.transaction() as session:
        session.execute(update(ApiKey).values(prefix="pp_abcdefghi"))
    with pytest.raises(Conflict), app.database.transaction() as session:
        revoke_key(session, "pp_abc")
    assert [caller(app, key).user.id for key in keys] == [customer.id, customer.id]


@pytest.mark.parametrize("pattern", ["%", "pp%", "___", "pp\\_"])
def test_a_wildcard_revokes_nothing(app: Application, customer: User, pattern: str) -> None:
    key = key_of(app, customer)
    with pytest.raises(NotFound), app.database.transaction() as session:
        revoke_key(session, pattern)
    assert caller(app, key).user.id == customer.id


@pytest.mark.parametrize("email", ["", "amina", "a@b@c", " a@example.com", "a@example.com\n", "a b@example.com"])
def test_an_address_that_is_none_is_refused(app: Application, email: str) -> None:
    with pytest.raises(InvalidRequest), app.database.transaction() as session:
        create_user(session, email=email, name="Amina", role=Role.CUSTOMER)


@pytest.mark.usefixtures("customer")
def test_an_address_that_is_taken_is_refused_in_any_case(app: Application) -> None:
    with pytest.raises(Conflict), app.database.transaction() as session:
        create_user(session, email="AMINA@example.com", name="Amina", role=Role.CUSTOMER)


def test_a_good_token_makes_its_user_on_first_sight(app: Application) -> None:
    first, second = caller(app, token()), caller(app, token())
    assert first.user.id == second.user.id
    assert (first.user.email, first.user.full_name, first.user.role) == (
        "bilal@example.com",
        "Bilal Ahmed",
        Role.CUSTOMER,
    )
    assert first.scopes == ALL_SCOPES


def test_two_subjects_are_two_users_even_with_one_address(app: Application, customer: User) -> None:
    one = caller(app, token(email=customer.email)).user.id
    other = caller(app, token(sub="auth0|2", email=customer.email)).user.id
    assert len({one, other, customer.id}) == 3


def test_a_token_never_becomes_a_user_made_by_hand(app: Application, admin: User) -> None:
    found = caller(app, token(email=admin.email, sub=admin.id)).user
    assert found.id != admin.id
    assert found.role is Role.CUSTOMER


def test_a_promotion_and_a_demotion_hold_from_the_next_request_on(app: Application) -> None:
    roles = [caller(app, token(role=role)).user.role for role in ("customer", "operator", "admin", None)]
    assert roles == [Role.CUSTOMER, Role.OPERATOR, Role.ADMIN, Role.CUSTOMER]


def test_a_new_name_and_address_are_taken_over(app: Application) -> None:
    caller(app, token())
    found = caller(app, token(email="b@example.com", name=None)).user
    assert (found.email, found.full_name) == ("b@example.com", "b@example.com")


def test_a_token_that_says_nothing_new_waits_for_nobody_who_has_its_user(app: Application) -> None:
    user_id = caller(app, token()).user.id
    with app.database.transaction() as session:
        session.get_one(User, user_id, with_for_update=True)
        assert caller(app, token()).user.id == user_id


def test_a_token_writes_only_when_it_says_something_new(app: Application, wire: Wire) -> None:
    caller(app, token())
    with wire.counted() as same:
        caller(app, token())
    assert words(same) == ["SELECT"]
    with wire.counted() as changed:
        caller(app, token(role="operator"))
    assert words(changed) == ["SELECT", "INSERT"]


def words(counted: Counted) -> list[str]:
    """How each statement begins; a pool that is shared with transactions asks before each whether its server writes."""
    return [word for statement in counted.statements if (word := statement.split()[0]) != "SHOW"]


def test_a_key_brings_its_user_in_one_statement(app: Application, customer: User, wire: Wire) -> None:
    key = key_of(app, customer)
    with wire.counted() as sent:
        assert caller(app, key).user.id == customer.id
    assert words(sent) == ["SELECT"]


def test_a_scope_of_a_later_release_is_none_and_the_others_hold(app: Application, customer: User) -> None:
    key = key_of(app, customer)
    with app.database.transaction() as session:
        session.execute(update(ApiKey).values(scopes=["payments:read", "payments:dream"]))
    assert caller(app, key).scopes == {Scope.READ}


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "s" * 256},
        {"sub": "s" * 8192},
        {"sub": "\ud800"},
        {"sub": "a\x00b"},
        {"email": f"{'e' * 255}@example.com"},
        {"email": "\udfff@example.com"},
    ],
)
def test_what_cannot_be_kept_of_a_token_is_refused_and_never_our_trouble(
    app: Application, changes: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticated):
        caller(app, token(**changes))


@pytest.mark.parametrize("name", ["n" * 201, "\ud800", "a\nb", 7])
def test_a_name_that_is_none_gives_way_to_the_address(app: Application, name: object) -> None:
    assert caller(app, token(name=name)).user.full_name == "bilal@example.com"


@pytest.mark.parametrize(
    ("claim", "locale"),
    [
        ("ur", Locale.URDU),
        ("ur-PK", Locale.URDU),
        ("ur_PK", Locale.URDU),
        ("UR", Locale.URDU),
        ("en-GB", Locale.ENGLISH),
        ("urk", Locale.ENGLISH),
        ("", Locale.ENGLISH),
        (7, Locale.ENGLISH),
        (["ur"], Locale.ENGLISH),
        (None, Locale.ENGLISH),
    ],
)
def test_a_token_says_in_which_language_its_user_is_written_to(app: Application, claim: object, locale: Locale) -> None:
    assert caller(app, token(locale=claim)).user.locale is locale


def test_a_language_that_changes_is_taken_over(app: Application) -> None:
    spoken = [caller(app, token(locale=claim)).user.locale for claim in ("ur", "en", "ur-PK", None)]
    assert spoken == [Locale.URDU, Locale.ENGLISH, Locale.URDU, Locale.ENGLISH]


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"exp": None},
        {"exp": "never"},
        {"nbf": datetime(2100, 1, 1, tzinfo=UTC)},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["another", "third"]},
        {"iss": "https://evil.com"},
        {"iss": None},
        {"sub": None},
        {"email": None},
        {"email": 7},
        {"role": "root"},
        {"role": "ADMIN"},
        {"role": 1},
        {"secret": "another-secret-another-secret-another"},
        {"algorithm": "HS512", "secret": JWT_SECRET * 2},
    ],
)
def test_a_token_that_lacks_or_contradicts_something_is_refused_and_makes_nobody(
    app: Application, changes: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticated):
        caller(app, token(**changes))
    with app.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0


@pytest.mark.parametrize("role", [["admin"], {"admin": True}])
def test_a_role_that_is_no_word_is_refused(app: Application, role: object) -> None:
    with pytest.raises(NotAuthenticated):
        caller(app, token(role=role))


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, default=datetime.timestamp).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_that_says_it_needs_no_signature_is_refused(app: Application, algorithm: str) -> None:
    for signature in ("", "AAAA"):
        with pytest.raises(NotAuthenticated):
            caller(app, f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}.{signature}")


def test_a_token_signed_for_the_old_words_is_no_good_for_new_ones(app: Application) -> None:
    header, _, signature = token().split(".")
    with pytest.raises(NotAuthenticated):
        caller(app, f"{header}.{part(claims(role='admin'))}.{signature}")


class PublicKeys(SigningKeys):
    """An identity provider's published key, without the wire."""

    def __init__(self, public: rsa.RSAPublicKey) -> None:
        super().__init__("http://127.0.0.1:9")
        self._key = jwt.PyJWK.from_json(jwt.algorithms.RSAAlgorithm.to_jwk(public), algorithm="RS256")

    def key_for(self, token: str) -> Any:
        del token
        return self._key.key


def test_an_identity_provider_that_is_away_is_asked_once_and_refuses_nobody(
    app: Application, identity: rsa.RSAPrivateKey
) -> None:
    signed = jwt.encode(claims(), identity, algorithm="RS256", headers={"kid": "1"})
    away = SigningKeys("http://127.0.0.1:9/keys")
    for _ in range(2):
        with pytest.raises(IdentityUnavailable):
            caller(app, signed, keys=away)


@pytest.fixture(scope="module")
def identity() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_a_token_of_the_identity_provider_is_believed(app: Application, identity: rsa.RSAPrivateKey) -> None:
    signed = jwt.encode(claims(role="operator"), identity, algorithm="RS256")
    assert caller(app, signed, keys=PublicKeys(identity.public_key())).user.role is Role.OPERATOR


def test_a_public_key_cannot_be_passed_off_as_a_shared_secret(app: Application, identity: rsa.RSAPrivateKey) -> None:
    public = identity.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims(role='admin'))}"
    signature = base64.urlsafe_b64encode(hmac.digest(pem, unsigned.encode(), "sha256")).rstrip(b"=").decode()
    with pytest.raises(NotAuthenticated):
        caller(app, f"{unsigned}.{signature}", keys=PublicKeys(public))


def test_a_token_under_the_shared_secret_is_refused_where_public_keys_are_published(
    app: Application, identity: rsa.RSAPrivateKey
) -> None:
    with pytest.raises(NotAuthenticated):
        caller(app, token(), keys=PublicKeys(identity.public_key()))
