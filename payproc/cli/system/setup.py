"""`setup`: tell Stripe where we are, and prove that everything is ready for real money."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payproc.bootstrap import application_from, load_settings
from payproc.cli.terminal.edge import REFUSED, Json
from payproc.cli.terminal.rendering import show_document, show_table, show_text
from payproc.errors import InvalidRequest, SettingsInvalid
from payproc.providers.inspection import Finding, Result, missing
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.settings import (
    StripeConfig,
    StripeSettings,
    account_only,
    config_of,
    webhook_address,
)
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.settings import Environment
from payproc.settings.connections import Pools

if TYPE_CHECKING:
    from payproc.operations.going_live.registering import Report
    from payproc.providers.stripe.account import StripeAccount
    from payproc.providers.stripe.endpoints import Endpoint

app = typer.Typer(no_args_is_help=True)

# Several look at the database side by side.
_POOLS = Pools(transactions=3)
_COLUMNS = ("id", "url", "enabled", "api_version", "events", "remark")


@app.callback()
def about() -> None:
    """Tell providers where we are, and prove that everything is ready for real money."""


@app.command()
def stripe(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make a new endpoint, with a new secret, beside the one there is.")
    ] = False,
    retire: Annotated[str | None, typer.Option(metavar="ID", help="Disable one of ours that was replaced.")] = None,
    json: Json = False,
) -> None:
    """Register our webhook at Stripe: its address, exactly the events that are read, the version they are read in.

    Needs STRIPE_SECRET_KEY and PUBLIC_BASE_URL alone. Nothing is stored here: a new endpoint's secret is printed this
    once. Endpoints that lead elsewhere are left alone. Exits with 1 where ours still does not fit.
    """
    if retire is not None and (replace or dry_run):
        raise InvalidRequest("--retire goes with no other option.")
    from payproc.operations.going_live import registering  # noqa: PLC0415 (Stripe's library takes half a second, which no other command should pay)

    account = _account(*account_only())
    if retire is not None:
        report = registering.retire(account, retire)
    elif dry_run:
        report = registering.look(account, replace=replace)
    else:
        report = registering.register(account, replace=replace)
    _show(report, json=json)
    if not report.fits and not dry_run:
        raise typer.Exit(REFUSED)


@app.command()
def check(
    *,
    mail_to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Send a test mail there.")] = None,
    json: Json = False,
) -> None:
    """Prove the whole way, and say in one table what is missing; exit with 1 when anything is.

    Harmless: Stripe is asked for lists, our own webhook is sent an event that concerns no payment, wallets are asked
    about a payment that does not exist.
    """
    try:
        settings = load_settings()
    except SettingsInvalid as invalid:
        _conclude([("settings", missing(problem, to_do="see .env.example")) for problem in invalid.problems], json=json)
        return
    from payproc.operations.going_live import checks  # noqa: PLC0415 (as above)

    made = application_from(settings, pools=_POOLS)
    try:
        assert isinstance(settings, StripeSettings)
        account = _account(config_of(settings), webhook_address(settings.public_base_url))
        looks = checks.every_look(made, account, refused_by_production=_refused_by_production(), mail_to=mail_to)
        rows = checks.look_at_all(looks)
    finally:
        made.database.dispose()
    _conclude([(row.check, row.finding) for row in rows], json=json)


def _account(config: StripeConfig, address: str) -> "StripeAccount":
    from payproc.providers.stripe.account import StripeAccount  # noqa: PLC0415 (as above)
    from payproc.providers.stripe.client import StripeApi  # noqa: PLC0415 (as above)

    # Circuit breakers of our own: what is tried out here must not have the workers' rest.
    breakers = CircuitBreakers(STRIPE, longest_rest=config.read_timeout)
    return StripeAccount(config, StripeApi(config, breakers), address=address)


def _refused_by_production() -> Sequence[str]:
    try:
        load_settings(environment=Environment.PRODUCTION)
    except SettingsInvalid as invalid:
        return invalid.problems
    return ()


def _show(report: "Report", *, json: bool) -> None:
    if json:
        endpoints = [_described(endpoint) | {"remark": remark} for endpoint, remark in report.found]
        told = {"address": report.address, "fits": report.fits, "done": report.done, "secret": report.secret}
        show_document({**told, "endpoints": endpoints})
        return
    show_text(f"Stripe finds us at {report.address}")
    rows = (_described(endpoint) | {"remark": remark} for endpoint, remark in report.found)
    show_table(_COLUMNS, ([row[column] for column in _COLUMNS] for row in rows))
    for sentence in report.done or ["nothing to do"]:
        show_text(sentence)
    if report.secret is not None:
        show_text(
            "Its signing secret is said this once. Set it, after it the one in force while there is an older one:"
        )
        show_text(f"STRIPE_WEBHOOK_SECRET={report.secret}")


def _described(endpoint: "Endpoint") -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "enabled": endpoint.enabled,
        "api_version": endpoint.api_version,
        "events": "all" if "*" in endpoint.events else len(endpoint.events),
    }


def _conclude(rows: Sequence[tuple[str, Finding]], *, json: bool) -> None:
    is_ready = not any(finding.result is Result.MISSING for _, finding in rows)
    if json:
        told = [
            {"check": name, "result": finding.result, "found": finding.found, "to_do": finding.to_do or None}
            for name, finding in rows
        ]
        show_document({"ok": is_ready, "checks": told})
    else:
        columns = ("check", "result", "found", "to do")
        show_table(columns, ((name, each.result, each.found, each.to_do) for name, each in rows))
    if not is_ready:
        raise typer.Exit(REFUSED)
