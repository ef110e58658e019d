"""What a WSGI server loads: `web.wsgi:app`."""

import sys

from payproc import logs
from payproc.application import Application
from payproc.errors import SettingsInvalid
from web.app import create_app

try:
    application = Application.from_environment()
except SettingsInvalid as invalid:
    sys.exit("payproc web cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))

logs.configure(application.settings)
app = create_app(application)
