"""What is pure: the same words each time, and nothing sent."""

import json

from payproc.providers.base import Returning
from payproc.providers.notices import Postponed
from payproc.providers.requests import StartMode
from tests.support.contract.broken_providers import AsksWhilePlanning, BrokenCase, found_out
from tests.support.contract.case import End
from tests.support.contract.cases import CASES, REFUNDING, SIGNING, of
from tests.support.contract.harness import Harness, as_refunding, form_of


@of(CASES)
def test_the_same_request_gives_the_same_words(harness: Harness) -> None:
    request = harness.case.request()
    if harness.case.mode is StartMode.FORM_POST:
        first, later = form_of(harness.scripted, request), form_of(harness.case.provider(harness.script.url), request)
        assert list(first.fields.items()) == list(later.fields.items())
        return
    prepared = harness.scripted.prepare_start(request)
    assert prepared == harness.case.provider(harness.script.url).prepare_start(request)
    assert json.loads(json.dumps(prepared.parameters)) == prepared.parameters


@of(CASES)
def test_what_is_pure_sends_nothing(harness: Harness) -> None:
    request, provider = harness.case.request(), harness.scripted
    raw = harness.case.notice(request, End.PAID)
    provider.check(request)
    kept = provider.verify_notice(raw).redacted
    if harness.case in SIGNING:
        assert not isinstance(provider.parse_stored(kept), Postponed)
    if isinstance(provider, Returning):
        provider.next_form(raw)
        provider.returned(raw)
    if harness.case.mode is StartMode.FORM_POST:
        form_of(provider, request)
    else:
        provider.prepare_start(request)
    if harness.case in REFUNDING:
        as_refunding(provider).prepare_refund(harness.refund_request(harness.paid(), 125050))
    assert harness.script.seen == []


@of([BrokenCase(AsksWhilePlanning)])
def test_a_provider_that_asks_while_planning_is_found_out(harness: Harness) -> None:
    with found_out():
        test_what_is_pure_sends_nothing(harness=harness)
