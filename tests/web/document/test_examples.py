"""The example of every operation works as it stands, and is answered as the document shows.

After an answer has changed, or an operation is new: RECORD_EXAMPLES=1 pytest tests/web/document/test_examples.py
"""

import json
import os
from collections.abc import Iterator

import pytest
from flask import Flask

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.engine import Database
from payproc.providers import registry
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.support.wallet_world import wallet_settings
from tests.web.client import key_of
from tests.web.document.examples import UNSENT, caller_of, dispute, examples_of, open_shop, record, shape
from web.app import create_app
from web.docs.describing import examples

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SHOP = {
    "easy_paisa_dialect": "rest-v4",
    "jazz_cash_dialect": "mwallet-2.0",
    "public_base_url": "https://pay.example.com",
    "default_currency": "pkr",
}


def shop_settings(url: str) -> Settings:
    told = wallet_settings(settings_of_a_test(url), "http://127.0.0.1:9", "http://127.0.0.1:8")
    return settings_type()(**(told | SHOP))


def endpoints() -> Iterator[str]:
    """Every operation that there is: the document is drawn without a database."""
    settings = shop_settings(NOWHERE)
    core = Application(
        settings=settings,
        database=Database(settings.database_url),
        providers=registry.build(settings),
        mailer=None,  # type: ignore[arg-type]  # nothing is mailed by a document
    )
    for example in examples_of(create_app(core)):
        yield example.endpoint


@pytest.fixture
def settings(database_url: str) -> Settings:
    return shop_settings(database_url)


@pytest.mark.parametrize("endpoint", sorted(set(endpoints()) - set(UNSENT)))
def test_an_example_works_as_it_stands(app: Application, flask_app: Flask, endpoint: str) -> None:
    example = next(each for each in examples_of(flask_app) if each.endpoint == endpoint)
    people = open_shop(app, paid=endpoint != "payments.cancel")
    if endpoint == "disputes.list_disputes":
        dispute(app)
    role = caller_of(flask_app, endpoint)
    answer = example.send(flask_app, None if role is None else key_of(app, people[role]))
    assert 200 <= answer.status_code < 300, answer.text
    if answer.content_type != "application/json":
        return
    if os.environ.get("RECORD_EXAMPLES"):
        record(endpoint, answer)
        return
    [(status, shown)] = examples()[endpoint]["answers"].items()
    assert (str(answer.status_code), shape(json.loads(answer.text))) == (status, shape(shown))


def test_what_is_not_sent_exists_and_says_why() -> None:
    assert set(UNSENT) <= set(endpoints())
    assert all(UNSENT.values())
