"""What is pure: the same words each time, and nothing sent."""

import json

from payproc.providers.base import Postponed, Returning, StartMode
from tests.support.contract.bench import Bench, as_refunding, form_of
from tests.support.contract.case import End
from tests.support.contract.cases import CASES, REFUNDING, SIGNING, of
from tests.support.contract.liars import AsksWhilePlanning, LyingCase, found_out


@of(CASES)
def test_the_same_request_gives_the_same_words(bench: Bench) -> None:
    request = bench.case.request()
    if bench.case.mode is StartMode.BY_FORM:
        first, later = form_of(bench.scripted, request), form_of(bench.case.provider(bench.script.url), request)
        assert list(first.fields.items()) == list(later.fields.items())
        return
    plan = bench.scripted.plan_start(request)
    assert plan == bench.case.provider(bench.script.url).plan_start(request)
    assert json.loads(json.dumps(plan.parameters)) == plan.parameters


@of(CASES)
def test_what_is_pure_sends_nothing(bench: Bench) -> None:
    request, provider = bench.case.request(), bench.scripted
    raw = bench.case.notice(request, End.PAID)
    provider.check(request)
    provider.read_notice(raw)
    kept = provider.storable(raw)
    if bench.case in SIGNING:
        assert not isinstance(provider.reread_notice(kept), Postponed)
    if isinstance(provider, Returning):
        provider.next_form(raw)
        provider.returned_reference(raw)
    if bench.case.mode is StartMode.BY_FORM:
        form_of(provider, request)
    else:
        provider.plan_start(request)
    if bench.case in REFUNDING:
        as_refunding(provider).plan_refund(bench.refund_request(bench.paid(), 125050))
    assert bench.script.seen == []


@of([LyingCase(AsksWhilePlanning)])
def test_a_provider_that_asks_while_planning_is_found_out(bench: Bench) -> None:
    with found_out():
        test_what_is_pure_sends_nothing(bench=bench)
