"""The wallets' portals: what a line of their statements says, and how a statement is imported."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path

from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.reconcile.statements import importer
from sandbox.wallets.statement import statement
from sandbox.wallets.transactions import Gateway
from tests.simulation.shop import Shop

METHODS = {Gateway.JAZZCASH: JAZZ_CASH, Gateway.EASYPAISA: EASY_PAISA}


class Column(IntEnum):
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
    if fields[Column.STATUS] != "paid":
        return None
    gross, fee, tax, net = (
        int(100 * Decimal(fields[each])) for each in (Column.GROSS, Column.FEE, Column.TAX, Column.NET)
    )
    sign = 1 if fields[Column.TYPE] == "sale" else -1
    return Movement(
        id=f"{fields[Column.NAME]}:{fields[Column.TYPE]}",
        reference=fields[Column.REFERENCE],
        moved=(sign * gross, sign * (fee + tax), sign * net),
    )


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
