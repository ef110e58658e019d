import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread

import pytest

from sandbox.config import read_wallets
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.gateway import GatewayConfig, start_gateway
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.wallets.config import WalletTimes
from tests.sandbox.wallets.merchant import QUICK, Listener, Merchant, ma_fields
from tests.support.waiting import wait_until


@pytest.fixture
def patient(jazz_cash: JazzCashAccount) -> Iterator[Merchant]:
    """A gateway whose calls wait for a person, as a customer's phone does."""
    running = start_gateway(GatewayConfig(jazz_cash=jazz_cash, wallet_times=replace(QUICK, person_wait=5)))
    yield Merchant(running)
    running.stop()


def test_a_person_ends_the_waiting_of_a_call(patient: Merchant) -> None:
    codes: list[str] = []
    caller = Thread(target=lambda: codes.append(patient.push("T1", "03000000013")["pp_ResponseCode"]))
    caller.start()
    wait_until(lambda: patient.transaction("T1").get("state") == "pending")
    patient.act("T1", "approve")
    caller.join()
    assert codes == ["000"]


@pytest.mark.parametrize(
    ("actions", "state", "debits"),
    [
        (["approve"], "paid", 1),
        (["low-balance", "late-success"], "paid", 1),
        (["expire", "late-success", "late-failure"], "paid", 1),
        (["drop"], "dropped", 0),
        (["approve", "reverse"], "reversed", 1),
    ],
)
def test_anything_can_be_made_to_happen(merchant: Merchant, actions: list[str], state: str, debits: int) -> None:
    merchant.push("T1", "03000000005")
    for action in actions:
        merchant.act("T1", action)
    found = merchant.transaction("T1")
    assert (found["state"], found["debits"]) == (state, debits)
    assert [entry["action"] for entry in found["history"]] == actions


def test_what_cannot_happen_changes_nothing(merchant: Merchant) -> None:
    merchant.push("T1")
    path = "_sandbox/wallets/transactions"
    assert merchant.post(f"{path}/T1/approve").status_code == 409
    assert merchant.post(f"{path}/T1/burn").status_code == 404
    assert merchant.post(f"{path}/T404/approve").status_code == 404
    assert merchant.page(f"{path}/T404").status_code == 404
    assert merchant.transaction("T1")["debits"] == 1


def test_the_same_reference_at_both_wallets_is_two_transactions(merchant: Merchant) -> None:
    merchant.push("P1", "03000000005")
    merchant.easy("initiate-ma-transaction", ma_fields("P1", "03000000005"))
    merchant.post("_sandbox/wallets/transactions/P1/approve?gateway=jazzcash")
    assert merchant.page("_sandbox/wallets/transactions/P1?gateway=jazzcash").json()["state"] == "paid"
    assert merchant.page("_sandbox/wallets/transactions/P1?gateway=easypaisa").json()["state"] == "pending"


def test_the_page_of_wallets_shows_what_can_happen_next(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.push("T1")
    page = merchant.page("wallets").text
    assert "1 debits, 2 charge calls" in page
    assert 'action="/wallets/jazzcash/T1/late-failure"' in page
    assert "…6789" in page
    assert merchant.post("wallets/jazzcash/T404/approve").status_code == 404
    assert merchant.post("wallets/jazzcash/T1/burn").status_code == 404


def test_a_reset_forgets_wallets_too(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.post("_sandbox/reset")
    assert merchant.page("_sandbox/wallets/transactions").json() == []
    assert merchant.push("T1")["pp_ResponseCode"] == "000"


def test_a_restart_forgets_nothing(jazz_cash: JazzCashAccount, listener: Listener, tmp_path: Path) -> None:
    slow = replace(QUICK, paid_after=0.5)
    config = GatewayConfig(jazz_cash=jazz_cash, wallet_times=slow, state_path=str(tmp_path / "state.sqlite"))
    first = start_gateway(config)
    assert Merchant(first).push("T1", "03000000004")["pp_ResponseCode"] == "157"
    first.stop()
    second = start_gateway(config)
    merchant = Merchant(second)
    wait_until(lambda: merchant.transaction("T1")["state"] == "paid")
    wait_until(lambda: len(listener.heard) == 1)
    assert merchant.push("T1")["pp_ResponseCode"] == "110"
    second.stop()


def test_a_wallet_without_an_account_is_not_there(jazz_cash: JazzCashAccount) -> None:
    running = start_gateway(GatewayConfig(jazz_cash=jazz_cash))
    merchant = Merchant(running)
    assert merchant.push("T1")["pp_ResponseCode"] == "000"
    assert merchant.post("easypaisa/easypay-service/rest/v4/inquire-transaction", json={}).status_code == 404
    running.stop()


def test_accounts_are_read_from_a_file(
    jazz_cash: JazzCashAccount, easy_paisa: EasyPaisaAccount, tmp_path: Path
) -> None:
    told = {"jazz_cash": asdict(jazz_cash), "easy_paisa": asdict(easy_paisa), "times": {"paid_after": 0.5}}
    file = tmp_path / "wallets.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    times = WalletTimes(paid_after=0.5)
    assert read_wallets(file) == {"jazz_cash": jazz_cash, "easy_paisa": easy_paisa, "wallet_times": times}
    assert read_wallets(None) == {"jazz_cash": None, "easy_paisa": None, "wallet_times": WalletTimes()}
    for secret in (jazz_cash.password, jazz_cash.integrity_salt, easy_paisa.hash_key):
        assert f"'{secret}'" not in repr(read_wallets(file))
