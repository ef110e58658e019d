"""Statements of the wallets, as their portals give them and as they come out wrong."""

from collections.abc import Sequence
from decimal import Decimal

from sandbox.wallets.statement import statement
from sandbox.wallets.transactions import Gateway
from tests.simulation.actions.choosing import NothingToDo
from tests.simulation.portals import Column, import_text, moved_by
from tests.simulation.shop import Shop


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
    for place in (Column.GROSS, Column.NET):
        fields[place] = str(Decimal(fields[place]) + 1)
    return ",".join(fields)
