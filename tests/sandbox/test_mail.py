import smtplib
import time
from email.message import EmailMessage

import pytest
import requests

from sandbox.gateway import RunningGateway
from tests.sandbox.wire import Controls


def letter(to: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "shop@shop.test", to, "Paid: ₨ 1,250"
    made["Message-ID"] = "<1@shop.test>"
    made.set_content("Thank you.\n")
    made.add_alternative("<p>Thank <script>you</script>.</p>", subtype="html")
    return made


def send(gateway: RunningGateway, to: str = "asha@shop.test") -> None:
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=5) as server:
        server.send_message(letter(to))


def test_a_letter_is_caught_and_found_by_its_receiver(gateway: RunningGateway, controls: Controls) -> None:
    send(gateway)
    send(gateway, "bilal@shop.test")
    found = controls.get("mail?to=asha@shop.test")
    assert len(found) == 1
    assert (found[0]["subject"], found[0]["to"]) == ("Paid: ₨ 1,250", ["asha@shop.test"])
    assert (found[0]["message_id"], found[0]["text"]) == ("<1@shop.test>", "Thank you.\n")
    assert "<p>Thank" in found[0]["html"]


def test_a_letter_is_read_in_a_frame_that_runs_nothing(gateway: RunningGateway, controls: Controls) -> None:
    send(gateway)
    number = controls.get("mail")[0]["id"]
    assert f'href="/mail/{number}"' in requests.get(f"{gateway.base_url}/mail", timeout=5).text
    page = requests.get(f"{gateway.base_url}/mail/{number}", timeout=5).text
    assert '<iframe sandbox=""' in page
    assert "<script>" not in page


def test_letters_can_be_thrown_away(gateway: RunningGateway, controls: Controls) -> None:
    send(gateway)
    requests.delete(f"{gateway.base_url}/_sandbox/mail", timeout=5)
    assert controls.get("mail") == []


def test_a_refused_letter_is_not_kept(gateway: RunningGateway, controls: Controls) -> None:
    controls.fault("smtp", "refuse")
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(gateway)
    assert caught.value.smtp_code == 451
    assert controls.get("mail") == []
    send(gateway)
    assert len(controls.get("mail")) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("login", smtplib.SMTPSenderRefused, 530),
        ("sender", smtplib.SMTPSenderRefused, 553),
        ("mailbox", smtplib.SMTPRecipientsRefused, 550),
        ("quota", smtplib.SMTPDataError, 550),
    ],
)
def test_a_mail_server_says_no_at_the_command_that_it_is_about(
    gateway: RunningGateway, controls: Controls, fault: str, kind: type[smtplib.SMTPException], code: int
) -> None:
    controls.fault("smtp", fault)
    with pytest.raises(kind) as refused:
        send(gateway)
    assert str(code) in str(refused.value)
    assert controls.get("mail") == []
    send(gateway)
    assert len(controls.get("mail")) == 1


def test_a_mail_server_that_is_down_hangs_up(gateway: RunningGateway, controls: Controls) -> None:
    controls.fault("smtp", "down")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(gateway)
    send(gateway)
    assert len(controls.get("mail")) == 1


def test_a_slow_mail_server_answers_late_and_keeps_the_letter(gateway: RunningGateway, controls: Controls) -> None:
    controls.fault("smtp", "slow", seconds=0.5)
    began = time.monotonic()
    send(gateway)
    assert time.monotonic() - began >= 0.5
    assert len(controls.get("mail")) == 1


def test_every_third_letter_is_refused(gateway: RunningGateway, controls: Controls) -> None:
    controls.fault("smtp", "refuse", times=2, every=3)
    refused = []
    for number in range(1, 10):
        try:
            send(gateway)
        except smtplib.SMTPDataError:
            refused.append(number)
    assert refused == [3, 6]
    assert controls.get("faults") == []
