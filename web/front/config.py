"""What gunicorn is told: `gunicorn --config=web/front/config.py --bind=… web.wsgi:app`."""

import gc

worker_class = "web.front.worker.FrontWorker"
workers = 2
# With those of the other lanes (web/front/worker.py) about as many as the pool of a process gives connections.
threads = 4
# A loop that has been silent for so long hangs, and is replaced.
timeout = 30
# An answer may be waited for up to 30 s (Prefer: wait).
graceful_timeout = 40
# Who may stop us has a signal for it.
control_socket_disable = True
# Read once, by the master, so that the processes share it. Nothing is connected before it is used.
preload_app = True


def when_ready(_server: object) -> None:
    """Keep what was read as it is: a collection writes into every object, and such a page is shared no more."""
    gc.collect()
    gc.freeze()
