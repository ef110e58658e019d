"""What the documents name exists: files, folders, and the tests that they call upon."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.structure import ROOT

_QUOTED = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"\btest_\w+\b")


@cache
def _documents() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607 (whichever git this machine has)
    return tuple(ROOT / path for path in listed.stdout.split())


def _named(document: Path) -> Iterator[str]:
    for quoted in _QUOTED.findall(document.read_text(encoding="utf-8")):
        if "<" not in quoted and "*" not in quoted and "…" not in quoted:
            yield quoted


@cache
def _tests() -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    return frozenset(names | {path.stem for path in (ROOT / "tests").rglob("test_*.py")})


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = {name for name in _named(document) if re.match(r"(payproc|web|tasks|tests|sandbox|migrations|docs)/", name)}
    places = {name.split()[0].rstrip("/.:,") for name in named}
    assert sorted(place for place in places if not (ROOT / place).exists()) == []


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_calls_upon_exists(document: Path) -> None:
    named = {name for quoted in _named(document) for name in _TEST.findall(quoted)}
    assert sorted(named - _tests()) == []


_LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


def _anchors(document: Path) -> set[str]:
    """Return what the headings of a document are called in an address, as GitHub calls them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    lost = []
    for place, anchor in _LINK.findall(document.read_text(encoding="utf-8")):
        if "://" in place or place.startswith("mailto:"):
            continue
        target = (document.parent / place).resolve() if place else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            lost.append(f"{place}#{anchor}")
    assert lost == []
