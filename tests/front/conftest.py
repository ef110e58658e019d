"""The front in a thread of the test's own process, over an application of a few lines, with patience of a moment."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from payproc.application import Application
from tests.support.faults.crowd import IMPATIENT, Door
from web.app import create_app
from web.front.limits import Limits


@pytest.fixture
def flask_app(app: Application) -> Flask:
    return create_app(app)


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(IMPATIENT) as made:
        yield made


@pytest.fixture
def narrow_door() -> Iterator[Any]:
    """Make a door with other bounds."""
    with ExitStack() as doors:
        yield lambda **bounds: doors.enter_context(Door(replace(Limits(), **bounds)))
