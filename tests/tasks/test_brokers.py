"""What Celery is told of each kind of broker."""

import json
import subprocess
import sys
from typing import Any

import pytest

from payproc.settings import Broker
from tasks import brokers
from tests.support.databases import ROOT

AMQP = ("amqp://u:p@a//", "amqps://u:p@a//", "amqp://u:p@a//;amqp://u:p@b//")
REDIS = ("redis://a/0", "rediss://a/0", "sentinel://:p@a:26379/0;sentinel://b:26379")

SHOW = """
import json
from tasks.app import app
conf = app.conf
kinds = {queue.name: queue.queue_arguments for queue in conf.task_queues}
print(json.dumps([kinds, conf.broker_transport_options, conf.broker_heartbeat, conf.broker_connection_timeout]))
"""


def told(broker_url: str, **more: Any) -> Broker:
    return Broker(broker_url=broker_url, **more)


def configured(broker_url: str) -> Any:
    # In a process of its own: Celery's configuration is a module, read once.
    environment = {"BROKER_URL": broker_url}
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_every_queue_of_rabbitmq_is_a_quorum_queue_with_limit_and_dead_letters() -> None:
    kinds, _, _, _ = configured(AMQP[0])
    wanted = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 10,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "dead",
        "x-dead-letter-strategy": "at-most-once",
    }
    assert len(kinds) > 5
    assert [name for name, arguments in kinds.items() if arguments != wanted] == []


def test_nobody_waits_for_ever_for_a_rabbitmq_that_is_silent() -> None:
    _, options, heartbeat, connect = configured(AMQP[0])
    assert (options["confirm_publish"], options["read_timeout"], options["write_timeout"]) == (True, 4, 4)
    assert (heartbeat, connect) == (5, 4)


WORKER = """
import json
from celery.signals import celeryd_init
from tasks.tasks import app
before = dict(app.conf.broker_transport_options)
celeryd_init.send(sender="notices@here", instance=None, conf=app.conf, options={})
print(json.dumps([before, app.conf.broker_transport_options]))
"""


def test_a_worker_waits_for_nobody_to_confirm_its_events() -> None:
    environment = {"BROKER_URL": AMQP[0]}
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, env=environment, capture_output=True, check=True)
    before, told = json.loads(done.stdout)
    assert before.pop("confirm_publish") is True
    assert told == before


@pytest.mark.parametrize("url", REDIS)
def test_nobody_waits_for_ever_for_a_redis_that_is_silent(url: str) -> None:
    options = brokers.transport_options(told(url))
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (4, 4)
    assert brokers.queue_arguments(told(url)) is None


def test_sentinels_are_asked_by_name_with_a_password_and_an_end_of_their_own() -> None:
    broker = told(REDIS[2], broker_master_name="payments", broker_sentinel_password="S3ntinelPass")
    options = brokers.transport_options(broker)
    assert options["master_name"] == "payments"
    assert options["sentinel_kwargs"] == {"socket_timeout": 4, "socket_connect_timeout": 4, "password": "S3ntinelPass"}
    assert "password" not in brokers.transport_options(told(REDIS[2]))["sentinel_kwargs"]


def test_a_rabbitmq_over_tls_must_show_a_certificate_for_its_own_host() -> None:
    assert brokers.tls(told("amqps://u:p@a//")) == {"server_hostname": None, "cert_reqs": 2}
    assert [brokers.tls(told(url)) for url in (*REDIS, AMQP[0])] == [None] * 4


TRY = """
from kombu.exceptions import OperationalError
from tasks.app import app
waits = []
try:
    app.connection_for_read().ensure_connection(lambda _, seconds: waits.append(seconds), 2)
except OperationalError:
    print(waits)
"""


@pytest.mark.parametrize("url", ["amqp://127.0.0.1:9//", "redis://127.0.0.1:9/0"])
def test_a_broker_that_is_away_is_tried_again_every_second(url: str) -> None:
    environment = {"BROKER_URL": url}
    done = subprocess.run([sys.executable, "-c", TRY], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert done.stdout.decode().strip() in ("[1, 1]", "[1.0, 1.0]")
