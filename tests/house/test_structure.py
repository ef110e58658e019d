"""The shape of the house, held: floors, circles, full folders, long functions. `structure` prints the figures."""

from pathlib import Path
from statistics import median, quantiles

import pytest

from tests.house import structure
from tests.house.structure import ROOT, SHIPPED

EVERYWHERE = (*SHIPPED, "sandbox", "tests")


def test_the_rooms_stand_on_thirteen_floors_at_most() -> None:
    assert max(structure.floors(structure.core_and_fronts(structure.module_graph(*SHIPPED))).values()) <= 13


def test_the_modules_stand_on_eighteen_floors_at_most() -> None:
    assert max(structure.floors(structure.module_graph(*SHIPPED)).values()) <= 18


def test_no_module_imports_itself_in_a_circle() -> None:
    assert structure.circle(structure.module_graph(*SHIPPED)) == []


@pytest.mark.parametrize("folder", structure.folders_of(*SHIPPED), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_entries_of_a_folder_import_each_other_in_no_circle(folder: Path) -> None:
    dotted = ".".join(folder.relative_to(ROOT).parts)
    assert structure.circle(structure.room_graph(structure.module_graph(*SHIPPED), dotted)) == []


@pytest.mark.parametrize("folder", structure.folders_of(*EVERYWHERE), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_folder_holds_more_than_fourteen_entries(folder: Path) -> None:
    assert len(structure.entries(folder)) <= 14, structure.entries(folder)


def test_functions_are_short() -> None:
    lengths = structure.function_lengths(*SHIPPED)
    assert median(lengths.values()) <= 8
    assert quantiles(lengths.values(), n=10)[-1] <= 20
    assert {place: lines for place, lines in lengths.items() if lines > 50} == {}


def test_no_module_is_longer_than_a_sitting() -> None:
    assert {name: lines for name, lines in structure.module_lengths(*SHIPPED).items() if lines > 350} == {}


def test_the_contract_of_layers_names_folders_only() -> None:
    lines = (
        (ROOT / ".importlinter").read_text(encoding="utf-8").split("[importlinter:contract:layers]")[1].split("[")[0]
    )
    named = [room.strip() for line in lines.partition("layers =\n")[2].splitlines() for room in line.split("|")]
    files = [room for room in named if not (ROOT / "payproc" / room).is_dir()]
    # The three that are files stand in the house's own folder: the drawing of errors, the parts, and who joins them.
    assert files == ["bootstrap", "application", "errors"]


# --- The figures can be wrong -----------------------------------------------------------------------------------------

GRAPH = {"web.a": {"payproc.x.b"}, "payproc.x.b": {"payproc.y.c"}, "payproc.y.c": {"payproc.x.d"}, "payproc.x.d": set()}


def test_a_circle_of_folders_is_found_where_its_files_have_none() -> None:
    graph = {name: frozenset(below) for name, below in GRAPH.items()}
    assert structure.circle(graph) == []
    assert set(structure.circle(structure.room_graph(graph, "payproc"))) == {"payproc.x", "payproc.y"}


def test_a_floor_is_counted_from_below() -> None:
    graph = {name: frozenset(below) for name, below in GRAPH.items()}
    assert structure.floors(graph) == {"payproc.x.d": 1, "payproc.y.c": 2, "payproc.x.b": 3, "web.a": 4}
