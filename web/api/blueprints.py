"""What the routes of one subject have in common."""

from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from flask_openapi.types import ResponseDict

from web.auth import require_caller
from web.schemas.problem import Problem


def problems(*statuses: int) -> ResponseDict:
    """Return the answers that say what is wrong, as the OpenAPI document lists them."""
    return {str(status): Problem for status in statuses}


def authenticated(subject: str, description: str, *, prefix: str, refusals: ResponseDict) -> APIBlueprint:
    """Make a blueprint whose callers say who they are; any of its routes may answer with these refusals.

    And with those of `require_caller`: nobody (401), or somebody who may not (403).
    """
    blueprint = APIBlueprint(
        subject,
        __name__,
        url_prefix=prefix,
        abp_tags=[Tag(name=subject, description=description)],
        abp_security=[{"bearer": []}],
        abp_responses={**problems(401, 403), **refusals},
    )
    blueprint.before_request(require_caller)
    return blueprint
