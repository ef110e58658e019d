"""The one way in which a payment begins, and browsers that come back."""

import pytest

from payproc.errors import OperationNotSupported
from payproc.providers.base import PostingForms, Returning
from payproc.providers.requests import StartMode
from tests.support.contract.case import End
from tests.support.contract.cases import CASES, FORM_POST, of
from tests.support.contract.harness import Harness


@of(CASES)
def test_a_payment_begins_in_the_one_way_that_its_dialect_has(harness: Harness) -> None:
    provider, request = harness.provider, harness.case.request()
    assert (provider.dialect, provider.live_mode) == (harness.case.dialect, False)
    assert provider.start_mode(harness.case.dialect) is harness.case.mode
    if harness.case.mode is StartMode.FORM_POST:
        with pytest.raises(OperationNotSupported):
            provider.prepare_start(request)
    elif isinstance(provider, PostingForms):
        with pytest.raises(OperationNotSupported):
            provider.form(request)


@of(FORM_POST)
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_a_browser_comes_back_with_its_payments_name_and_no_outcome_of_its_own(harness: Harness, end: End) -> None:
    begun = harness.begin()
    last = harness.case.bring_about(harness.played, begun, end)[-1]
    provider = harness.provider
    assert isinstance(provider, Returning)
    assert provider.next_form(last) is None
    hint = provider.returned(last)
    assert hint is not None
    assert hint.reference == begun.request.reference
