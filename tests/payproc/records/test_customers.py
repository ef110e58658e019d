import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from payproc.application import Application
from payproc.database.models import Email, Role, User
from payproc.domain.languages import Locale
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.records.identity import customers
from payproc.records.identity.permissions import NotAllowed
from payproc.records.identity.users import create_user
from tests.support.waiting import wait_until
from tests.support.world import World


def name(app: Application, shop: User | None, **words: Any) -> User:
    wanted = CustomerRequest(**({"email": "amina@example.com"} | words))
    with app.database.transaction() as session:
        return customers.named_customer(session, wanted, by=shop, cipher=app.payer_cipher)


def another_shop(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="server@chairs.pk", name="Chairs", role=Role.SHOP)


def test_a_customer_is_made_once_and_found_by_address_however_it_is_written(app: Application, shop: User) -> None:
    first = name(app, shop, name="Amina Khan")
    again = name(app, shop, email="Amina@Example.com", locale=Locale.URDU)
    assert again.id == first.id
    assert (again.full_name, again.locale, again.shop_id) == ("Amina Khan", Locale.URDU, shop.id)


def test_the_shops_own_reference_names_a_customer_before_the_address_does(app: Application, shop: User) -> None:
    amina = name(app, shop, reference="c-1")
    her_son = name(app, shop, reference="c-2")
    moved = name(app, shop, reference="c-1", email="amina@new.example.com")
    assert amina.id != her_son.id
    assert (moved.id, moved.email) == (amina.id, "amina@new.example.com")


def test_who_was_known_by_address_alone_gets_a_reference(app: Application, shop: User) -> None:
    known = name(app, shop)
    named = name(app, shop, reference="c-1")
    assert (named.id, named.reference) == (known.id, "c-1")


def test_two_shops_and_the_staff_may_each_know_the_same_address(
    app: Application, shop: User, customer: User, operator: User
) -> None:
    at_mangoes, at_chairs = name(app, shop), name(app, another_shop(app))
    of_an_operator = name(app, shop, email=operator.email)
    assert len({at_mangoes.id, at_chairs.id, customer.id}) == 3
    assert (of_an_operator.role, operator.role) == (Role.CUSTOMER, Role.OPERATOR)
    assert of_an_operator.id != operator.id


def test_the_staff_finds_the_houses_customers_and_names_none_of_its_own(
    app: Application, customer: User, operator: User
) -> None:
    assert name(app, operator, email=customer.email).id == customer.id
    with pytest.raises(Conflict, match="one of the staff"):
        name(app, None, email=operator.email)


def test_two_first_orders_at_one_moment_make_one_customer(app: Application, shop: User) -> None:
    start = threading.Barrier(4)
    found: list[str] = []

    def first() -> None:
        start.wait(timeout=10)
        found.append(name(app, shop).id)

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(found) == 4
    assert len(set(found)) == 1


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_a_reference_given_to_two_addresses_at_one_moment_is_one_customers(app: Application, shop: User) -> None:
    amina, bilal = name(app, shop, email="amina@example.com"), name(app, shop, email="bilal@example.com")
    with ThreadPoolExecutor(1) as other:
        with app.database.transaction() as session:
            wanted = CustomerRequest(email=amina.email, reference="c-1")
            customers.named_customer(session, wanted, by=shop, cipher=app.payer_cipher)
            session.flush()
            second = other.submit(name, app, shop, email=bilal.email, reference="c-1")
            wait_until(lambda: app.database.single_statement(_WAITING, {}), what="the second, waiting for the first")
        assert second.result(timeout=10).id == amina.id


@pytest.mark.parametrize(
    ("words", "code"), [({"email": "amina"}, "email_invalid"), ({"phone": "0123"}, "phone_invalid")]
)
def test_what_cannot_be_one_is_refused_and_nobody_is_made(
    app: Application, shop: User, words: dict[str, str], code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        name(app, shop, **words)
    assert refused.value.code == code
    with app.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(User).where(User.shop_id.is_not(None))) == 0


def test_a_phone_is_kept_masked_and_encrypted(app: Application, shop: User) -> None:
    found = name(app, shop, phone="+92 300 1234567")
    assert found.phone == "0300****567"
    assert found.encrypted_phone is not None
    assert "1234567" not in found.encrypted_phone
    assert app.payer_cipher.decrypt(found.encrypted_phone).phone == "03001234567"


def test_another_shops_customer_does_not_exist(app: Application, shop: User, operator: User) -> None:
    amina, chairs = name(app, shop), another_shop(app)
    with app.database.transaction() as session:
        assert customers.visible_customer(session, amina.id, user=operator).id == amina.id
        for stranger in (chairs, amina):
            with pytest.raises(NotFound):
                customers.visible_customer(session, amina.id, user=stranger)
        with pytest.raises(NotAllowed):
            customers.erase(session, amina.id, user=operator)


def test_an_erased_customer_leaves_payments_and_books_and_no_name(world: World, shop: User) -> None:
    paid = world.paid(user=shop, customer=CustomerRequest(email="amina@example.com", name="Amina", phone="03001234567"))
    with world.app.database.transaction() as session:
        erased = customers.erase(session, paid.user_id, user=shop)
    assert (erased.address, erased.full_name, erased.phone, erased.encrypted_phone) == (None, "forgotten", None, None)
    assert world.status(paid.id) is PaymentStatus.COMPLETED
    assert {mail.recipient for mail in world.rows(Email)} == {"forgotten"}
    assert name(world.app, shop).id != paid.user_id


def test_mail_that_went_to_an_earlier_address_is_forgotten_as_well(world: World, shop: User) -> None:
    paid = world.paid(user=shop, customer=CustomerRequest(email="amina@example.com", reference="c-1"))
    name(world.app, shop, email="amina@new.example.com", reference="c-1")
    with world.app.database.transaction() as session:
        customers.erase(session, paid.user_id, user=shop)
    assert {mail.recipient for mail in world.rows(Email)} == {"forgotten"}


def test_a_receipt_that_has_not_gone_goes_to_nobody_once_its_customer_is_erased(world: World, shop: User) -> None:
    payment = world.started(user=shop, customer=CustomerRequest(email="amina@example.com"))
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain_once()
    with world.app.database.transaction() as session:
        customers.erase(session, payment.user_id, user=shop)
    world.drain()
    (receipt,) = world.emails()
    assert (receipt.sent_at, receipt.withdrawn_at is None) == (None, False)


def test_nobody_is_erased_while_a_wallet_may_still_ask_them(world: World, shop: User) -> None:
    payment = world.started(user=shop, customer=CustomerRequest(email="amina@example.com"))
    with world.app.database.transaction() as session, pytest.raises(Conflict, match=payment.id):
        customers.erase(session, payment.user_id, user=shop)
