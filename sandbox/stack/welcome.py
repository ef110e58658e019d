"""What a person sees when everything is up: one table, and one request to paste."""

import json
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from payproc.database.models import Role
from sandbox.stack import shell
from sandbox.stack.seeds import PEOPLE
from sandbox.stack.site import Site

# A directory may have a long name, and a table squeezes its columns rather than overflow.
_WIDE_ENOUGH = 2000

CHECKOUT = {
    "amount": 19.99,
    "currency": "usd",
    "description": "Two mangoes",
    "success_url": "https://example.com/thanks",
    "cancel_url": "https://example.com/basket",
}


WALLET = {"amount": 1250.5, "currency": "pkr", "description": "Two mangoes", "phone": "03001234567", "cnic": "345678"}
ORDER = {
    "amount": 1250.5,
    "currency": "pkr",
    "description": "Two mangoes",
    "customer": {"email": "amina@example.com", "name": "Amina Khan"},
}


def welcome(site: Site, console: Console) -> None:
    """Print where everything is, the credentials, and a first checkout."""
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("URL", "what it is", "credentials"):
        table.add_column(heading, no_wrap=True)
    for row in _rows(site):
        table.add_row(*row)
    console.print()
    # A key that is cut or wrapped cannot be copied: better a line too long for a small terminal.
    Console(file=console.file, width=_WIDE_ENOUGH, quiet=console.quiet, highlight=False).print(table)
    console.print("\nStart a payment, then open the url it answers with:\n")
    console.print(curl(site), soft_wrap=True, markup=False, highlight=False)
    console.print("\nOr make an order, and let its customer choose how to pay: open the pay_url it answers with:\n")
    console.print(order_curl(site), soft_wrap=True, markup=False, highlight=False)
    console.print("\nThe same by JazzCash; open the pay_url it answers with:\n")
    console.print(wallet_curl(site), soft_wrap=True, markup=False, highlight=False)
    console.print("\nCtrl-C stops everything; the data stays.")


def _rows(site: Site) -> Iterator[tuple[str, str, str]]:
    keys = site.secrets.api_keys
    for role, (email, _) in PEOPLE.items():
        yield f"{site.web_url}/docs", f"payproc's API as {role} {email}", keys[role]
    yield site.gateway_url, "Stripe, simulated: sessions to pay, faults to order", ""
    yield f"{site.gateway_url}/dashboard", "Stripe's Dashboard: refund, dispute, pay out by hand", ""
    yield f"{site.web_url}/console/reconciliation", "what differs between payproc and Stripe", f"any:{keys['operator']}"
    yield f"{site.gateway_url}/wallets", "JazzCash and Easypaisa, simulated: approve, decline", ""
    yield f"{site.gateway_url}/mail", "every letter that was sent", ""
    yield site.flower_url, "Flower: what Celery is doing", " ".join(site.flower_login)
    yield site.database_url.replace("+psycopg", ""), "PostgreSQL", ""
    yield site.broker_url, "Redis", ""
    yield f"{site.directory}/logs", "a log for each process", ""
    yield shell.source_line(site), "type it in another shell, then: python -m payproc payment list", ""


def curl(site: Site) -> str:
    """Return a shell command that starts a card payment."""
    return f"{_post(site, '/payments/checkout')} -H 'Prefer: wait=10' -d '{json.dumps(CHECKOUT)}'"


def wallet_curl(site: Site) -> str:
    """Return a shell command that starts a payment by wallet."""
    return f"{_post(site, '/payments/jazz-cash/initiate')} -d '{json.dumps(WALLET)}'"


def order_curl(site: Site) -> str:
    """Return a shell command with which a shop makes an order that any method pays."""
    return f"{_post(site, '/orders', role=Role.SHOP)} -d '{json.dumps(ORDER)}'"


def _post(site: Site, route: str, *, role: Role = Role.CUSTOMER) -> str:
    return (
        f"curl -sS {site.web_url}/api/v1{route}"
        f" -H 'Authorization: Bearer {site.secrets.api_keys[role]}'"
        " -H 'Content-Type: application/json'"
    )
