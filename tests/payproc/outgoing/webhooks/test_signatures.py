"""Our signatures, held against the packages that receivers use: Python's and Node's."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

from payproc.outgoing.webhooks.sending import signing

NODE = Path(__file__).with_name("node")
# Text that is not ASCII, a number that no float holds, and what JSON escapes.
DATA = '{"amount":19.90,"amount_minor":9007199254740993,"description":"دو آم \\"میٹھے\\" \\u0000"}'


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What a receiver has of one delivery, and the secret that it knows."""

    secret: str
    headers: Mapping[str, str]
    body: str


def delivered(*secrets: str, now: datetime | None = None) -> Delivered:
    body = signing.body_of("payment.completed", at=datetime(2026, 1, 31, 12, tzinfo=UTC), data=DATA)
    headers = signing.headers_of("evt_1", body, signed_by=secrets, now=now or datetime.now(UTC))
    return Delivered(secret=secrets[0], headers=headers, body=body)


def taken_by_python(each: Delivered) -> bool:
    try:
        Webhook(each.secret).verify(each.body, dict(each.headers))
    except WebhookVerificationError:
        return False
    return True


def taken_by_node(some: Sequence[Delivered]) -> list[bool]:
    node = shutil.which("node")
    assert node is not None, "nodejs is missing"
    assert (NODE / "node_modules").is_dir(), "make installs what it verifies with"
    asked = json.dumps([{"secret": each.secret, "headers": each.headers, "body": each.body} for each in some])
    done = subprocess.run(
        [node, str(NODE / "verify.mjs")], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    found: list[bool] = json.loads(done.stdout)
    return found


def cases() -> list[tuple[str, Delivered, bool]]:
    ours, before, others = (signing.new_secret() for _ in range(3))
    good, rotating = delivered(ours), delivered(ours, before)
    return [
        ("as it is", good, True),
        ("by the new secret of a rotation", rotating, True),
        ("by the one before it", replace(rotating, secret=before), True),
        ("by somebody else's secret", replace(rotating, secret=others), False),
        ("one byte of its body changed", replace(good, body=good.body.replace("19.90", "19.91")), False),
        ("one space more", replace(good, body=good.body + " "), False),
        ("under another id", replace(good, headers={**good.headers, "webhook-id": "evt_2"}), False),
        ("ten minutes old", delivered(ours, now=datetime.now(UTC) - timedelta(minutes=10)), False),
    ]


def test_the_package_for_python_takes_what_is_ours_alone() -> None:
    # Made here and not when tests are gathered: what was signed is good for five minutes.
    assert {what: taken_by_python(each) for what, each, _ in cases()} == {what: taken for what, _, taken in cases()}


def test_the_package_for_node_takes_what_is_ours_alone() -> None:
    found = taken_by_node([each for _, each, _ in cases()])
    assert found == [taken for _, _, taken in cases()]


def test_what_was_frozen_stands_in_the_body_letter_by_letter() -> None:
    said = delivered(signing.new_secret())
    head = '{"type":"payment.completed","timestamp":"2026-01-31T12:00:00.000000Z","data":'
    assert said.body == f"{head}{DATA}}}"
    assert json.loads(said.body)["data"]["amount_minor"] == 9007199254740993


def test_a_secret_is_never_shown_by_what_holds_it() -> None:
    secret = signing.new_secret()
    assert secret.startswith("whsec_")
    assert len(secret) == len("whsec_") + 44
