"""Pakistani mobile numbers: many spellings in, one inside."""

import re

from payproc.domain.reading import digits_of
from payproc.errors import InvalidRequest

# 03XXXXXXXXX, +923XXXXXXXXX, 00923XXXXXXXXX, 923XXXXXXXXX, 3XXXXXXXXX; behind the country's code a 0 is said by many
# and dialled by nobody: +92 (0)3XX.
_MOBILE = re.compile(r"(?:(?:[+\uff0b]|00)?92)?0?(3[0-9]{9})", re.ASCII)


def normalised(phone: str) -> str:
    """Return a mobile number as 03XXXXXXXXX, from whatever can mean one number only.

    Raises InvalidRequest, without repeating the number.
    """
    found = _MOBILE.fullmatch(digits_of(phone))
    if found is None:
        raise InvalidRequest(
            "The phone must be a Pakistani mobile number such as 03001234567.", code="phone_invalid", field="phone"
        )
    return "0" + found[1]


def masked(phone: str) -> str:
    """Return a normalised number as people may see it: 0300****567."""
    return f"{phone[:4]}****{phone[-3:]}"
