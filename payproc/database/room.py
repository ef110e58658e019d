"""Whether the server takes as many connections as all processes may open, and its sessions are as they need be."""

from collections.abc import Iterator

from payproc.database.addresses import SESSION, is_pooled
from payproc.database.engine import PASSING_TROUBLE, Database
from payproc.errors import SettingsInvalid
from payproc.settings import Servers
from payproc.settings.connections import room_problems

# Compiling costs time alone.
_NEEDED = {name: value for name, value in SESSION.items() if name != "jit"}


def check_room(settings: Servers) -> int | None:
    """Ask the server whether it takes what all processes may open; return how many it takes.

    None where it is away: it may be back before anybody needs it. And where a pooler stands before it: how many that
    takes, it does not say in a session. Raises SettingsInvalid where it takes fewer, or a pooler's sessions are told
    too little.
    """
    database = Database(settings.database_url, pool_size=1)
    try:
        if is_pooled(settings.database_url):
            room, problems = None, list(_session_problems(database))
        else:
            room = database.room()
            problems = room_problems(settings, room=room)
    except PASSING_TROUBLE:
        return None
    finally:
        database.dispose()
    if problems:
        raise SettingsInvalid(problems)
    return room


def _session_problems(database: Database) -> Iterator[str]:
    for name, wanted in _NEEDED.items():
        found = database.single_statement("SELECT current_setting(%(name)s)", {"name": name})
        # Another limit may suit another place; without one, what is stuck stays so.
        if found == "0" or (name == "timezone" and found != wanted):
            yield (
                f"DATABASE_URL: sessions behind the pooler have {name} {found} where {wanted} is needed: set it for "
                "their role, as `db grants` does, or by the pooler's connect_query"
            )
