"""Statements of the wallets, as their portals give them and as they come out wrong."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.reconcile.statements import importer
from sandbox.wallets.statement import statement
from sandbox.wallets.transactions import Gateway
from tests.simulation.actions.choosing import NothingToDo
from tests.simulation.world.shop import Shop

METHODS = {Gateway.JAZZCASH: JAZZ_CASH, Gateway.EASYPAISA: EASY_PAISA}


class _Column(IntEnum):
    """Where things stand in a line of the simulated portals."""

    REFERENCE = 0
    NAME = 1
    TYPE = 3
    STATUS = 4
    GROSS = 5
    FEE = 6
    TAX = 7
    NET = 8


@dataclass(frozen=True, kw_only=True)
class Movement:
    """What a line moved of whose balance: gross, fee and net, in paisa and with the books' signs."""

    id: str
    reference: str
    moved: tuple[int, int, int]


def moved_by(line: str) -> Movement | None:
    """Read a line of a simulated portal; None for one that moved nothing."""
    fields = line.split(",")
    if fields[_Column.STATUS] != "paid":
        return None
    gross, fee, tax, net = (
        round(100 * float(fields[each])) for each in (_Column.GROSS, _Column.FEE, _Column.TAX, _Column.NET)
    )
    sign = 1 if fields[_Column.TYPE] == "sale" else -1
    return Movement(
        id=f"{fields[_Column.NAME]}:{fields[_Column.TYPE]}",
        reference=fields[_Column.REFERENCE],
        moved=(sign * gross, sign * (fee + tax), sign * net),
    )


def bring_a_statement(shop: Shop, who: int, how: int) -> None:
    """Import a wallet's statement: whole, or with lines that are missing, come late, twice, or with another amount."""
    gateway = list(Gateway)[who % 2]
    header, *lines = statement(shop.wallets.ledger.all_of(gateway)).splitlines()
    kept = _told(shop, lines, who // 2, how)
    if not kept:
        raise NothingToDo
    import_text(shop, gateway, [header, *kept])


def _told(shop: Shop, lines: Sequence[str], who: int, how: int) -> list[str]:
    if not lines:
        return []
    place = who % len(lines)
    match how % 6:
        case 0:
            # The others come with a later one.
            return list(lines[: len(lines) // 2])
        case 1:
            return [*lines[:place], *lines[place + 1 :]]
        case 2:
            return [*lines, lines[place]]
        case 3:
            return [*lines[:place], _of_another_amount(shop, lines[place]), *lines[place + 1 :]]
        case _:
            return list(lines)


def _of_another_amount(shop: Shop, line: str) -> str:
    told = moved_by(line)
    if told is None:
        return line
    shop.lied_about.add(told.id)
    fields = line.split(",")
    for place in (_Column.GROSS, _Column.NET):
        fields[place] = f"{float(fields[place]) + 1:.2f}"
    return ",".join(fields)


def import_text(shop: Shop, gateway: Gateway, lines: Sequence[str]) -> None:
    """Import what stands in these lines, as the command line does with a file."""
    text = "\n".join(lines) + "\n"
    path = Path(shop.directory) / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.csv"
    path.write_text(text, encoding="utf-8")
    importer.import_statement(shop.app, METHODS[gateway], path)


def import_everything(shop: Shop) -> None:
    """Import what both wallets' portals say, to the last line."""
    for gateway in Gateway:
        header, *lines = statement(shop.wallets.ledger.all_of(gateway)).splitlines()
        if lines:
            import_text(shop, gateway, [header, *lines])
