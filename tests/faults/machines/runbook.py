"""A runbook's blocks, read out of the document and typed: a page that is never executed rots."""

import re
from dataclasses import dataclass
from textwrap import dedent

from tests.support.databases import ROOT

_BLOCK = re.compile(r"^( *)```sh (\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^(\d+)\. ", re.MULTILINE)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What is typed at one go: the heading and the number of the step it stands under, and as whom it is typed."""

    heading: str
    step: int
    who: str
    script: str


def blocks(name: str) -> list[Block]:
    """Return the blocks of a runbook, in its order."""
    text = (ROOT / "docs" / "runbooks" / name).read_text(encoding="utf-8")
    return [_block(text, found) for found in _BLOCK.finditer(text)]


def _block(text: str, found: re.Match[str]) -> Block:
    before = text[: found.start()]
    heading = _HEADING.findall(before)[-1]
    steps = _STEP.findall(before[before.rindex(f"## {heading}") :])
    script = dedent(found[3])
    return Block(heading=heading, step=int(steps[-1]) if steps else 0, who=found[2], script=script)


def typed(script: str) -> tuple[str, ...]:
    """Return the command of a shell that is typed a block, and stops at what fails."""
    return ("bash", "-euo", "pipefail", "-c", script)


def is_typed_whole(name: str, steps: set[tuple[str, int]]) -> bool:
    """Tell whether these headings and steps are all that have a block: none of the page is left untried."""
    return {(block.heading, block.step) for block in blocks(name)} == steps
