"""Providers stand apart: what is outside a provider's folder knows it by its registration alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

from payproc.providers.registry import PROVIDERS

HOUSE = Path(__file__).parents[2] / "payproc" / "providers"


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{name.name}" for name in names)


def _others(path: Path, text: str) -> set[str]:
    """The providers that a module below `providers` imports and does not belong to."""
    own = path.relative_to(HOUSE).parts[0]
    named = {name.split(".")[2] for name in _imported(text) if name.startswith("payproc.providers.")}
    return named & set(PROVIDERS) - {own}


def test_every_provider_has_its_folder() -> None:
    assert [method for method in PROVIDERS if not (HOUSE / method / "registration.py").is_file()] == []


def test_no_provider_imports_another_and_what_they_share_imports_none() -> None:
    modules = [path for path in HOUSE.rglob("*.py") if path != HOUSE / "registry.py"]
    assert {str(path): found for path in modules if (found := _others(path, path.read_text()))} == {}


def test_an_import_of_another_provider_is_found() -> None:
    wire = HOUSE / "jazz_cash" / "wire.py"
    assert _others(wire, "from payproc.providers import stripe") == {"stripe"}
    assert _others(wire, "from payproc.providers.easy_paisa.values import CURRENCY") == {"easy_paisa"}
    assert _others(wire, "from payproc.providers.jazz_cash.values import CURRENCY") == set()
    assert _others(HOUSE / "transport" / "http.py", "import payproc.providers.stripe.wire") == {"stripe"}
