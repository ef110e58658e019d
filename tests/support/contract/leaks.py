"""What must not be read anywhere: the merchant's secrets, a whole phone number, a CNIC."""

import re
import traceback
from collections.abc import Iterable

from tests.support.contract.case import CNIC
from tests.support.contract.harness import Harness

# Not within a longer word: six digits stand in any hash sooner or later.
_PHONE = re.compile(r"(?<![0-9A-Za-z])03[0-9]{9}(?![0-9A-Za-z])")


def leaks(text: str, secrets: Iterable[str]) -> list[str]:
    """What of it is in the text."""
    words = [secret for secret in (*secrets, CNIC) if _stands_in(secret, text)]
    return words + _PHONE.findall(text)


def _stands_in(secret: str, text: str) -> bool:
    return re.search(rf"(?<![0-9A-Za-z.]){re.escape(secret)}(?![0-9A-Za-z])", text) is not None


def described(error: BaseException) -> str:
    """An error with all that hangs on it, as a log would show it."""
    return repr(error) + str(vars(error)) + "".join(traceback.format_exception(error))


def leaked(harness: Harness, text: str) -> list[str]:
    return leaks(text, harness.case.secrets)
