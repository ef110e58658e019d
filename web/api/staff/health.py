"""Whether this process lives, and whether it can serve."""

from flask import Flask, Response, current_app
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from payproc.application import Application
from payproc.operations.circuit_status import states
from payproc.operations.health import OneAnswer, backlog, prove_writable
from web.json import json_answer, text_of
from web.schemas.problem import Problem
from web.schemas.staff.health import AliveAnswer, ReadyAnswer

blueprint = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="For probes.")])


@blueprint.get("/healthz", responses={"200": AliveAnswer})
def healthz() -> Response:
    """Answer 200 while the process lives. It asks nobody else: restarting us would not mend the database."""
    return json_answer(text_of(AliveAnswer()))


@blueprint.get("/readyz", responses={"200": ReadyAnswer, "503": Problem})
def readyz() -> Response:
    """Answer 200 when requests can be served: the database takes a row. Backlog and sick gateways are only shown.

    The broker is not asked: without it we still accept payments and notices.
    """
    ready: OneAnswer[str] = current_app.extensions["readiness"]
    return json_answer(ready.get())


def register(web: Flask, core: Application) -> None:
    """Have this process find out once a second at most whether it is ready, whoever asks."""
    web.extensions["readiness"] = OneAnswer(lambda: _readiness(core))


def _readiness(core: Application) -> str:
    with core.database.transaction() as session:
        prove_writable(session)
        waiting, circuits = backlog(session), states(session)
    return text_of(ReadyAnswer(backlog=waiting, circuits=circuits))
