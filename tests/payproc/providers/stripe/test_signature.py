import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.notices import RawNotice
from payproc.providers.stripe.signature import verified_event
from payproc.providers.stripe.wire.events import parsed_event

SECRET, OLD_SECRET = "whsec_new_9fJ3kL7mN2pQ", "whsec_old_5rS8tV1wX4yZ"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEN = int(NOW.timestamp())
EVENT = {"id": "evt_1", "object": "event", "type": "checkout.session.completed", "data": {"object": {"id": "cs_1"}}}
BODY = json.dumps(EVENT)


def signed(body: str = BODY, *, secret: str = SECRET, at: int = THEN) -> str:
    header: str = WebhookSignature.generate_signature_header(body, secret, at)
    return header


def verify(header: str | None, *, body: str | bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> Any:
    raw = body if isinstance(body, bytes) else body.encode()
    headers = {} if header is None else {"stripe-signature": header}
    return verified_event(RawNotice(body=raw, headers=headers, received_at=NOW), secrets)


def v1(header: str) -> str:
    return header.partition(",")[2]


def test_a_signed_event_is_believed() -> None:
    assert verify(signed()) == EVENT


@pytest.mark.parametrize("age", [-300, -299, 0, 299, 300])
def test_five_minutes_either_way_are_tolerated(age: int) -> None:
    assert verify(signed(at=THEN - age)) == EVENT


@pytest.mark.parametrize("age", [301, 3600, -301, -3600, THEN, -(10**12), -(10**400)])
def test_an_old_or_future_signature_is_refused(age: int) -> None:
    with pytest.raises(BadSignature):
        verify(signed(at=THEN - age))


def test_an_old_delivery_is_judged_by_the_time_it_came_and_not_by_ours() -> None:
    raw = RawNotice(body=BODY.encode(), headers={"stripe-signature": signed()}, received_at=NOW + timedelta(hours=1))
    with pytest.raises(BadSignature):
        verified_event(raw, (SECRET,))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=,v1=",
        "nonsense",
        "t=1",
        f"t={THEN}",
        f"t={THEN},v1=",
        f"t={THEN},v1={'0' * 64}",
        f"t={THEN},v1=\xe9",
        f"t={THEN},v1=\u0661",
        "t=\uff11,v1=0",
        "t=NaN,v1=0",
        f"t={'9' * 5000},v1=0",
        "v1=" + "0" * 64,
        "=" * 100,
        "," * 100,
    ],
)
def test_a_header_that_is_no_signature_is_refused(header: str | None) -> None:
    with pytest.raises(BadSignature):
        verify(header)


def test_another_secret_another_body_or_another_scheme_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(signed(secret=OLD_SECRET))
    with pytest.raises(BadSignature):
        verify(signed(), body=BODY + " ")
    with pytest.raises(BadSignature):
        verify(signed().replace("v1=", "v0="))
    with pytest.raises(BadSignature):
        verify(signed().upper())


def test_any_of_several_signatures_is_enough() -> None:
    good = v1(signed())
    assert verify(f"t={THEN},v1={'0' * 64},{good},v0=decoy") == EVENT
    assert verify(f"{good},t={THEN}") == EVENT


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_both_secrets_are_good_during_a_rotation(secret: str) -> None:
    assert verify(signed(secret=secret), secrets=(SECRET, OLD_SECRET)) == EVENT


def test_both_signatures_of_a_rotation_may_come_in_one_header() -> None:
    both = f"{signed(secret=OLD_SECRET)},{v1(signed())}"
    assert verify(both) == EVENT
    assert verify(both, secrets=(OLD_SECRET,)) == EVENT


@pytest.mark.parametrize("secrets", [(), ("",), (" \t",)])
def test_an_empty_secret_signs_nothing(secrets: tuple[str, ...]) -> None:
    with pytest.raises(BadSignature):
        verify(signed(secret=secrets[0] if secrets else ""), secrets=secrets)


@pytest.mark.parametrize(
    "trick",
    [
        lambda then, old: f" t={then},{old}",
        lambda then, old: f"{old}, t={then}",
        lambda then, old: f"t ={then},{old}",
        lambda then, old: f"T={then},{old}",
        lambda then, old: f"t={then},{old}",
        lambda then, old: f"{old},t={then}",
        lambda then, old: f"v1=t={then},{old}",
        lambda then, old: f"t={then}=,{old}",
    ],
)
def test_an_old_delivery_cannot_be_replayed_by_adding_a_fresh_time(trick: Callable[[int, str], str]) -> None:
    with pytest.raises(BadSignature):
        verify(trick(THEN, signed(at=THEN - 3600)))


@given(st.text(), st.text())
def test_no_header_without_the_secret_is_believed(before: str, after: str) -> None:
    for header in (before, f"{before},{after}", f"t={THEN},v1={before}", f"{before}t={THEN},v1={'0' * 64}{after}"):
        with pytest.raises(BadSignature):
            verify(header)


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "null", "true", "1", '"event"', "", "{", "{}", "NaN", "[" * 100_000, '{"a":' * 100_000, "1" * 5000),
        json.dumps({**EVENT, "object": "charge"}),
        json.dumps({**EVENT, "object": ["event"]}),
        json.dumps({**EVENT, "id": ""}),
        json.dumps({**EVENT, "id": 7}),
        json.dumps({**EVENT, "id": "evt_\x00"}),
        json.dumps({**EVENT, "id": "evt_\ud800"}),
        json.dumps({**EVENT, "type": None}),
        json.dumps({**EVENT, "type": {}}),
        json.dumps({**EVENT, "data": []}),
        json.dumps({**EVENT, "data": {"object": "cs_1"}}),
        json.dumps({**EVENT, "data": {"object": None}}),
    ],
)
def test_what_is_signed_and_yet_no_event_is_malformed(body: str) -> None:
    with pytest.raises(NoticeMalformed):
        verify(signed(body), body=body)


def test_a_thin_event_is_named_as_what_it_is() -> None:
    thin = json.dumps({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"})
    with pytest.raises(NoticeMalformed) as malformed:
        verify(signed(thin), body=thin)
    assert malformed.value.code == "notice_thin"


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x80{}", b"{\xed\xa0\x80}"])
def test_bytes_that_are_no_text_are_malformed(body: bytes) -> None:
    with pytest.raises(NoticeMalformed):
        verify(signed(), body=body)


@given(st.binary())
def test_stored_bytes_are_an_event_or_malformed(body: bytes) -> None:
    with pytest.raises(NoticeMalformed):
        parsed_event(body)
