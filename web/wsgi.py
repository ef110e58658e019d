"""What a WSGI server loads: `web.wsgi:app`."""

import sys

from payproc.bootstrap import application_from_environment
from payproc.errors import SettingsInvalid
from payproc.operations import logs
from web.app import create_app

try:
    application = application_from_environment()
except SettingsInvalid as invalid:
    sys.exit("payproc web cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))

logs.configure(application.settings)
app = create_app(application)
