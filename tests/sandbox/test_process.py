import signal
import subprocess
import sys
from pathlib import Path

import requests


def answers(url: str) -> bool:
    try:
        return bool(requests.get(url, timeout=1).json() == {"status": "ok"})
    except requests.ConnectionError:
        return False


def test_the_gateway_runs_as_a_process_and_stops_when_told(tmp_path: Path) -> None:
    state = tmp_path / "new" / "gateway.sqlite"
    # Ports of its own choice: one that was free a moment ago may be another test's by now.
    command = [sys.executable, "-m", "sandbox.gateway", "--port", "0", "--smtp-port", "0", "--state", str(state)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "Gateways at" in line)
        url = said.partition("Gateways at ")[2].partition(",")[0]
        assert answers(f"{url}/healthz")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0, errors
    assert state.exists()
