"""What a Prometheus server scrapes. Counted in the database, so every process gives the same answer."""

from collections.abc import Iterable, Iterator, Sequence

from flask import Flask, Response, current_app
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.operations.circuit_status import states
from payproc.operations.health import COUNTED_TO, OneAnswer, backlog, payments_by_status
from payproc.reconcile.classification import severity_of
from payproc.reconcile.report import last_runs, open_by_kind
from payproc.records.identity.permissions import Act
from web.api.blueprints import problems
from web.auth import needs, require_caller

blueprint = APIBlueprint(
    "metrics",
    __name__,
    abp_tags=[Tag(name="health", description="For probes.")],
    abp_security=[{"bearer": []}],
    abp_responses=problems(401, 403, 503),
)
blueprint.before_request(require_caller)

_CIRCUIT = {"closed": 0, "half-open": 1, "open": 2}
_TOLD = {
    "jobs_due": f"Jobs that wait for a worker, counted to {COUNTED_TO}.",
    "oldest_due_seconds": "How long the oldest of them has waited.",
    "jobs_dead": "Jobs that were given up.",
    "reviews_open": "Questions that a person must decide.",
}


class _Counted(Collector):
    def __init__(self, session: Session) -> None:
        self._session = session

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in backlog(self._session).items():
            yield GaugeMetricFamily(f"payproc_{name}", _TOLD[name], value=value)
        yield _family(
            "payproc_open_payments",
            "Payments that have not ended.",
            ("payment_method", "status"),
            payments_by_status(self._session).items(),
        )
        yield _family(
            "payproc_circuit",
            "A gateway's circuit breaker: 0 closed, 1 half-open, 2 open.",
            ("provider", "operation"),
            ((name.split(" ", 1), _CIRCUIT[state]) for name, state in states(self._session).items()),
        )
        yield _family(
            "payproc_open_findings",
            "Differences that reconciliation found and are open.",
            ("kind", "severity"),
            (((kind, severity_of(kind)), count) for kind, count in open_by_kind(self._session).items()),
        )
        yield _family(
            "payproc_reconciled_seconds_ago",
            "How long ago the last run of a loop came to its end; a loop that never did is absent.",
            ("loop", "provider"),
            (((last.loop, last.provider), last.age.total_seconds()) for last in last_runs(self._session)),
        )


def _family(
    name: str, told: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=labels)
    for labelled, value in values:
        family.add_metric(labelled, value)
    return family


@blueprint.get("/metrics", responses={"200": None})
@needs(Act.SEE_METRICS)
def metrics() -> Response:
    """Show the figures that alerts are made of, as Prometheus reads them. Staff only.

    A key with the scope metrics:read, and no other, opens this and nothing else.
    """
    figures: OneAnswer[bytes] = current_app.extensions["figures"]
    return Response(figures.get(), content_type=CONTENT_TYPE_LATEST)


def register(web: Flask, core: Application) -> None:
    """Have this process count once a second at most, however many scrape it."""
    web.extensions["figures"] = OneAnswer(lambda: _figures(core))


def _figures(core: Application) -> bytes:
    registry = CollectorRegistry()
    with core.database.transaction() as session:
        registry.register(_Counted(session))
        return generate_latest(registry)
