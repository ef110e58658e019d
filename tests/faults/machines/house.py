"""A shop's payproc over a server of one's own, whose gateways are the simulators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import requests

from payproc.application import Application
from payproc.bootstrap import load_settings
from payproc.database.engine import Database
from payproc.database.models import Role
from payproc.operations.circuit_status import CircuitStatusStore
from payproc.providers import registry
from payproc.records.identity.users import create_user, issue_key
from sandbox.gateway import RunningGateway
from tests.faults.machines.cluster import Cluster
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import migrate
from tests.support.mailbox import Outgoing
from tests.support.serving import Front
from tests.support.wallet_world import SECRETS, WalletWorld
from web.app import create_app

DATABASE = "payproc"


@dataclass(frozen=True, kw_only=True)
class House:
    """A shop's payproc: its world, the key of its customer, and the environment that its commands are given."""

    world: WalletWorld
    key: str
    environment: dict[str, str]


def make_database(cluster: Cluster, name: str = DATABASE) -> None:
    """Make the database of payproc on a server that runs, with its tables."""
    with psycopg.connect(
        host=str(cluster.sockets), port=cluster.port, user="postgres", dbname="postgres", autocommit=True
    ) as session:
        session.execute(f'CREATE DATABASE "{name}"')
    migrate(cluster.url(name))


@contextmanager
def housed(database_url: str, wallets: RunningGateway, front: Front) -> Iterator[House]:
    """Run payproc in this process over a database, beside the simulators, with its API on a front."""
    requests.post(f"{wallets.base_url}/_sandbox/reset", timeout=5)
    environment = _environment(database_url, wallets.base_url, front.url)
    settings = load_settings(**{name.lower(): value for name, value in environment.items()})
    database = Database(database_url)
    app = Application(
        settings=settings,
        database=database,
        providers=registry.build(settings, status=CircuitStatusStore(database)),
        mailer=Outgoing(lambda _: None),
    )
    with database.transaction() as session:
        customer = create_user(session, email="amina@example.com", name="Amina Khan", role=Role.CUSTOMER)
        key = issue_key(session, customer)
    front.app = create_app(app)
    try:
        world = WalletWorld(app=app, gateway=wallets, customer=customer, front=front)
        yield House(world=world, key=key, environment=environment)
    finally:
        front.clear()
        database.dispose()


def _environment(database_url: str, gateway_url: str, front_url: str) -> dict[str, str]:
    return {
        "ENVIRONMENT": "test",
        "DATABASE_URL": database_url,
        "SECRET_KEY": "0123456789abcdef",
        "PUBLIC_BASE_URL": front_url,
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": gateway_url,
        "JAZZ_CASH_DIALECT": "mwallet-2.0",
        "JAZZ_CASH_MERCHANT_ID": SECRETS.jazz_cash_merchant_id,
        "JAZZ_CASH_PASSWORD": SECRETS.jazz_cash_password,
        "JAZZ_CASH_INTEGRITY_SALT": SECRETS.jazz_cash_integrity_salt,
        "JAZZ_CASH_MERCHANT_MPIN": SECRETS.jazz_cash_merchant_mpin,
        "JAZZ_CASH_BASE_URL": f"{gateway_url}/jazzcash",
        "EASY_PAISA_DIALECT": "rest-v4",
        "EASY_PAISA_STORE_ID": SECRETS.easy_paisa_store_id,
        "EASY_PAISA_USERNAME": SECRETS.easy_paisa_username,
        "EASY_PAISA_PASSWORD": SECRETS.easy_paisa_password,
        "EASY_PAISA_ACCOUNT_NUMBER": SECRETS.easy_paisa_account_number,
        "EASY_PAISA_BASE_URL": f"{gateway_url}/easypaisa",
        "PUSH_TIMEOUT": "10s",
        "PROVIDER_READ_TIMEOUT": "10s",
        "RETRY_BASE": "10m",
        "MAIL_FROM": "shop@example.com",
    }
