from collections.abc import Iterator

import pytest

from tests.support.contract.case import Case
from tests.support.contract.harness import Harness
from tests.support.contract.listener import usual_words
from tests.support.contract.played import Played, all_played
from tests.support.contract.scripted import ScriptedGateway, scripted_gateway


@pytest.fixture(scope="session")
def everybody() -> Iterator[Played]:
    with all_played() as played:
        yield played


@pytest.fixture(scope="session")
def hostile() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture
def harness(case: Case, everybody: Played, hostile: ScriptedGateway) -> Iterator[Harness]:
    yield Harness(case, played=everybody, script=hostile)
    hostile.forget()
    everybody.mend()
    everybody.listener.answer = usual_words
