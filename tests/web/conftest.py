from collections.abc import Iterator

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import LogCapture

from payproc.application import Application
from payproc.database.models import User
from tests.web.client import Client, key_of
from tests.web.document.listed import noting
from web.app import create_app


@pytest.fixture
def flask_app(app: Application) -> Iterator[Flask]:
    """The application; every problem that a test meets must stand in the document, at the route that answered it."""
    made = create_app(app)
    unlisted: set[tuple[str, int, str]] = set()
    made.after_request(noting(made, unlisted))
    yield made
    assert unlisted == set()


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


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture, configured = LogCapture(), structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    yield capture
    structlog.configure(**configured)
