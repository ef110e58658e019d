import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.stack.errors import ServerFailed
from sandbox.stack.servers import redis_command, start_postgres, stop_postgres


@pytest.fixture
def data() -> Iterator[Path]:
    """Make a directory outside pytest's, which each start of pytest closes to PostgreSQL's own user."""
    with tempfile.TemporaryDirectory(prefix="payproc-") as place:
        yield Path(place) / "postgres"


def test_a_process_number_that_outlived_its_server_is_nobodys(data: Path) -> None:
    stop_postgres(start_postgres(data))
    # What a crash of the machine leaves behind, when the number has gone to somebody else since.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n{data}\n\n0 0\nready\n")
    server = start_postgres(data)
    with psycopg.connect(host=server.socket_directory, user="postgres") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    stop_postgres(server)


def test_the_servers_own_reason_is_what_is_told(data: Path) -> None:
    data.mkdir()
    (data / "PG_VERSION").write_text("9")
    with pytest.raises(ServerFailed, match=r"^PostgreSQL: .*(FATAL|error): "):
        start_postgres(data)


def test_a_server_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"^PostgreSQL: ModuleNotFoundError: No module named 'not_there'$"):
        start_postgres(tmp_path, library="not_there")
    with pytest.raises(ServerFailed, match=r"^Redis: No module named 'not_there'$"):
        redis_command(tmp_path, port=1, library="not_there")
