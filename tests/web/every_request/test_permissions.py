"""Who may do what: every role, with every scope, at every route, written down once more by hand."""

from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import Payment, Refund, Role, Scope, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import Fact, RefundStatus
from payproc.flows import checkout
from payproc.flows.request_refund import request_refund
from payproc.providers.stripe import STRIPE
from payproc.records import payments
from payproc.records.identity.permissions import RULES, Act, Reach
from payproc.records.identity.users import create_user, issue_key
from payproc.settings.types import RefundByOwner
from tests.support.databases import ROOT
from tests.web.client import checkout_body
from web.auth import act_of

PAYMENTS, STAFF = "/api/v1/payments", (Role.OPERATOR, Role.ADMIN)
# Only what is refused tells that a door was closed; what an open one answers is for other tests.
SHUT = frozenset({401, 403, 404})

# The act of every route that asks who calls.
ROUTES = {
    "payments.checkout": Act.START_PAYMENT,
    "wallets.initiate_easy_paisa": Act.START_PAYMENT,
    "wallets.initiate_jazz_cash": Act.START_PAYMENT,
    "payments.show": Act.SEE_PAYMENT,
    "payments.list_payments": Act.SEE_PAYMENT,
    "payments.show_timeline": Act.SEE_PAYMENT,
    "refunds.show": Act.SEE_PAYMENT,
    "refunds.list_of_payment": Act.SEE_PAYMENT,
    "disputes.list_disputes": Act.SEE_PAYMENT,
    "payments.cancel": Act.CANCEL_PAYMENT,
    "refunds.refund": Act.REFUND_PAYMENT,
    "orders.create": Act.MAKE_ORDER,
    "orders.show": Act.SEE_ORDER,
    "orders.list_orders": Act.SEE_ORDER,
    "orders.close": Act.CLOSE_ORDER,
    "customers.list_customers": Act.SEE_CUSTOMERS,
    "customers.show": Act.SEE_CUSTOMERS,
    "customers.erase": Act.ERASE_CUSTOMER,
    "events.list_events": Act.SEE_EVENTS,
    "events.show": Act.SEE_EVENTS,
    "ledger.show": Act.SEE_BOOKS,
    "reconciliation.runs": Act.SEE_RECONCILIATION,
    "reconciliation.findings": Act.SEE_RECONCILIATION,
    "reconciliation.drift": Act.SEE_RECONCILIATION,
    "reconciliation.run": Act.SEE_RECONCILIATION,
    "metrics.metrics": Act.SEE_METRICS,
    "webhooks.create": Act.MANAGE_WEBHOOKS,
    "webhooks.list_endpoints": Act.SEE_WEBHOOKS,
    "webhooks.show": Act.SEE_WEBHOOKS,
    "webhooks.change": Act.MANAGE_WEBHOOKS,
    "webhooks.delete": Act.MANAGE_WEBHOOKS,
    "webhooks.rotate_secret": Act.MANAGE_WEBHOOKS,
    "webhooks.send_test": Act.MANAGE_WEBHOOKS,
    "webhooks.list_deliveries": Act.SEE_WEBHOOKS,
    "webhooks.replay_span": Act.MANAGE_WEBHOOKS,
    "webhook_deliveries.show_delivery": Act.SEE_WEBHOOKS,
    "webhook_deliveries.replay": Act.MANAGE_WEBHOOKS,
    "console.reconciliation": Act.SEE_RECONCILIATION,
    "console.findings": Act.SEE_RECONCILIATION,
    "console.payment": Act.SEE_WORKINGS,
}

# What of a payment of somebody else's each role is shut out from, and how: 404 where it does not even exist.
OTHERS = {
    Act.SEE_PAYMENT: {Role.CUSTOMER: 404, Role.SHOP: 404},
    Act.CANCEL_PAYMENT: {Role.CUSTOMER: 404, Role.SHOP: 404, Role.OPERATOR: 403},
    Act.REFUND_PAYMENT: {Role.CUSTOMER: 404, Role.SHOP: 404, Role.OPERATOR: 403},
    Act.SEE_ORDER: {Role.CUSTOMER: 404, Role.SHOP: 404},
}
# What no customer does, and not every other with what is somebody else's.
OF_SHOPS = {
    Act.MAKE_ORDER: {Role.SHOP: Reach.OWN},
    Act.CLOSE_ORDER: {Role.SHOP: Reach.OWN},
    Act.SEE_CUSTOMERS: {Role.SHOP: Reach.OWN},
    Act.ERASE_CUSTOMER: {Role.SHOP: Reach.OWN, Role.OPERATOR: Reach.NONE},
    Act.SEE_WEBHOOKS: {Role.SHOP: Reach.OWN},
    Act.MANAGE_WEBHOOKS: {Role.SHOP: Reach.OWN, Role.OPERATOR: Reach.NONE},
    Act.SEE_EVENTS: {Role.SHOP: Reach.OWN},
}
FOR_STAFF = (Act.SEE_WORKINGS, Act.SEE_BOOKS, Act.CORRECT_BOOKS, Act.SEE_RECONCILIATION, Act.SEE_METRICS)
READING = (
    Act.SEE_ORDER,
    Act.SEE_CUSTOMERS,
    Act.SEE_EVENTS,
    Act.SEE_PAYMENT,
    Act.SEE_WEBHOOKS,
    Act.SEE_WORKINGS,
    Act.SEE_BOOKS,
    Act.SEE_RECONCILIATION,
    Act.SEE_METRICS,
)


