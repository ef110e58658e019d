from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.bootstrap import load_settings
from payproc.errors import SettingsInvalid
from payproc.providers import registry
from payproc.providers.easy_paisa.settings import EasyPaisaSettings
from payproc.providers.jazz_cash.settings import JazzCashSettings
from payproc.providers.stripe.settings import StripeSettings
from payproc.settings import Settings, database_url
from payproc.settings.types import duration

DEVELOPMENT: dict[str, Any] = {
    "database_url": "postgresql://shop:hunter2hunter2@db/payproc",
    "secret_key": "k9Jv2mQ8xR4tW7zB1nC5",
    "stripe_secret_key": "sk_test_51Kb9vQ2mT8x",
    "stripe_webhook_secret": "whsec_9fJ3kL7mN2pQ5rS8tV",
}
PRODUCTION: dict[str, Any] = DEVELOPMENT | {
    "environment": "production",
    "stripe_secret_key": "sk_live_51Kb9vQ2mT8xW4yZ6",
    "redirect_hosts": "shop.pk",
}


def problems(**values: Any) -> list[str]:
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(**values)
    return invalid.value.problems


def test_every_missing_variable_is_named_at_once() -> None:
    assert problems() == [
        "DATABASE_URL is not set",
        "SECRET_KEY is not set",
        "STRIPE_SECRET_KEY is not set",
        "STRIPE_WEBHOOK_SECRET is not set",
    ]


def test_an_empty_variable_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    assert "SECRET_KEY is not set" in problems()


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DEVELOPMENT.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("REDIRECT_HOSTS", "shop.pk, www.shop.pk ,")
    monkeypatch.setenv("POLL_SCHEDULE_STRIPE", "20s,1m,1h")
    settings = load_settings()
    assert isinstance(settings, StripeSettings)
    assert settings.redirect_hosts == ("shop.pk", "www.shop.pk")
    assert settings.poll_schedule_stripe == (timedelta(seconds=20), timedelta(minutes=1), timedelta(hours=1))


def test_the_example_that_should_work_does() -> None:
    for values, live in ((DEVELOPMENT, False), (PRODUCTION, True)):
        settings = load_settings(**values)
        assert isinstance(settings, StripeSettings)
        assert settings.stripe_live_mode is live


@pytest.mark.parametrize("key", ["sk_live_51Kb9vQ2mT8xW4yZ6", "rk_live_51Kb9vQ2mT8xW4yZ6"])
@pytest.mark.parametrize("environment", ["development", "test"])
def test_a_live_key_is_refused_outside_production(key: str, environment: str) -> None:
    found = problems(**DEVELOPMENT | {"stripe_secret_key": key, "environment": environment})
    assert found == ["STRIPE_SECRET_KEY is a live key, but ENVIRONMENT is not production"]


def test_a_test_key_is_refused_in_production() -> None:
    found = problems(**PRODUCTION | {"stripe_secret_key": "sk_test_51Kb9vQ2mT8xW4yZ6"})
    assert "STRIPE_SECRET_KEY is a test key, but ENVIRONMENT is production" in found


@pytest.mark.parametrize("key", ["pk_test_51Kb9vQ2mT8x", "whsec_51Kb9vQ2mT8x", "51Kb9vQ2mT8x"])
def test_what_is_no_secret_key_is_refused(key: str) -> None:
    assert problems(**DEVELOPMENT | {"stripe_secret_key": key})[0].startswith("STRIPE_SECRET_KEY must be a secret")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", "change-me-change-me-change-me"),
        ("secret_key", "short"),
        ("secret_key", "xxxxxxxxxxxxxxxxxxxxxxxx"),
        ("stripe_secret_key", "sk_live_..."),
        ("stripe_webhook_secret", "whsec_example_0123456789abcdef"),
        ("stripe_webhook_secret", "whsec_9fJ3kL7mN2pQ5rS8tV,whsec_"),
        ("jwt_secret", "secret-secret-secret-secret-secret-s"),
    ],
)
def test_production_refuses_example_secrets(name: str, value: str) -> None:
    audience = {"jwt_issuer": "https://id.shop.pk", "jwt_audience": "payproc"}
    expected = f"{name.upper()} is too short or an example value: production needs a real secret"
    assert problems(**PRODUCTION | audience | {name: value}) == [expected]


