"""A shop and its customer's browser against a running stack."""

import re
from typing import Any, Self
from urllib.parse import urljoin

import requests

from sandbox.stack.welcome import CHECKOUT
from tests.support.waiting import wait_until


class Shop:
    """Calls the API as the seeded customer, and presses the buttons of the simulator's page."""

    def __init__(self, web_url: str, *, key: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self._payments = f"{web_url}/api/v1/payments"
        self._headers = {"Authorization": f"Bearer {key}"}

    def check_out(self) -> Any:
        headers = {**self._headers, "Prefer": "wait=20"}
        answer = self.session.post(f"{self._payments}/checkout", json=CHECKOUT, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def press(self, button: str, url: str) -> None:
        page = self.session.get(url, timeout=10).text
        action = re.search(rf'action="([^"]+/{button})"', page)
        assert action, page
        answer = self.session.post(urljoin(url, action[1]), timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def payment(self, payment_id: str) -> Any:
        answer = self.session.get(f"{self._payments}/{payment_id}", headers=self._headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def completed(self, payment_id: str) -> Any:
        return wait_until(lambda: payment if (payment := self.payment(payment_id))["status"] == "completed" else None)

    def timeline(self, payment_id: str) -> list[str]:
        answer = self.session.get(f"{self._payments}/{payment_id}/timeline", headers=self._headers, timeout=10)
        return [entry["what"] for entry in answer.json()["timeline"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()
