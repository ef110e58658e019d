"""What is asked and answered about customers."""

from datetime import datetime

from pydantic import Field

from payproc.database.models import User
from payproc.domain.languages import Locale
from payproc.domain.requests.customer import CustomerRequest
from web.schemas.base import Answer, Asked, Body, PageQuery

_LONGEST_PASTED = 64


class CustomerBody(Body):
    """Who pays, as their shop knows them: found by reference or else by e-mail, made where there is none."""

    pasted = frozenset({"phone"})

    email: str = Field(max_length=254, description="Receipts go here.", examples=["amina@example.com"])
    name: str | None = Field(default=None, min_length=1, max_length=200, examples=["Amina Khan"])
    phone: str | None = Field(
        default=None,
        max_length=_LONGEST_PASTED,
        description="Their Pakistani mobile number: an order's page offers it to wallets.",
        examples=["03001234567"],
    )
    locale: Locale | None = Field(
        default=None, strict=False, description="The language they are written to in.", examples=["ur"]
    )
    reference: str | None = Field(
        default=None, min_length=1, max_length=200, description="Your own id of them.", examples=["customer-17"]
    )

    def request(self) -> CustomerRequest:
        """Say it in the core's words."""
        return CustomerRequest(**dict(self))


class CustomerPath(Asked):
    """Which customer."""

    customer_id: str = Field(max_length=64, examples=["usr_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class CustomersQuery(PageQuery):
    """Which customers; newest first."""

    email: str | None = Field(default=None, max_length=254, examples=["amina@example.com"])
    reference: str | None = Field(default=None, max_length=200, examples=["customer-17"])


class CustomerAnswer(Answer):
    """A customer."""

    id: str = Field(examples=["usr_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    shop_id: str | None
    reference: str | None
    email: str | None = Field(description="Null once they were erased.", examples=["amina@example.com"])
    name: str | None = Field(examples=["Amina Khan"])
    phone: str | None = Field(description="Masked.", examples=["0300****567"])
    locale: Locale
    created_at: datetime
    erased_at: datetime | None

    @classmethod
    def of(cls, customer: User) -> "CustomerAnswer":
        """Show a customer."""
        return cls.of_row(
            customer, email=customer.address, name=customer.full_name if customer.erased_at is None else None
        )


class CustomersAnswer(Answer):
    """One page of customers, newest first."""

    customers: list[CustomerAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")
