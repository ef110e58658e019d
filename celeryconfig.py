"""Celery's settings: data only. The reasons are measured (docs/decisions/0001)."""

from kombu.entity import Queue

from payproc import jobs
from payproc.providers.registry import PROVIDERS

# Ids as JSON, and nothing that could run code when it is read.
task_serializer = "json"
accept_content = ["json"]
result_serializer = "json"

# No results: what became of a job stands in its row.
task_ignore_result = True
result_backend = None

# A message is acknowledged when a process takes it up. What recovers work is its row's lease: it runs out and the row
# is dispatched anew, which also covers what Redis loses between pop and bookkeeping. A late acknowledgement would add
# only a window as long as the job in which Redis can die: kombu 5.7 then acknowledges on a channel that is gone, and
# the worker's main process ends with it.
task_acks_late = False
task_retry_on_worker_lost = False

task_soft_time_limit = jobs.USUAL_LIMITS.soft
task_time_limit = jobs.USUAL_LIMITS.hard

worker_prefetch_multiplier = 1
worker_max_tasks_per_child = 1000
# SIGTERM lets a running job finish (60 s at most) and takes no new one. The soft shutdown of Celery 5.5 would cut it
# off sooner, to requeue a message whose row is due again anyhow.
worker_soft_shutdown_timeout = 0
worker_send_task_events = True
worker_hijack_root_logger = False
# What we log is a line already. Through Celery's own logger it would be formatted twice, and be no JSON any more.
worker_redirect_stdouts = False
# What was sent and not begun stands in its row; to say so to Flower as well took two fifths of sending a message.
task_send_sent_event = False
task_track_started = True

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True
broker_pool_acquire_timeout = 3
# Without a socket time-out a worker waits for ever on a connection that died in silence. So long the relay and beat
# wait for an answer; a worker, which waits for messages, has noticed after two health checks and a second (kombu 5.7).
# Both are short beside the 15 s in which all is done after any fault; a live broker answers in milliseconds.
broker_transport_options = {
    "visibility_timeout": 300,
    "socket_timeout": 4,
    "socket_connect_timeout": 4,
    "socket_keepalive": True,
    "health_check_interval": 4,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "payproc:",
}

# A message that repeats itself is dropped at once: its token is stale. So one failed publish is not retried for long.
task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.2}

# A misspelt queue must fail, not fill.
task_create_missing_queues = False
task_default_queue = "clock"
task_queues = [
    *(Queue(name.value) for name in jobs.Queue),
    *(Queue(jobs.provider_queue(method)) for method in PROVIDERS),
    *(Queue(jobs.push_queue(method)) for method in PROVIDERS),
]

timezone = "UTC"
beat_schedule = {
    kind.policy.purpose: {"task": "clock.tick", "schedule": kind.policy.clock.tick, "args": (kind.value,)}
    for kind in jobs.Kind
    if kind.policy.clock is not None
}
