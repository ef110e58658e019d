"""The customers whom shops name."""

from flask import Response
from sqlalchemy.orm import Session

from payproc.records.identity import customers
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.schemas.customers import CustomerAnswer, CustomerPath, CustomersAnswer, CustomersQuery

blueprint = authenticated(
    "customers", "Whom a shop's payments and orders name.", prefix="/api/v1/customers", refusals=problems(404, 422, 503)
)


@blueprint.get("/", responses={"200": CustomersAnswer})
@needs(Act.SEE_CUSTOMERS)
def list_customers(query: CustomersQuery) -> Response:
    """List customers, newest first: a shop's own, or everybody's for staff."""
    user = current_user()

    def page_of(session: Session) -> CustomersAnswer:
        page = customers.page_of_customers(
            session,
            user=user,
            email=query.email,
            reference=query.reference,
            limit=query.limit,
            cursor=query.cursor,
        )
        shown = [CustomerAnswer.of(customer) for customer in page.customers]
        return CustomersAnswer(customers=shown, next_cursor=page.next_cursor)

    return json_answer(text_of(application().database.read(page_of)))


@blueprint.get("/<customer_id>", responses={"200": CustomerAnswer})
@needs(Act.SEE_CUSTOMERS)
def show(path: CustomerPath) -> Response:
    """Show a customer."""
    user = current_user()
    found = application().database.read(
        lambda session: customers.visible_customer(session, path.customer_id, user=user)
    )
    return json_answer(text_of(CustomerAnswer.of(found)))


@blueprint.post("/<customer_id>/erase", responses={"200": CustomerAnswer, **problems(409)})
@needs(Act.ERASE_CUSTOMER)
def erase(path: CustomerPath) -> Response:
    """Erase what can name a customer: address, name, phones, and to whom mail went. It cannot be undone.

    Payments and books stay. What a payment's `description` and `metadata` say is yours, and what a provider knows is
    the provider's, to erase. Not while a payment of theirs is open.
    """
    with application().database.transaction() as session:
        erased = customers.erase(session, path.customer_id, user=current_user())
    return json_answer(text_of(CustomerAnswer.of(erased)))
