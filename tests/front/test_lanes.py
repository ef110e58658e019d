"""Which threads carry out a request: the application's own routes, each in its lane."""

import queue
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask

from web.front.lanes import Crew, Lane, Servable, lane_of


def _paths(flask_app: Flask, *, ending: str) -> list[str]:
    rules = [rule for rule in flask_app.url_map.iter_rules() if rule.endpoint.endswith(ending)]
    assert rules
    return [rule.rule.replace("<path:filename>", "any.css") for rule in rules]


def test_whatever_a_provider_tells_us_travels_alone(flask_app: Flask) -> None:
    paths = _paths(flask_app, ending="_notify") + _paths(flask_app, ending="stripe_webhook")
    assert {lane_of(path) for path in paths} == {Lane.NOTICES}
    assert {lane_of(f"{path}/") for path in paths} == {Lane.NOTICES}


def test_files_wait_for_no_database_and_no_request(flask_app: Flask) -> None:
    paths = [
        path for ending in (".static", "docs_script", "openapi_document") for path in _paths(flask_app, ending=ending)
    ]
    assert {lane_of(path) for path in paths} == {Lane.FILES}


@pytest.mark.parametrize("prefer", ["wait=30", "respond-async, Wait=5"])
def test_who_would_wait_holds_up_nobody_who_would_not(prefer: str) -> None:
    assert lane_of("/api/v1/payments/checkout", prefer=prefer) is Lane.WAITS
    assert lane_of("/api/v1/payments/webhook/stripe", prefer=prefer) is Lane.NOTICES


@pytest.mark.parametrize(
    "path",
    ["/api/v1/payments/checkout", "/api/v1/payments/a/notify/b", "/readyz", "/", "/api/v1/payments/jazz-cash/return"],
)
def test_all_else_travels_together(path: str) -> None:
    assert lane_of(path) is Lane.REQUESTS


class Waiter:
    """A request that comes whole while the lane's thread is busy, or is what it is busy with."""

    def __init__(self, served: "queue.SimpleQueue[Waiter]") -> None:
        self._served, self.may_end = served, threading.Event()

    def request_environ(self) -> dict[str, Any]:
        return {}

    def service(self) -> None:
        self._served.put(self)
        assert self.may_end.wait(30)


@pytest.mark.parametrize("defect", [None, RuntimeError("a defect")])
def test_what_waits_is_prepared_together_and_each_carried_out_all_the_same(
    defect: Exception | None,
) -> None:
    served: queue.SimpleQueue[Waiter] = queue.SimpleQueue()
    prepared: list[list[Servable]] = []

    def prepare(waiting: Sequence[Servable]) -> None:
        prepared.append(list(waiting))
        if defect is not None:
            raise defect

    crew = Crew(Lane.NOTICES, threads=1, most=3, prepare=prepare)
    first, *others = [Waiter(served) for _ in range(6)]
    crew.add_task(first)
    assert served.get(timeout=30) is first
    for each in others:
        crew.add_task(each)
        each.may_end.set()
    first.may_end.set()
    assert [served.get(timeout=30) for _ in others] == others
    assert prepared == [[first], others[:3], others[3:]]
