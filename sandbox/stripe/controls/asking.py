"""How the controls read a JSON body and say no."""

from flask import Response, jsonify, request

from sandbox.store import Json


def sent() -> Json:
    """Return the object that was posted; whatever else was posted counts as an empty one."""
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def refused(message: str, status: int) -> tuple[Response, int]:
    """Return the answer that says why nothing was done."""
    return jsonify({"error": message}), status
