import signal
import socket
import subprocess
import sys
from pathlib import Path

import requests

from tests.support.waiting import wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def answers(url: str) -> bool:
    try:
        return bool(requests.get(url, timeout=1).json() == {"status": "ok"})
    except requests.ConnectionError:
        return False


def test_the_gateway_runs_as_a_process_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    state = tmp_path / "new" / "gateway.sqlite"
    ports = ["--port", str(port), "--smtp-port", str(free_port())]
    command = [sys.executable, "-m", "sandbox.gateway", *ports, "--state", str(state)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), seconds=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert state.exists()
