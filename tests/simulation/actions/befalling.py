"""Let one action happen, and end it as its process ends."""

from payproc.database.engine import PASSING_TROUBLE
from payproc.errors import PayprocError
from tests.simulation.actions.choosing import Action, NothingToDo
from tests.simulation.fate import Death
from tests.simulation.shop import Shop


def befall(shop: Shop, action: Action, who: int, how: int) -> bool:
    """Let an action happen: done, refused, dead, or with nobody to do it to; return whether there was somebody."""
    try:
        action(shop, who, how)
    except NothingToDo:
        return False
    except Death:
        shop.done["died"] += 1
    except PayprocError as refused:
        shop.done[f"refused: {refused.code}"] += 1
    except PASSING_TROUBLE:
        # The front says 503, and the client may come again.
        shop.done["unavailable"] += 1
    else:
        shop.done[action.__name__] += 1
    return True
