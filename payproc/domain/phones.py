"""Pakistani mobile numbers: many spellings in, one inside."""

import re

from payproc.errors import InvalidRequest

# 03XXXXXXXXX, +923XXXXXXXXX, 00923XXXXXXXXX, 923XXXXXXXXX, 3XXXXXXXXX. ASCII digits: `\d` would take Urdu's as well.
_MOBILE = re.compile(r"(?:\+92|0092|92|0)?(3[0-9]{9})", re.ASCII)
# What people put between digits.
_BETWEEN = re.compile(r"[ ()-]", re.ASCII)


def normalised(phone: str) -> str:
    """Return a mobile number as 03XXXXXXXXX.

    Raises InvalidRequest, without repeating the number.
    """
    found = _MOBILE.fullmatch(_BETWEEN.sub("", phone))
    if found is None:
        raise InvalidRequest(
            "The phone must be a Pakistani mobile number such as 03001234567.", code="phone_invalid", field="phone"
        )
    return "0" + found[1]


def masked(phone: str) -> str:
    """Return a normalised number as people may see it: 0300****567."""
    return f"{phone[:4]}****{phone[-3:]}"
