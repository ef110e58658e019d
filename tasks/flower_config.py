"""Flower's settings, and the one gap in them: its /metrics asks for no password. Here it does.

Used as `celery -A tasks.app flower --conf=tasks/flower_config.py`; the login itself comes from FLOWER_BASIC_AUTH.
"""

import os
import sys

from flower.views.monitor import Metrics
from tornado.web import authenticated

Metrics.get = authenticated(Metrics.get)


def _login(pair: str) -> str:
    # An empty pair is one that "Authorization: Basic =" matches.
    user, _, password = pair.partition(":")
    if not user or not password:
        sys.exit("Flower cannot start: FLOWER_BASIC_AUTH must be user:password")
    return pair


address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
port = int(os.environ.get("FLOWER_PORT", "8404"))
basic_auth = [_login(os.environ.get("FLOWER_BASIC_AUTH", ""))]
persistent = True
db = os.environ.get("FLOWER_DB", "var/flower.db")
state_save_interval = 10000
max_tasks = 20000
# Ids only, so that arguments can be shown; no operator may revoke or change anything from here.
read_only = True
tasks_columns = "name,args,state,received,runtime,worker"