def opens(scope: Scope, act: Act) -> bool:
    if act is Act.SEE_METRICS and scope is Scope.METRICS:
        return True
    return scope is (Scope.READ if act in READING else Scope.WRITE)


@dataclass(frozen=True, kw_only=True)
class Door:
    """A route as it is asked: `{payment}` and `{refund}` are put in."""

    method: str
    path: str
    endpoint: str

    def ask(self, flask_app: Flask, key: str, **ids: str) -> TestResponse:
        body = checkout_body() if self.endpoint == "payments.checkout" else {}
        headers = {"Authorization": f"Bearer {key}"}
        path = self.path.format(**ids)
        client = flask_app.test_client()
        if self.method == "POST":
            return client.post(path, headers=headers, json=body)
        return client.get(path, headers=headers, buffered=True)


DOORS = (
    Door(method="POST", path=f"{PAYMENTS}/checkout", endpoint="payments.checkout"),
    Door(method="GET", path=f"{PAYMENTS}/{{payment}}", endpoint="payments.show"),
    Door(method="GET", path=PAYMENTS, endpoint="payments.list_payments"),
    Door(method="GET", path=f"{PAYMENTS}/{{payment}}/timeline", endpoint="payments.show_timeline"),
    Door(method="GET", path=f"{PAYMENTS}/refund/{{refund}}", endpoint="refunds.show"),
    Door(method="GET", path=f"{PAYMENTS}/{{payment}}/refunds", endpoint="refunds.list_of_payment"),
    Door(method="GET", path="/api/v1/disputes", endpoint="disputes.list_disputes"),
    Door(method="POST", path=f"{PAYMENTS}/{{payment}}/cancel", endpoint="payments.cancel"),
    Door(method="POST", path=f"{PAYMENTS}/refund/{{payment}}", endpoint="refunds.refund"),
    Door(method="GET", path="/api/v1/ledger", endpoint="ledger.show"),
    Door(method="GET", path="/api/v1/reconciliation", endpoint="reconciliation.runs"),
    Door(method="GET", path="/api/v1/reconciliation/findings", endpoint="reconciliation.findings"),
    Door(method="GET", path="/api/v1/reconciliation/findings?format=csv", endpoint="reconciliation.findings"),
    Door(method="GET", path="/api/v1/reconciliation/drift", endpoint="reconciliation.drift"),
    Door(method="GET", path="/metrics", endpoint="metrics.metrics"),
)
ABOUT_A_PAYMENT = [door for door in DOORS if "{" in door.path]


@pytest.fixture
def people(shop: User, customer: User, operator: User, admin: User) -> dict[Role, User]:
    return {Role.CUSTOMER: customer, Role.SHOP: shop, Role.OPERATOR: operator, Role.ADMIN: admin}


def key_with(app: Application, user: User, *scopes: Scope) -> str:
    with app.database.transaction() as session:
        return issue_key(session, user, scopes=scopes or frozenset(Scope))


def paid_payment(app: Application, owner: User) -> tuple[Payment, Refund]:
    """A payment of which a part is on its way back: what is left can be refunded."""
    wanted = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    made = checkout.take_payment(app, wanted, user=owner, method=STRIPE)
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_1")
        payment = payments.apply_fact(session, made.id, Fact.PAID, provenance=told)
        refund = request_refund(app, session, payment.id, user=owner, money=Money.of(100, "usd"))
    return payment, refund


def asked(app: Application, flask_app: Flask, door: Door, key: str, *, owner: User) -> int:
    payment, refund = paid_payment(app, owner)
    return door.ask(flask_app, key, payment=payment.id, refund=refund.id).status_code


def test_every_route_that_asks_who_calls_is_an_act_of_the_table(flask_app: Flask) -> None:
    guarded = {name: act for name in flask_app.view_functions if (act := act_of(flask_app, name)) is not None}
    assert guarded == ROUTES
    blueprints = {name.partition(".")[0] for name in ROUTES}
    unmarked = {name for name in flask_app.view_functions if name.partition(".")[0] in blueprints} - guarded.keys()
    assert unmarked == {"console.static"}


