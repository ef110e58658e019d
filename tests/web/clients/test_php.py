"""The client for PHP believes what payproc has signed and nothing else, and says what was refused."""

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payproc.outgoing.webhooks.sending import signing
from tests.support.databases import ROOT

CLIENT = ROOT / "clients" / "php" / "Payproc.php"
VERIFY = f"""
require '{CLIENT}';
[$payload, $headers, $secret] = json_decode(stream_get_contents(STDIN), true);
try {{
    echo json_encode(Payproc::verifyWebhook($payload, $headers, $secret));
}} catch (PayprocWebhookRefused $refused) {{
    echo json_encode(['refused' => $refused->getMessage()]);
}}
"""
DATA = '{"amount":19.90,"amount_minor":1990,"description":"دو آم"}'


def php(script: str, asked: Any = None) -> Any:
    program = shutil.which("php")
    assert program is not None, "php-cli is missing"
    said = subprocess.run(
        [program, "-d", "display_errors=stderr", "-r", script],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert said.stderr == ""
    return json.loads(said.stdout)


def signed(*secrets: str, now: datetime | None = None) -> tuple[str, dict[str, str]]:
    body = signing.body_of("order.paid", at=datetime(2026, 1, 31, tzinfo=UTC), data=DATA)
    return body, dict(signing.headers_of("evt_1", body, signed_by=secrets, now=now or datetime.now(UTC)))


def test_what_is_ours_is_taken_by_either_secret_of_a_rotation() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    body, headers = signed(new, old)
    for secret in (new, old):
        event = php(VERIFY, [body, {name.title(): value for name, value in headers.items()}, secret])
        assert (event["type"], event["data"]["amount_minor"]) == ("order.paid", 1990)


@pytest.mark.parametrize("broken", ["a byte", "an id", "old", "another secret", "no signature", "no secret"])
def test_what_is_not_ours_or_too_old_is_refused(broken: str) -> None:
    secret = signing.new_secret()
    body, headers = signed(secret)
    match broken:
        case "a byte":
            body = body.replace("19.90", "19.91")
        case "an id":
            headers["webhook-id"] = "evt_2"
        case "old":
            body, headers = signed(secret, now=datetime.now(UTC) - timedelta(minutes=10))
        case "another secret":
            secret = signing.new_secret()
        case "no signature":
            del headers["webhook-signature"]
        case _:
            secret = "whsec_"
    assert "refused" in php(VERIFY, [body, headers, secret])


def test_a_payproc_that_does_not_answer_is_told_in_words() -> None:
    said = php(f"""
        require '{CLIENT}';
        try {{
            (new Payproc('http://127.0.0.1:9', 'pp_key'))->closeOrder('A-1');
        }} catch (PayprocError $error) {{
            echo json_encode([$error->errorCode, $error->status, $error->getMessage()]);
        }}
    """)
    assert said[:2] == ["no_answer", 0]
    assert "did not answer" in said[2]
