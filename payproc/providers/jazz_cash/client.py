"""The only socket to JazzCash."""

from collections.abc import Mapping
from typing import Any

from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.transport.http import Call, Http

Json = dict[str, Any]


class JazzCashApi:
    """The handful of calls we make, with words that are signed already."""

    def __init__(self, config: JazzCashConfig, http: Http) -> None:
        self._config = config
        self._http = http
        self._push_urls = {
            Dialect.MWALLET_1_1: config.endpoints.push_1_1,
            Dialect.MWALLET_2_0: config.endpoints.push_2_0,
        }

    def push(self, fields: Mapping[str, str], *, dialect: Dialect) -> Json:
        """Charge a wallet. Blocks while the customer types the MPIN on the phone."""
        url, patience = self._push_urls[dialect], self._config.push_timeout
        return self._asked(
            Call(operation="push", url=url, json_body=fields, patience=patience, waits_for_customer=True)
        )

    def inquiry(self, fields: Mapping[str, str]) -> Json:
        """Ask how a payment stands."""
        url, patience = self._config.endpoints.inquiry, self._config.read_timeout
        return self._asked(Call(operation="inquiry", url=url, json_body=fields, patience=patience, reading=True))

    def guide_inquiry(self, fields: Mapping[str, str]) -> Json:
        """Ask how a payment of the guide's dialect stands."""
        url, patience = self._config.endpoints.guide_inquiry, self._config.read_timeout
        return self._asked(Call(operation="inquiry", url=url, form=fields, patience=patience, reading=True))

    def refund(self, fields: Mapping[str, str]) -> Json:
        """Give money back. There is no key that would make a second sending harmless."""
        url, patience = self._config.endpoints.refund, self._config.read_timeout
        return self._asked(Call(operation="refund", url=url, json_body=fields, patience=patience))

    def _asked(self, call: Call) -> Json:
        return self._http.ask(call).fields
