"""What the answer about an order that does not exist says of our credentials. Pure."""

from payproc.providers.easy_paisa import codes
from payproc.providers.easy_paisa.settings import EasyPaisaConfig
from payproc.providers.easy_paisa.values import Json
from payproc.providers.inspection import Finding, fine, missing, note

_KNOWS_US = frozenset({codes.Meaning.ACCEPTED, codes.Meaning.NO_SUCH_ORDER})
# Which of our settings a code blames; the codes are those of `codes`.
_BLAMED = {
    "EASY_PAISA_ACCOUNT_NUMBER": "0004 0005",
    "EASY_PAISA_STORE_ID": "0006 0007",
    "EASY_PAISA_USERNAME and EASY_PAISA_PASSWORD": "0010",
    "EASY_PAISA_PRIVATE_KEY, and the key that you uploaded,": "0022 0023 0024 0025",
}
_BY_CODE = {code: names for names, listed in _BLAMED.items() for code in listed.split()}


def of_inquiry(reply: Json, config: EasyPaisaConfig) -> Finding:
    """Judge the answer to an inquiry."""
    code = codes.code_of(reply)
    if codes.meaning(code) in _KNOWS_US:
        return fine(f"Easypaisa knows us; register there {config.notify_url}")
    if code in _BY_CODE:
        return missing(f"Easypaisa refuses us ({code})", to_do=f"compare {_BY_CODE[code]} with the portal")
    if codes.meaning(code) is codes.Meaning.CONFIGURATION:
        return missing(f"Easypaisa refuses us ({code})", to_do="ask your account manager what is not enabled")
    return note(f"Easypaisa answered {code or 'no code'}, which says nothing of our credentials")
