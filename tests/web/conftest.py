from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from payproc.application import Application
from payproc.database.models import User
from tests.web.client import Client, key_of
from web.app import create_app


@pytest.fixture
def flask_app(app: Application) -> Flask:
    return create_app(app)


@pytest.fixture
def anonymous(flask_app: Flask) -> Iterator[FlaskClient]:
    with flask_app.test_client() as client:
        yield client


@pytest.fixture
def amina(flask_app: Flask, app: Application, customer: User) -> Client:
    return Client(flask_app, key_of(app, customer))


@pytest.fixture
def omar(flask_app: Flask, app: Application, operator: User) -> Client:
    return Client(flask_app, key_of(app, operator))
