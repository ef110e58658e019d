"""Every fault of the table, in its order."""

from tests.faults.table.kinds import broker, database, doubles, killers, notices, processes, provider, rabbitmq

FAULTS = (
    *processes.FAULTS,
    *broker.FAULTS,
    *rabbitmq.FAULTS,
    *database.FAULTS,
    database.DISK_FULL,
    *provider.FAULTS,
    *notices.FAULTS,
    *doubles.FAULTS,
    killers.KILLER,
)
