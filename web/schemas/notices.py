"""What a provider is answered."""

from typing import Literal

from web.schemas.base import Answer


class ReceivedAnswer(Answer):
    """A notice that was kept, now or before."""

    status: Literal["received"] = "received"
