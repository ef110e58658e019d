"""Whether this process lives, and whether it can serve."""

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from sqlalchemy.exc import SQLAlchemyError

from payproc.health import backlog
from web.auth import application

blueprint = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="For probes.")])


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 while the process lives. It asks nobody else: restarting us would not mend the database."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Answer 200 when requests can be served: the database answers. The backlog is shown, and fails nothing.

    The broker is not asked: without it we still accept payments and notices.
    """
    try:
        with application().database.transaction() as session:
            waiting = backlog(session)
    except SQLAlchemyError as error:
        return jsonify(status="unavailable", database=type(error).__name__), 503
    return jsonify(status="ready", database="ok", backlog=waiting), 200
