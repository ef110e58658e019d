"""The shape of the house: who imports whom, by module and by folder. `python -m tests.house.structure` prints it.

A floor is how many imports stand below a thing: what imports nothing of ours is on the first. In each folder its
entries are looked at as wholes: a folder imports what anything in it imports.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[2]
SHIPPED = ("payproc", "web", "tasks")
# The rooms of the core stand on each other; the fronts and the tools around it stand on all of it.
CORE = "payproc"

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Module:
    """A file of ours by its dotted name."""

    name: str
    path: Path
    is_package: bool

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


@cache
def modules(*folders: str) -> Mapping[str, Module]:
    """Every module below these folders, by its name."""
    found = {}
    for path in sorted(each for folder in folders for each in (ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name=name, path=path, is_package=is_package)
    return found


def imports(module: Module, known: Iterable[str]) -> frozenset[str]:
    """Which of the known modules a module imports, wherever in its text."""
    found = set()
    for node in ast.walk(ast.parse(module.text)):
        match node:
            case ast.ImportFrom(module=str(source), names=names):
                for name in names:
                    inner = f"{source}.{name.name}"
                    found.add(inner if inner in known else source)
            case ast.Import(names=names):
                found |= {name.name for name in names}
    return frozenset(found & set(known) - {module.name})


@cache
def module_graph(*folders: str) -> Graph:
    """Modules and what they import."""
    known = modules(*folders)
    return {name: imports(module, known.keys()) for name, module in known.items()}


def room_graph(graph: Graph, folder: str) -> Graph:
    """The entries of a folder, each with the entries beside it that anything in it imports."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for importer, imported in graph.items():
        room = _room(importer, folder)
        if room is not None:
            rooms[room] |= {found for each in imported if (found := _room(each, folder))} - {room}
    return {room: frozenset(beside) for room, beside in rooms.items()}


def _room(module: str, folder: str) -> str | None:
    if folder and not module.startswith(f"{folder}."):
        return None
    below = module.removeprefix(f"{folder}.") if folder else module
    return f"{folder}.{below.partition('.')[0]}" if folder else below.partition(".")[0]


def floors(graph: Graph) -> dict[str, int]:
    """On which floor each node stands. Raises CycleError where there is a circle."""
    standing: dict[str, int] = {}
    for node in TopologicalSorter(graph).static_order():
        standing[node] = 1 + max((standing[below] for below in graph.get(node, ())), default=0)
    return standing


def core_and_fronts(graph: Graph) -> Graph:
    """The rooms of the core, with the fronts (web, tasks) as rooms beside them."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for importer, imported in graph.items():
        room = _house_room(importer)
        rooms[room] |= {_house_room(each) for each in imported} - {room}
    return {room: frozenset(below) for room, below in rooms.items()}


def _house_room(module: str) -> str:
    return _room(module, CORE) or module.partition(".")[0]


def circle(graph: Graph) -> list[str]:
    """One circle of the graph, or nothing."""
    try:
        floors(graph)
    except CycleError as found:
        return list(found.args[1])
    return []


def folders_of(*roots: str) -> list[Path]:
    """Every folder that holds code of ours."""
    found = {path.parent for root in roots for path in (ROOT / root).rglob("*.py")}
    return sorted(found)


def entries(folder: Path) -> list[str]:
    """What a reader sees in a folder, without what Python wants there (`__init__`, `__main__`)."""
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith(("__", ".")) and _is_kept(each))


def _is_kept(entry: Path) -> bool:
    # What git has left behind of a folder that moved is no entry: Python's caches keep it alive.
    return entry.is_file() or any(each.suffix != ".pyc" for each in entry.rglob("*") if each.is_file())


def function_lengths(*folders: str) -> dict[str, int]:
    """Lines of every function, by its place."""
    return {
        f"{module.name}.{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules(*folders).values()
        for node in ast.walk(ast.parse(module.text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def module_lengths(*folders: str) -> dict[str, int]:
    """Lines of every module."""
    return {name: module.text.count("\n") for name, module in modules(*folders).items()}


def main() -> None:
    """Print the figures, and where the house is highest."""
    graph = module_graph(*SHIPPED)
    rooms, standing = floors(core_and_fronts(graph)), floors(graph)
    print(f"folders: {max(rooms.values())} floors")
    for floor in sorted(set(rooms.values())):
        print(f"  {floor:2} {', '.join(sorted(room for room in rooms if rooms[room] == floor))}")
    highest = max(standing, key=lambda name: standing[name])
    print(f"modules: {standing[highest]} floors, as {' > '.join(_way_down(highest, graph, standing))}")
    fullest = max(folders_of(*SHIPPED), key=lambda folder: len(entries(folder)))
    print(f"fullest folder: {fullest.relative_to(ROOT)} with {len(entries(fullest))} entries")
    lengths = sorted(function_lengths(*SHIPPED).values())
    spread = f"median {median(lengths):.0f}, 90th percentile {quantiles(lengths, n=10)[-1]:.0f}, longest {lengths[-1]}"
    print(f"functions: {len(lengths)}, {spread} lines")
    lines = module_lengths(*SHIPPED)
    longest = max(lines, key=lambda name: lines[name])
    print(f"modules: {len(lines)}, {sum(lines.values())} lines, the longest {longest} with {lines[longest]}")


def _way_down(module: str, graph: Graph, standing: Mapping[str, int]) -> Iterator[str]:
    yield module
    below = [each for each in graph[module] if standing[each] == standing[module] - 1]
    if below:
        yield from _way_down(min(below), graph, standing)


if __name__ == "__main__":
    main()
