"""What both wallets have in common at the simulator: its switches, and a browser that comes back to us."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import requests

from payproc.providers.base import Returning
from payproc.providers.notices import RawNotice
from payproc.providers.requests import StartMode
from tests.support.contract.case import Begun, Case, End, Operation
from tests.support.contract.played import Played

_BY_PERSON = {
    End.PAID: ("approve",),
    End.DECLINED: ("decline",),
    End.PENDING: (),
    End.REVERSED: ("approve", "reverse"),
}
# What is left for a person to do where the payer's number has said the rest.
_AFTER_PHONE = {End.PAID: (), End.DECLINED: (), End.PENDING: (), End.REVERSED: ("reverse",)}


class WalletCase(Case):
    """`folder`: its part of the simulator's addresses. `operations`: how a fault order calls its calls."""

    folder: str
    operations: ClassVar[Mapping[Operation, str]]

    def __init__(self, dialect: str, *, mode: StartMode) -> None:
        self.dialect = dialect
        self.mode = mode

    def gateway_url(self, played: Played) -> str:
        return f"{played.gateway.base_url}/{self.folder}"

    def actions(self, end: End) -> tuple[str, ...]:
        return (_BY_PERSON if self.mode is StartMode.FORM_POST else _AFTER_PHONE)[end]

    def bring_about(self, played: Played, begun: Begun, end: End) -> list[RawNotice]:
        brought: list[RawNotice] = []
        for action in self.actions(end):
            answer = played.control(f"wallets/transactions/{begun.request.reference}/{action}")
            if answer["browser"] is not None:
                brought += self._walk(played, answer["browser"])
        return brought

    def debits(self, played: Played, begun: Begun) -> int:
        return int(self.seen(played, begun)["debits"])

    def refunded(self, played: Played, begun: Begun) -> int:
        return int(self.seen(played, begun)["refunded"])

    def seen(self, played: Played, begun: Begun) -> Any:
        return played.look(f"wallets/transactions/{begun.request.reference}")

    def notice_states(self, played: Played, begun: Begun) -> list[str]:
        """What became of each notice about the payment."""
        return [
            notice["state"]
            for notice in played.look("wallets/notices")
            if notice["reference"] == begun.request.reference
        ]

    def lose_answers(self, played: Played, operation: Operation, *, times: int) -> None:
        played.control("faults", operation=self.operations[operation], fault="error_502_after", times=times)

    def _walk(self, played: Played, onward: Mapping[str, Any]) -> list[RawNotice]:
        """Go back to the shop, post the form that it asks for, if it does, and go back once more."""
        first = _returned(onward["url"], urlencode(onward["fields"]).encode())
        provider = self.provider(self.gateway_url(played))
        assert isinstance(provider, Returning)
        form = provider.next_form(first)
        if form is None:
            return [first]
        answer = requests.post(form.url, data=dict(form.fields), timeout=5, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return [first, _returned(answer.headers["Location"], b"")]


def _returned(url: str, body: bytes) -> RawNotice:
    return RawNotice(
        body=body,
        headers={"content-type": "application/x-www-form-urlencoded"} if body else {},
        received_at=datetime.now(UTC),
        query=urlsplit(url).query,
    )
