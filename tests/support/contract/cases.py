"""Every provider in every dialect. A new provider is held to the contract by one more line here."""

from collections.abc import Sequence

import pytest

from payproc.providers.requests import StartMode
from tests.support.contract.case import Case, End
from tests.support.contract.easy_paisa_case import EASY_PAISA_CASES
from tests.support.contract.fake_case import FakeCase
from tests.support.contract.jazz_cash_case import JAZZ_CASH_CASES
from tests.support.contract.stripe_case import StripeCase
from tests.support.contract.wallet_case import WalletCase

CASES: list[Case] = [StripeCase(), *JAZZ_CASH_CASES, *EASY_PAISA_CASES, FakeCase()]

CALLING = [case for case in CASES if case.mode is not StartMode.FORM_POST]
SINGLE_SHOT = [case for case in CASES if case.mode is StartMode.SINGLE_SHOT]
IDEMPOTENT = [case for case in CASES if case.mode is StartMode.IDEMPOTENT]
FORM_POST = [case for case in CASES if case.mode is StartMode.FORM_POST]
SIGNING = [case for case in CASES if case.signs_notices]
HINTING = [case for case in CASES if not case.signs_notices]
SIGNED_ANSWERS = [case for case in CASES if case.signs_answers]
REFUNDING = [case for case in CASES if case.refunds]
REFUNDING_IDEMPOTENTLY = [case for case in CASES if case.refunds_idempotently]
KEEPING_NOTHING_BACK = [case for case in CASES if not case.refunds]
REVERSING = [case for case in CASES if End.REVERSED in case.ends]
IN_RUPEES = [case for case in CASES if case.currency == "pkr"]
PLAYED_WALLETS = [case for case in CASES if isinstance(case, WalletCase)]
# Where every dialect goes the same way.
FIRST_OF_EACH = list({case.method: case for case in reversed(CASES)}.values())


def of(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """A promise of these cases."""
    return pytest.mark.parametrize("case", cases, ids=str)
