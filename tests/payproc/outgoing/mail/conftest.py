import pytest

from payproc.application import Application
from payproc.database.models import User
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.support.mailbox import OPERATORS, Mailbox


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(database_url, operator_mail=OPERATORS, public_base_url="https://pay.shop.pk")


@pytest.fixture
def mailbox(app: Application, customer: User) -> Mailbox:
    return Mailbox(app=app, customer=customer)