def test_a_route_that_names_no_act_is_open_to_nobody(app: Application, flask_app: Flask, admin: User) -> None:
    vars(flask_app.view_functions["ledger.show"]).pop("act")
    try:
        answer = flask_app.test_client().get(
            "/api/v1/ledger", headers={"Authorization": f"Bearer {key_with(app, admin)}"}
        )
    finally:
        vars(flask_app.view_functions["ledger.show"])["act"] = Act.SEE_BOOKS
    assert answer.status_code == 500


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("role", Role)
def test_each_cell_of_the_table_is_as_it_is_written_here(act: Act, role: Role) -> None:
    if act in OF_SHOPS:
        wanted = ({Role.CUSTOMER: Reach.NONE} | OF_SHOPS[act]).get(role, Reach.ALL)
    elif act in FOR_STAFF:
        wanted = Reach.ALL if role in STAFF else Reach.NONE
    elif role in OTHERS.get(act, dict.fromkeys(Role)):
        wanted = Reach.OWN
    else:
        wanted = Reach.ALL
    assert RULES[act].reach[role] is wanted
    scopes = {scope for scope in Scope if opens(scope, act)} if act is not Act.CORRECT_BOOKS else set()
    assert RULES[act].scopes == scopes


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
def test_a_key_opens_what_its_scope_says_and_nothing_else(
    app: Application, flask_app: Flask, admin: User, door: Door, scope: Scope
) -> None:
    status = asked(app, flask_app, door, key_with(app, admin, scope), owner=admin)
    assert (status not in SHUT) is opens(scope, ROUTES[door.endpoint]), status


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
def test_a_role_reaches_what_is_its_own(
    app: Application, flask_app: Flask, people: dict[Role, User], door: Door, role: Role
) -> None:
    status = asked(app, flask_app, door, key_with(app, people[role]), owner=people[role])
    shut = role not in STAFF and ROUTES[door.endpoint] in FOR_STAFF
    assert (status == 403) if shut else (status not in SHUT), status


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("door", ABOUT_A_PAYMENT, ids=lambda door: f"{door.method} {door.path}")
def test_a_role_reaches_what_is_somebody_elses_only_where_the_table_says_all(
    app: Application, flask_app: Flask, people: dict[Role, User], door: Door, role: Role
) -> None:
    with app.database.transaction() as session:
        bilal = create_user(session, email="bilal@example.com", name="Bilal", role=Role.CUSTOMER)
    status = asked(app, flask_app, door, key_with(app, people[role]), owner=bilal)
    shut = OTHERS[ROUTES[door.endpoint]].get(role)
    assert (status == shut) if shut else (status not in SHUT), status


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("scope", Scope)
def test_the_console_opens_for_staff_who_may_read(
    app: Application, flask_app: Flask, people: dict[Role, User], role: Role, scope: Scope
) -> None:
    key = key_with(app, people[role], scope)
    status = flask_app.test_client().get("/console/reconciliation", auth=("", key)).status_code
    assert status == (200 if role in STAFF and scope is Scope.READ else 401)


@pytest.mark.parametrize(
    ("role", "status"),
    [(role, RefundStatus.REQUESTED) for role in (Role.CUSTOMER, Role.SHOP, Role.OPERATOR)],
)
def test_who_moves_no_money_only_asks_where_owners_only_ask(
    app: Application, people: dict[Role, User], role: Role, status: RefundStatus
) -> None:
    settings = app.settings.model_copy(update={"refund_by_owner": RefundByOwner.REQUEST})
    asking = Application(**(vars(app) | {"settings": settings}))
    _, refund = paid_payment(asking, people[role])
    assert refund.status is status


def printed_row(flask_app: Flask, act: Act) -> str:
    """A row of the table as the documents print it."""
    routes = {
        f"`{method} {rule.rule.rstrip('/')}`"
        for rule in flask_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if act_of(flask_app, rule.endpoint) is act
    }
    scopes = " or ".join(f"`{scope}`" for scope in sorted(RULES[act].scopes))
    cells = (act, *(RULES[act].reach[role] for role in Role), scopes or "—", ", ".join(sorted(routes)) or "—")
    return f"| {' | '.join(cells)} |"


def test_the_table_is_printed_in_the_documents(flask_app: Flask) -> None:
    printed = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8").splitlines()
    begin = printed.index("| act | customer | shop | operator | admin | scopes, any one | routes |") + 2
    assert printed[begin : begin + len(Act)] == [printed_row(flask_app, act) for act in Act]
