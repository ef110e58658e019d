"""Whether the server takes as many connections as all processes together may open."""

from payproc.database.engine import PASSING_TROUBLE, Database
from payproc.errors import SettingsInvalid
from payproc.settings import Servers
from payproc.settings.connections import room_problems


def check_room(settings: Servers) -> int | None:
    """Ask the server whether it takes what all processes may open; return how many it takes.

    None where it is away: it may be back before anybody needs it. Raises SettingsInvalid where it takes fewer.
    """
    database = Database(settings.database_url, pool_size=1)
    try:
        room = database.room()
    except PASSING_TROUBLE:
        return None
    finally:
        database.dispose()
    if problems := room_problems(settings, room=room):
        raise SettingsInvalid(problems)
    return room
