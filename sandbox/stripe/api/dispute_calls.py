"""The calls about disputes."""

from functools import partial

from sandbox.store import Json
from sandbox.stripe.account.disputes import BECOMES, Step, advance
from sandbox.stripe.account.outcomes import NotPossibleError
from sandbox.stripe.api import schemas
from sandbox.stripe.api.calls import Call, Operation, merged, reading, takes, tell
from sandbox.stripe.api.listing import retrieve
from sandbox.stripe.errors import RefusedError
from sandbox.stripe.store import Kind

DISPUTES = "/v1/disputes"

# Evidence that decides by itself, in its `uncategorized_text`.
VERDICTS = {"winning_evidence": Step.WIN, "losing_evidence": Step.LOSE}


def update_dispute(call: Call) -> Json:
    """Keep metadata and evidence, and hand the evidence to the bank unless `submit` is false."""
    dispute = retrieve(call.simulator, Kind.DISPUTE, call.object_id)
    given = call.given
    submits = given.get("submit", "evidence" in given)
    # Before anything is kept: a refusal undoes nothing.
    if (submits or "evidence" in given) and dispute["status"] not in BECOMES[Step.SUBMIT]:
        raise _too_late()
    dispute["metadata"] = merged(dispute["metadata"], given.get("metadata", {}))
    if "evidence" in given:
        dispute["evidence"].update({name: text or None for name, text in given["evidence"].items()})
        dispute["evidence_details"]["has_evidence"] = True
    call.simulator.save(dispute)
    if submits:
        return _submitted(call)
    tell(call, "charge.dispute.updated", dispute)
    return dispute


def close_dispute(call: Call) -> Json:
    """Give in: a chargeback is lost, an inquiry closed."""
    retrieve(call.simulator, Kind.DISPUTE, call.object_id)
    return _advanced(call, Step.CLOSE)


def _submitted(call: Call) -> Json:
    dispute = _advanced(call, Step.SUBMIT)
    verdict = VERDICTS.get(dispute["evidence"]["uncategorized_text"] or "")
    return dispute if verdict is None else _advanced(call, verdict)


def _advanced(call: Call, step: Step) -> Json:
    try:
        return advance(call.simulator, call.object_id, step, tell=partial(tell, call))
    except NotPossibleError:
        raise _too_late() from None


def _too_late() -> RefusedError:
    return RefusedError("This dispute is already closed, or its evidence was submitted.")


DISPUTE_OPERATIONS: tuple[Operation, ...] = (
    *reading(DISPUTES, Kind.DISPUTE, schemas.ABOUT_A_CHARGE),
    Operation(method="POST", path=f"{DISPUTES}/{{id}}", schema=takes(schemas.DISPUTE), run=update_dispute),
    Operation(method="POST", path=f"{DISPUTES}/{{id}}/close", schema=takes(schemas.RETRIEVE), run=close_dispute),
)
