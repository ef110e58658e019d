import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from payproc.cli import app as cli
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.wallet_world import WalletWorld

KEY = "sk_test_payproc"


@pytest.fixture
def environment(wallet_world: WalletWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes to speak to Stripe, and no more: there is no webhook's secret yet."""
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", wallet_world.gateway.base_url)
    monkeypatch.setenv("PUBLIC_BASE_URL", wallet_world.front.url)


@pytest.fixture
def everything(environment: None, wallet_world: WalletWorld, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 (sets more of it)
    settings = wallet_world.app.settings
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SECRET_KEY", settings.secret_key.get_secret_value())
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("SMTP_URL", "smtp://someone:hidden-word@127.0.0.1:9")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["setup", *arguments])


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.mark.usefixtures("environment")
def test_one_command_registers_the_webhook_and_says_its_secret_once() -> None:
    assert answer("stripe", "--dry-run")["done"] == ["would make an endpoint"]
    first = run("stripe")
    assert (first.exit_code, "STRIPE_WEBHOOK_SECRET=whsec_" in first.stdout) == (0, True)
    again = run("stripe")
    assert (again.exit_code, "whsec_" in again.stdout, "nothing to do" in again.stdout) == (0, False, True)
    assert KEY not in first.stdout + again.stdout


@pytest.mark.usefixtures("environment")
def test_a_replaced_endpoint_is_retired_by_its_id() -> None:
    [old] = answer("stripe")["endpoints"]
    replaced = answer("stripe", "--replace")
    assert (replaced["fits"], replaced["secret"][:6], len(replaced["endpoints"])) == (True, "whsec_", 2)
    assert run("stripe", "--retire", old["id"], "--replace").exit_code == 1
    retired = answer("stripe", "--retire", old["id"])
    assert [each["enabled"] for each in retired["endpoints"]] == [True, False]
    refused = run("stripe", "--retire", replaced["endpoints"][0]["id"])
    assert (refused.exit_code, refused.stderr.startswith("error: Without we_")) == (1, True)


def test_without_a_key_the_command_says_which_is_missing() -> None:
    result = run("stripe")
    assert (result.exit_code, result.stderr) == (2, "error: STRIPE_SECRET_KEY is not set\n")


def test_without_settings_the_check_says_which_are_missing() -> None:
    result = run("check")
    assert (result.exit_code, "STRIPE_SECRET_KEY is not set" in result.stdout) == (1, True)


@pytest.mark.usefixtures("everything")
def test_the_check_says_in_one_table_what_is_missing_and_no_secret() -> None:
    result = run("check", "--mail-to", "owner@example.com")
    assert result.exit_code == 1
    lines = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert {name for name, line in lines.items() if "│ missing │" in line} == {"broker", "mail", "Stripe's webhook"}
    assert "│ ok" in lines["test event"]
    assert not [word for word in (KEY, WEBHOOK_SECRET, "hidden-word") if word in result.stdout]


@pytest.mark.usefixtures("everything")
def test_a_program_is_told_the_same() -> None:
    run("stripe")
    told = answer("check")
    results = {each["check"]: each["result"] for each in told["checks"]}
    assert (told["ok"], results["Stripe's webhook"], results["Stripe's key"]) == (False, "ok", "ok")
