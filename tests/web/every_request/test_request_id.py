"""Each request has a name: its sender's where that is plain, and it comes back with every answer and in every line."""

import json
import re
import time

import pytest
import stripe
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import LogCapture

from tests.support.configuration import WEBHOOK_SECRET
from tests.web.client import PREFIX, Client, brought, checkout_body, lines

OURS = re.compile(r"req_[0-9a-f]{20}")


@pytest.mark.parametrize("given", ["5f3a1c7e-9b2d-4f60-a8c1-0d2e4f6a8b0c", "order-17.try:2", "x" * 64])
def test_a_plain_name_comes_back_and_is_in_the_log(anonymous: FlaskClient, log: LogCapture, given: str) -> None:
    answer = anonymous.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given
    assert lines(log)[-1]["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "two words", "ünlaut", "a\tb", "pp_" + "k" * 43])
def test_what_is_no_plain_name_is_replaced_by_one_of_ours(
    anonymous: FlaskClient, log: LogCapture, given: str | None
) -> None:
    answer = anonymous.get("/healthz", headers={} if given is None else {"X-Request-Id": given})
    assert OURS.fullmatch(answer.headers["X-Request-Id"])
    assert lines(log)[-1]["request_id"] == answer.headers["X-Request-Id"]
    assert not given or given not in str(log.entries)


def test_a_problem_names_its_request(amina: Client) -> None:
    answer = amina.post("/checkout", checkout_body(currency=...), headers={"X-Request-Id": "mine"})
    assert (answer.status_code, (answer.json or {})["request_id"]) == (422, "mine")


def test_what_does_not_fit_its_schema_names_its_request_too(amina: Client) -> None:
    answer = amina.post("/checkout", {}, headers={"X-Request-Id": "mine"})
    assert (answer.json or {})["request_id"] == answer.headers["X-Request-Id"] == "mine"


def test_two_requests_have_two_names(anonymous: FlaskClient) -> None:
    first, second = (anonymous.get("/healthz").headers["X-Request-Id"] for _ in range(2))
    assert first != second


def test_a_notice_that_is_kept_before_flask_has_it_is_named_as_well(flask_app: Flask, log: LogCapture) -> None:
    body = json.dumps({"id": "evt_1", "object": "event", "type": "x", "livemode": False, "data": {"object": {}}})
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(time.time()))
    answer = (
        brought(flask_app)
        .test_client()
        .post(
            f"{PREFIX}/webhook/stripe", data=body, headers={"Stripe-Signature": header, "X-Request-Id": "of-a-provider"}
        )
    )
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, "of-a-provider")
    assert lines(log)[-1]["request_id"] == "of-a-provider"
