"""How Alembic reaches the database: over the connection or by the URL it is handed, or by DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from payproc.database.addresses import way
from payproc.database.models import Base
from payproc.database.patience import OF_A_MIGRATION
from payproc.settings import database_url


def run() -> None:
    """Run the migrations: within the transaction of a connection that was handed over, else each in its own."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run_over(connection)
        return
    url = context.config.attributes.get("url") or database_url()
    address, connect_args = way(url, patience=OF_A_MIGRATION)
    engine = create_engine(address, poolclass=pool.NullPool, connect_args=connect_args)
    with engine.connect() as connection:
        _run_over(connection)


def _run_over(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


run()
