from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.bootstrap import load_settings
from payproc.errors import InvalidRequest
from payproc.flows.redirects import check_redirect
from payproc.settings import Settings

DEVELOPMENT = load_settings(
    database_url="postgresql://db/payproc",
    secret_key="k9Jv2mQ8xR4tW7zB1nC5",
    stripe_secret_key="sk_test_51Kb9vQ2mT8x",
    stripe_webhook_secret="whsec_9fJ3kL7mN2pQ5rS8tV",
    redirect_hosts="Shop.pk, 127.0.0.1",
)
PRODUCTION = load_settings(
    environment="production",
    database_url="postgresql://db/payproc",
    secret_key="k9Jv2mQ8xR4tW7zB1nC5",
    stripe_secret_key="sk_live_51Kb9vQ2mT8xW4yZ6",
    stripe_webhook_secret="whsec_9fJ3kL7mN2pQ5rS8tV",
    redirect_hosts="Shop.pk",
)


def allowed(url: str, settings: Settings = DEVELOPMENT) -> bool:
    try:
        check_redirect(url, field="success_url", settings=settings)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.pk",
        "https://SHOP.PK/thanks?session={CHECKOUT_SESSION_ID}#top",
        "https://shop.pk:8443/thanks",
        "https://shop.pk/a/../b",
    ],
)
@pytest.mark.parametrize("settings", [DEVELOPMENT, PRODUCTION])
def test_a_named_host_is_allowed_over_https(url: str, settings: Settings) -> None:
    assert allowed(url, settings)


@pytest.mark.parametrize("url", ["http://localhost:3000/thanks", "http://127.0.0.1/", "http://[::1]:8000/"])
def test_plain_http_is_for_developments_loopback(url: str) -> None:
    assert allowed(url, DEVELOPMENT)
    assert not allowed(url, PRODUCTION)


@pytest.mark.parametrize("url", ["https://example.com/ok", "https://example.org", "https://example.net"])
def test_example_hosts_are_for_development(url: str) -> None:
    assert allowed(url, DEVELOPMENT)
    assert not allowed(url, PRODUCTION)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.com",
        "https://shop.pk.evil.com",
        "https://evilshop.pk",
        "https://evil.com/shop.pk",
        "https://evil.com?shop.pk",
        "https://evil.com#shop.pk",
        "https://shop.pk@evil.com",
        "https://shop.pk:pass@evil.com",
        "https://user@shop.pk",
        "https://@shop.pk",
        "https://evil.com\\@shop.pk",
        "https://shop.pk\\.evil.com",
        "https:\\\\evil.com",
        "//evil.com",
        "/\\evil.com",
        "///evil.com",
        "https:evil.com",
        "https:///evil.com",
        "https://",
        "",
        "shop.pk",
        "/thanks",
        "javascript:alert(1)//shop.pk",
        "javascript://shop.pk/%0aalert(1)",
        "JavaScript:alert(1)",
        "data:text/html,hi",
        "ftp://shop.pk",
        "http://shop.pk",
        "http://example.com",
        "ht\ttps://shop.pk",
        "https://shop.pk\t.evil.com",
        "https://shop.pk/\r\nSet-Cookie: a=b",
        " https://shop.pk",
        "https://shop.pk ",
        "https://shop.pk/\x00",
        "https://shop.pk/\x7f",
        "https://shop\u3002pk",
        "https://\u0455hop.pk",
        "https://shop.pk/\u00fc",
        "https://\u24e2hop.pk",
        "https://shop.pk.",
        "https://shop.pk:99999",
        "https://shop.pk:x",
        "https://[shop.pk",
        "https://[::ffff:127.0.0.1]/",
        "https://127.1/",
        "https://2130706433/",
        "https://shop.pk/" + "a" * 2000,
    ],
)
@pytest.mark.parametrize("settings", [DEVELOPMENT, PRODUCTION])
def test_everything_else_is_refused(url: str, settings: Settings) -> None:
    assert not allowed(url, settings)


def test_the_refusal_names_the_field_to_change() -> None:
    with pytest.raises(InvalidRequest, match=r"cancel_url points to evil\.com") as refused:
        check_redirect("https://evil.com", field="cancel_url", settings=PRODUCTION)
    assert (refused.value.code, refused.value.field) == ("redirect_refused", "cancel_url")


@given(st.text())
def test_any_text_is_refused_unless_it_plainly_leads_to_a_named_host(url: str) -> None:
    if allowed(url, PRODUCTION):
        assert urlsplit(url).hostname == "shop.pk"


@given(st.from_regex(r"https?:[/\\]{0,3}[a-z@:\\/.?#\[\]]{0,12}shop\.pk[a-z@:\\/.?#\[\]]{0,12}", fullmatch=True))
def test_what_looks_like_a_named_host_leads_nowhere_else(url: str) -> None:
    if allowed(url, PRODUCTION):
        assert url.lower().startswith("https://shop.pk")
        assert url[len("https://shop.pk") :][:1] in ("", "/", "?", "#", ":")
