"""The processes of a stack over servers of PostgreSQL that are the test's own, to be lost and promoted."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sandbox.stack import accounts, generated_secrets, seeds
from sandbox.stack.children import Children
from sandbox.stack.ports import Ports
from sandbox.stack.processes import Process, processes_apart, redis
from sandbox.stack.running import Stack
from sandbox.stack.site import Site
from tests.faults.machines.cluster import Cluster
from tests.faults.machines.house import DATABASE, make_database

# What neither a replica nor a second machine has to do with.
UNNEEDED = ("flower", "worker-jazz-cash", "worker-easy-paisa", "worker-pushes", "worker-reconcile")

# Seconds where production has minutes, so that what waits is seen to end.
IMPATIENT = {
    "RING_LEASE": "2s",
    "WORK_LEASE": "8s",
    "RETRY_BASE": "200ms",
    "POLL_SCHEDULE_STRIPE": "3s",
    "PROVIDER_CONNECT_TIMEOUT": "1s",
}

Chosen = Callable[[Site], Sequence[Process]]


def one_of_each(site: Site) -> Sequence[Process]:
    """Return the processes of one machine, those that no card payment needs left out."""
    return [each for each in processes_apart(site) if each.name not in UNNEEDED]


@contextmanager
def stack_over(
    cluster: Cluster,
    directory: Path,
    *,
    database_url: str | None = None,
    overrides: Mapping[str, str] | None = None,
    chosen: Chosen = one_of_each,
) -> Iterator[tuple[Stack, Children]]:
    """Run a stack whose tables are on a server of the test's own, reached by `database_url` where one is given."""
    directory.mkdir(parents=True, exist_ok=True)
    make_database(cluster)
    own_url = cluster.url(DATABASE)
    site = Site(
        directory=directory,
        ports=Ports.free(),
        secrets=generated_secrets.recall(directory / "stack.json"),
        database_url=own_url,
        overrides={**IMPATIENT, **(overrides or {})},
    )
    site = replace(site, secrets=seeds.seed(site), database_url=database_url or own_url)
    accounts.write(site)
    children = Children(site)
    try:
        children.start([redis(site)], tell=_silent)
        children.start(chosen(site), tell=_silent)
        yield Stack(site=site, _children=children), children
    finally:
        stop(children)


def stop(children: Children, *, last: Collection[str] = ("redis",)) -> None:
    """End every process, the broker after those that would miss it."""
    children.stop([name for name in children.names if name not in last])
    children.stop(last)


def _silent(_: str) -> None:
    pass
