"""The command line: parse, one call into the core, render. One module per noun."""

from typing import Annotated

import typer

from payproc import __version__
from payproc.cli import disputes, jobs, ledger, notices, orders, payments, refunds, reviews
from payproc.cli.outgoing import webhooks
from payproc.cli.outgoing.listen import listen
from payproc.cli.people import users
from payproc.cli.reconcile import stripe, wallets
from payproc.cli.system import checks, db, setup
from payproc.cli.terminal.edge import Edge

app = typer.Typer(
    cls=Edge,
    help="Look after a payment processor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(db.app, name="db", help="The database's tables.")
app.add_typer(users.app, name="user", help="Who may call.")
app.add_typer(users.keys, name="key", help="API keys.")
app.add_typer(orders.app, name="order", help="What is to be paid.")
app.add_typer(payments.app, name="payment", help="Attempts to be paid.")
app.add_typer(refunds.app, name="refund", help="Money given back.")
app.add_typer(disputes.app, name="dispute", help="What customers' banks ask back.")
app.add_typer(webhooks.app, name="webhook", help="What shops are told.")
app.add_typer(notices.app, name="notice", help="What providers told us.")
app.add_typer(jobs.app, name="job", help="Work to be done.")
app.add_typer(stripe.app, name="reconcile", help="Our rows against what providers have.")
app.add_typer(ledger.app, name="ledger", help="The books.")
app.add_typer(reviews.app, name="review", help="Questions for a person.")
app.add_typer(setup.app, name="setup", help="Going live.")
app.add_typer(checks.settings_app, name="settings", help="Environment variables.")
stripe.app.command("wallets")(wallets.reconcile_wallets)
app.command()(listen)
app.command()(checks.doctor)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer's own shape)
    if wanted:
        typer.echo(f"payproc {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Look after a payment processor: its tables, people, payments and the questions they raise."""