def test_production_refuses_a_lease_in_which_no_call_would_leave() -> None:
    found = problems(**PRODUCTION | {"work_lease": "9s", "provider_connect_timeout": "4s"})
    assert found == ["WORK_LEASE must be at least twice PROVIDER_CONNECT_TIMEOUT and 3s: calls leave in half"]
    load_settings(**PRODUCTION | {"work_lease": "9s", "provider_connect_timeout": "3s"})


def test_production_refuses_to_guess_where_customers_may_be_sent() -> None:
    found = problems(**PRODUCTION | {"redirect_hosts": ""})
    assert found == ["REDIRECT_HOSTS is empty: name the hosts customers may be sent back to"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("jwt_secret", "b7Hq2Lw9Xz4Rt6Yv1Nc8b7Hq2Lw9Xz4Rt6Yv1Nc8"), ("jwt_jwks_url", "https://id.shop.pk/keys")],
)
def test_production_refuses_tokens_for_anybody(name: str, value: str) -> None:
    expected = f"JWT_ISSUER and JWT_AUDIENCE must be set where {name.upper()} is"
    assert problems(**PRODUCTION | {name: value}) == [expected]


@pytest.mark.parametrize("value", [" , ", ","])
def test_a_webhook_secret_without_a_secret_is_none(value: str) -> None:
    assert problems(**DEVELOPMENT | {"stripe_webhook_secret": value}) == ["STRIPE_WEBHOOK_SECRET is not set"]


def test_two_webhook_secrets_are_in_force_during_a_rotation() -> None:
    settings = load_settings(**DEVELOPMENT | {"stripe_webhook_secret": "whsec_new, whsec_old"})
    assert isinstance(settings, StripeSettings)
    assert settings.stripe_webhook_secrets == ("whsec_new", "whsec_old")


@pytest.mark.parametrize("url", ["postgresql://u:p@h/db", "postgresql+psycopg://u:p@h/db"])
def test_both_spellings_of_a_database_address_mean_psycopg(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert database_url() == "postgresql+psycopg://u:p@h/db"


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/db", "postgres://u:hunter2@h/db", "sqlite://"])
def test_another_database_is_refused_without_quoting_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsInvalid) as invalid:
        database_url()
    expected = "DATABASE_URL: must start with postgresql:// or postgresql+psycopg://"
    assert invalid.value.problems == [expected]
    assert problems(**DEVELOPMENT | {"database_url": url}) == [expected]


@pytest.mark.parametrize("url", ["shop.pk", "//shop.pk", "ftp://shop.pk", "https://"])
def test_a_web_address_must_be_absolute(url: str) -> None:
    found = problems(**DEVELOPMENT | {"public_base_url": url})
    assert found == ["PUBLIC_BASE_URL: must be an absolute http or https URL"]


@pytest.mark.parametrize("value", ["rs", "xyz", "rupees"])
def test_what_is_no_currency_is_refused(value: str) -> None:
    found = problems(**DEVELOPMENT | {"default_currency": value})
    assert found == [f"DEFAULT_CURRENCY: {value!r} is not a currency such as pkr or usd"]


