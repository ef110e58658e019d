"""A person's shell and a stack: what it may set there, and the file that points a second shell at it."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import SecretStr

from payproc.bootstrap import settings_type
from sandbox.stack.site import PLUMBING, Site


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a shell exports for payproc: `taken` with its value, and by name what is not."""

    taken: Mapping[str, str]
    dropped: tuple[str, ...]


def wishes(environment: Mapping[str, str]) -> Wishes:
    """Sort what a shell exports for payproc.

    A stack stays on this machine and shares nothing with another place: its own addresses and accounts are not
    replaced, no other address is called, and nobody's secret is taken.
    """
    ours = {name.upper(): field for name, field in settings_type().model_fields.items()}
    given = {name: value for name, value in environment.items() if name in ours and value}
    dropped = sorted(name for name in given if _leads_away(name, ours[name].annotation))
    return Wishes(taken={name: value for name, value in given.items() if name not in dropped}, dropped=tuple(dropped))


def _leads_away(name: str, annotation: object) -> bool:
    secret = SecretStr in (annotation, *get_args(annotation))
    # The simulator speaks one version of Stripe's API, and one of Stripe's pages needs no key.
    return secret or name in PLUMBING or name.endswith("_URL") or name.startswith("STRIPE_")


def env_file(site: Site) -> Path:
    """File to source in another shell."""
    return site.directory / "env"


def write(site: Site) -> None:
    """Write the file that makes `python -m payproc` speak to this stack, for its owner's eyes only."""
    told = {"PATH": f"{Path(sys.executable).parent}:$PATH"}
    lines = [f'export {name}="{value}"' for name, value in told.items()]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in site.settings().items()]
    descriptor = os.open(env_file(site), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("\n".join(lines) + "\n")


def source_line(site: Site) -> str:
    """Return the line to type for it, as short as it can be from here."""
    path = env_file(site)
    here = Path.cwd()
    return f". {shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))}"
