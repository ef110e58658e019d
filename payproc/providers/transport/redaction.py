"""A gateway's own sentences, as they may be shown, stored and logged."""

import re

_LONGEST = 200
# Six digits may be the end of a CNIC, eleven a phone; people put spaces and hyphens between them. `\d` on purpose:
# another script's digits are a number as well.
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){5,}")


def without_numbers(sentence: str) -> str | None:
    """Mask the numbers that may be the payer's, and cut the rest short; None where nothing is left."""
    # Masked before it is cut: a number cut in two would be too short to be seen.
    return _LONG_NUMBER.sub("***", sentence)[:_LONGEST].rstrip() or None
