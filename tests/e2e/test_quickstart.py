"""The quickstart's commands work as they stand, one after the other."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from sandbox.stack.running import Stack
from tests.support.databases import ROOT

pytestmark = pytest.mark.processes

QUICKSTART = ROOT / "docs" / "quickstart.md"
GUIDES = ROOT / "docs" / "guides"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [text for named, text in _BLOCK.findall(document.read_text(encoding="utf-8")) if named == language]


def run(script: str, stack: Stack) -> str:
    environment = os.environ | {"PAYPROC": stack.web_url, "KEY": stack.keys["shop"]}
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_of_the_quickstart_is_answered_as_it_says(stack: Stack) -> None:
    made, looked_up, found, given_back = (run(block, stack) for block in blocks(QUICKSTART, "sh"))
    assert json.loads(made)["pay_url"].startswith(f"{stack.web_url}/pay/")
    assert '"reference": "A-1"' in looked_up
    assert json.loads(found)["payments"] == []
    # Nobody has paid it: there is nothing to give back.
    assert given_back == ""


def test_every_json_of_the_guides_can_be_read() -> None:
    for guide in sorted(GUIDES.glob("*.md")):
        for block in blocks(guide, "json"):
            assert json.loads(block), guide