@given(st.integers(min_value=0, max_value=10_000), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_is_a_number_and_a_unit(number: int, unit: str) -> None:
    one = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    assert duration(f"{number}{unit}") == timedelta(seconds=number * one[unit])


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "1.5h", "5 s", "5S", "1e3s", "\u0665s", "5s5s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize("schedule", ["20s,", "20s;1m", "0s", "1m,0s", "soon"])
def test_a_schedule_that_would_poll_without_pause_is_refused(schedule: str) -> None:
    [problem] = problems(**DEVELOPMENT | {"poll_schedule_stripe": schedule})
    assert problem.startswith("POLL_SCHEDULE_STRIPE: ")


def test_no_secret_is_shown_by_the_settings_themselves() -> None:
    secret = {
        "broker_url": "sentinel://:Br0kerPass@r:26379/0;sentinel://s:26379",
        "broker_sentinel_password": "S3ntinelPass",
        "smtp_url": "smtp://u:M4ilPass@m",
        "jwt_secret": "b7Hq2Lw9Xz4Rt6Yv1Nc8b7Hq2Lw9Xz4Rt6Yv1Nc8",
        "flower_basic_auth": "admin:Fl0werPassTh4tIsLong",
        "jwt_issuer": "i",
        "jwt_audience": "a",
    }
    values = PRODUCTION | secret
    shown = repr(load_settings(**values)) + str(load_settings(**values))
    hidden = [
        *(
            "hunter2",
            "Br0kerPass",
            "S3ntinelPass",
            "M4ilPass",
            "Fl0werPass",
            "b7Hq2Lw9",
            "k9Jv2mQ8",
            "51Kb9vQ2mT8x",
            "9fJ3kL7mN2",
        ),
    ]
    assert [word for word in hidden if word in shown] == []


def test_no_secret_is_shown_by_what_is_wrong_with_it() -> None:
    text = str(problems(**PRODUCTION | {"secret_key": "hunter2", "stripe_secret_key": "pk_hunter2"}))
    assert "hunter2" not in text


def test_settings_cannot_be_changed_after_the_start() -> None:
    settings = load_settings(**DEVELOPMENT)
    name = "environment"
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings, name, "production")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_level", "LOUD"),
        ("smtp_url", "nonsense"),
        ("smtp_url", "http://mail.shop.pk"),
        ("database_url", "postgresql://u@h/d?pooler=session"),
        ("database_url", "postgresql://u@h/d?pooler="),
        ("broker_url", "nonsense"),
        ("broker_url", "kafka://a"),
        ("broker_url", "sentinel://a:26379;"),
        ("broker_url", "sentinel://a:26379;redis://b"),
        ("mail_from", "nobody"),
        ("mail_from", "a@b@c"),
        ("mail_from", "=?utf-8?q?x=0D=0ABcc:_y?=@shop.pk"),
        ("mail_from", "Aam Ghar <pay@shop.pk>"),
        ("smtp_url", "smtp://mail.shop.pk:99999"),
        ("public_base_url", "https://pay.shop.pk:eighty"),
        ("merchant_name", "Aam Ghar\nBcc: y@example.com"),
        ("merchant_name", "A" * 65),
        ("merchant_contact", "help@shop.pk\x07"),
        ("merchant_time_zone", "Asia/Lahore"),
        ("merchant_time_zone", "Asia"),
        ("merchant_time_zone", "../etc/passwd"),
        ("operator_mail", "nobody"),
        ("operator_mail", "two@shop.pk, three@shop.pk"),
        ("ring_lease", "0s"),
        ("work_lease", "2h"),
        ("retry_base", "0s"),
        ("provider_read_timeout", "0s"),
        ("idempotency_key_life", "0s"),
        ("redirect_hosts", "https://shop.example.com/"),
        ("redirect_hosts", "shop.example.com/path"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(**(DEVELOPMENT | {name: value}))
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [name.upper()]


JAZZ_CASH = {
    "jazz_cash_merchant_id": "MC12345",
    "jazz_cash_password": "sz1v4agvyf",
    "jazz_cash_dialect": "guide",
}
EASY_PAISA = {"easy_paisa_store_id": "12345", "easy_paisa_dialect": "guide"}
HTTPS = {"public_base_url": "https://pay.shop.pk"}


def test_a_wallet_without_an_account_is_not_offered_and_asks_for_nothing() -> None:
    assert set(registry.build(load_settings(**PRODUCTION))) == {"stripe"}


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"jazz_cash_merchant_id": "MC12345"}, {"JAZZ_CASH_DIALECT"}),
        (JAZZ_CASH | {"jazz_cash_password": ""}, {"JAZZ_CASH_PASSWORD"}),
        ({"easy_paisa_store_id": "12345"}, {"EASY_PAISA_DIALECT"}),
        (JAZZ_CASH | {"jazz_cash_dialect": "hosted-2.0"}, {"JAZZ_CASH_INTEGRITY_SALT"}),
        (EASY_PAISA, {"EASY_PAISA_STORE_PASSWORD"}),
        (
            EASY_PAISA | {"easy_paisa_dialect": "rest-v4", "easy_paisa_username": "shop"},
            {"EASY_PAISA_PASSWORD", "EASY_PAISA_ACCOUNT_NUMBER"},
        ),
        (
            EASY_PAISA | {"easy_paisa_dialect": "hosted"},
            {"EASY_PAISA_USERNAME", "EASY_PAISA_PASSWORD", "EASY_PAISA_ACCOUNT_NUMBER", "EASY_PAISA_HASH_KEY"},
        ),
    ],
)
def test_what_a_dialect_needs_is_named_by_variable(values: dict[str, Any], missing: set[str]) -> None:
    assert {problem.partition(" ")[0] for problem in problems(**DEVELOPMENT, **values)} == missing


