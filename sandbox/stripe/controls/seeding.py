"""The switches under /_sandbox that put the account into a state no customer could bring about."""

from flask import Blueprint, Response, jsonify, request

from sandbox.store import Json
from sandbox.stripe.account.bulk import NotASeedError, read_seeds, seed_payments
from sandbox.stripe.controls.asking import refused, sent
from sandbox.stripe.simulator import Simulator

# What an object is found by; changing either would leave it where nobody looks.
FIXED = ("id", "object")


def add_seeding(blueprint: Blueprint, simulator: Simulator) -> None:
    """Add the routes that make payments by the thousand, and that change or remove any object."""

    @blueprint.post("/bulk")
    def bulk() -> tuple[Response, int]:
        try:
            seeds = read_seeds(sent(), now=simulator.now())
        except NotASeedError as reason:
            return refused(str(reason), 400)
        base_url = simulator.config.public_base_url or request.host_url.rstrip("/")
        return jsonify({"payments": seed_payments(simulator, seeds, base_url=base_url)}), 201

    @blueprint.get("/objects/<object_id>")
    def show_object(object_id: str) -> tuple[Response, int]:
        body = simulator.store.find(object_id)
        return refused(f"no object {object_id}", 404) if body is None else (jsonify(body), 200)

    @blueprint.post("/objects/<object_id>")
    def patch_object(object_id: str) -> tuple[Response, int]:
        with simulator.store.transaction():
            body = simulator.store.find(object_id)
            if body is None:
                return refused(f"no object {object_id}", 404)
            patch = sent()
            if any(patch.get(name, body[name]) != body[name] for name in FIXED):
                return refused(f"{' and '.join(FIXED)} cannot change", 400)
            changed = merge_patch(body, patch)
            if not isinstance(changed.get("created"), int):
                return refused("created is a moment in unix seconds", 400)
            simulator.store.put(changed)
        return jsonify(changed), 200

    @blueprint.delete("/objects/<object_id>")
    def remove_object(object_id: str) -> tuple[Response, int]:
        if simulator.store.find(object_id) is None:
            return refused(f"no object {object_id}", 404)
        simulator.store.remove(object_id)
        return jsonify({"removed": object_id}), 200


def merge_patch(body: Json, patch: Json) -> Json:
    """Return the object changed by a JSON merge patch (RFC 7396): null removes a member, a list replaces a list."""
    changed = {name: value for name, value in body.items() if name not in patch}
    for name, value in patch.items():
        if isinstance(value, dict):
            old = body.get(name)
            changed[name] = merge_patch(old if isinstance(old, dict) else {}, value)
        elif value is not None:
            changed[name] = value
    return changed
