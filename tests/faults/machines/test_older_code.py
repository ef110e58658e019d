"""The release before goes on working on the newest tables: its own tests say so, over our migrations instead of its.

Needs the history: where a clone is shallow there is no release before to try.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import ROOT

pytestmark = [pytest.mark.full, pytest.mark.long]

# What a card payment goes through, from its checkout to its receipt.
TRIED = (
    "tests/integration/test_card_payments.py",
    "tests/integration/test_notices.py",
    "tests/integration/test_polls.py",
)


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S607 (whichever git this machine has)


def newest_migration() -> str:
    [*_, newest] = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))
    return f"migrations/versions/{newest}"


def code_before(migration: str) -> str | None:
    """Return the commit before the one that brought a migration; None where the history does not reach so far."""
    added = git("log", "--diff-filter=A", "--format=%H %P", "-1", "--", migration).split()
    return added[1] if len(added) > 1 else None


def extracted(commit: str, directory: Path) -> Path:
    """Lay the code of a commit out, over the migrations of today."""
    with subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE) as archive:  # noqa: S607 (as above)
        subprocess.run(["tar", "-x", "-C", str(directory)], stdin=archive.stdout, check=True)  # noqa: S607 (as above)
    # How they are run is the code's own affair: `env.py` imports it.
    versions = Path("migrations", "versions")
    shutil.rmtree(directory / versions)
    shutil.copytree(ROOT / versions, directory / versions, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def test_the_code_before_the_newest_migration_works_on_its_tables(place: Path) -> None:
    commit = code_before(newest_migration())
    assert commit is not None, "a shallow clone has no release before: git fetch --unshallow"
    directory = place / "before"
    directory.mkdir()
    extracted(commit, directory)
    tried = [path for path in TRIED if (directory / path).exists()]
    assert tried, "the release before has none of these tests: name others"
    environment = {name: value for name, value in os.environ.items() if not re.match("PYTEST|PYTHON", name)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", f"--basetemp={place / 'before-tests'}", *tried],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