@pytest.mark.parametrize("deployment", [DEVELOPMENT, PRODUCTION | HTTPS])
def test_which_dialect_an_account_speaks_is_never_guessed(deployment: dict[str, Any]) -> None:
    found = problems(**deployment, jazz_cash_merchant_id="MC12345", easy_paisa_store_id="12345")
    assert [problem.partition(" ")[0] for problem in found] == ["JAZZ_CASH_DIALECT", "EASY_PAISA_DIALECT"]
    assert "is not set: say which of rest-v4, rest-v5-rsa, hosted you were given" in found[1]


def test_production_speaks_the_guides_dialect_only_where_somebody_meant_it() -> None:
    [problem] = problems(**PRODUCTION, **JAZZ_CASH, **HTTPS)
    assert problem.startswith("JAZZ_CASH_DIALECT is guide")
    meant = load_settings(**PRODUCTION, **JAZZ_CASH, **HTTPS, allow_guide_dialect=True)
    assert isinstance(meant, JazzCashSettings)
    assert meant.offers_jazz_cash


def test_a_wallet_in_production_is_reached_and_comes_back_over_https_alone() -> None:
    told = JAZZ_CASH | {"jazz_cash_dialect": "hosted-1.1", "jazz_cash_integrity_salt": "3vv9wu3a18"}
    plain = {"jazz_cash_inquiry_url": "http://gateway.test/ask"}
    assert set(problems(**PRODUCTION, **told, **plain)) == {
        "PUBLIC_BASE_URL must be https",
        "JAZZ_CASH_INQUIRY_URL must be https",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jazz_cash_dialect", ("guide", "hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0")),
        ("jazz_cash_endpoints", ("classic", "pgw", "orchestrator")),
        ("easy_paisa_dialect", ("guide", "rest-v4", "rest-v5-rsa", "hosted")),
        ("easy_paisa_payment_type", ("MA", "OTC")),
    ],
)
def test_a_word_of_a_closed_list_is_one_of_those_that_are_spoken(name: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert getattr(load_settings(**DEVELOPMENT, **{name: word}), name) == word
    [problem] = problems(**DEVELOPMENT, **{name: "another"})
    assert problem == f"{name.upper()}: Input should be {', '.join(map(repr, words[:-1]))} or {words[-1]!r}"


def test_each_providers_names_are_its_own() -> None:
    for each in registry.PROVIDERS.values():
        own = {name for name in vars(each.settings) if not name.startswith("_")} | each.settings.model_fields.keys()
        added = own - set(dir(Settings)) - Settings.model_fields.keys() - {"model_fields", "model_computed_fields"}
        assert added
        assert {name for name in added if each.method not in name} == set()


def test_all_that_is_wrong_is_told_at_once_whoever_it_belongs_to() -> None:
    wrong = {"redirect_hosts": "", "stripe_api_base": "http://stripe.test"} | EASY_PAISA
    assert [problem.partition(" ")[0] for problem in problems(**PRODUCTION | wrong | HTTPS)] == [
        "REDIRECT_HOSTS",
        "STRIPE_API_BASE",
        "EASY_PAISA_STORE_PASSWORD",
        "EASY_PAISA_DIALECT",
    ]


def test_a_key_is_given_as_text_or_as_the_path_of_its_file(tmp_path: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n"
    file = tmp_path / "key.pem"
    file.write_text(pem)
    for written in (pem, str(file)):
        settings = load_settings(**DEVELOPMENT, easy_paisa_private_key=written)
        assert isinstance(settings, EasyPaisaSettings)
        assert settings.easy_paisa_private_key.get_secret_value() == pem
    [problem] = problems(**DEVELOPMENT, easy_paisa_private_key="/nowhere/key.pem")
    assert problem == "EASY_PAISA_PRIVATE_KEY: must be PEM text, or the path of a file that holds it"


def test_a_push_may_not_outlive_the_time_limit_of_its_task() -> None:
    [problem] = problems(**DEVELOPMENT, push_timeout="106s")
    assert problem == "PUSH_TIMEOUT: must be 105s at most"
