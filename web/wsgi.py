"""What a WSGI server loads: `web.wsgi:app`."""

import sys

from payproc.bootstrap import application_from, load_settings
from payproc.database.room import check_room
from payproc.errors import SettingsInvalid
from payproc.operations import logs
from payproc.settings.connections import web_pools
from web.app import create_app

try:
    settings = load_settings()
    check_room(settings)
except SettingsInvalid as invalid:
    sys.exit("payproc web cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))

logs.configure(settings)
application = application_from(settings, pools=web_pools(settings))
app = create_app(application)
