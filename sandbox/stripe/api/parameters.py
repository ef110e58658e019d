"""Stripe's form encoding read strictly: every parameter is on an allow-list or the call is refused."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

from sandbox.stripe.errors import RefusedError

Raw: TypeAlias = "str | dict[str, Raw]"

KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Return the tree that bracketed form keys such as `a[0][b]` describe."""
    tree: dict[str, Raw] = {}
    for key, value in pairs:
        found = KEY.fullmatch(key)
        if found is None:
            raise _unknown([key])
        _insert(tree, [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])], value, key)
    return tree


def _insert(tree: dict[str, Raw], path: list[str], value: str, key: str) -> None:
    for step in path[:-1]:
        child = tree.setdefault(step or str(len(tree)), {})
        if isinstance(child, str):
            raise RefusedError(f"Invalid object: {key} is both a value and a group", param=key)
        tree = child
    last = path[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise RefusedError(f"Invalid object: {key} is both a value and a group", param=key)
    tree[last] = value


class Field(Protocol):
    """What a parameter may hold; `param` is its full bracketed name, for error messages."""

    @property
    def required(self) -> bool:
        """Whether leaving it out is an error."""

    def read(self, raw: Raw, param: str) -> object:
        """Return the value, or raise the refusal Stripe would answer with."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A string; an empty one means "unset", which only some parameters allow."""

    longest: int = 5000
    required: bool = False
    unsettable: bool = False
    choices: frozenset[str] = frozenset()

    def read(self, raw: Raw, param: str) -> str:
        """Return the string."""
        if not isinstance(raw, str):
            raise RefusedError(f"Invalid string: {param} must be a string", param=param)
        if not raw and not self.unsettable:
            raise _empty(param)
        if len(raw) > self.longest:
            raise RefusedError(
                f"Invalid string: {raw[:10]}...{raw[-10:]}; must be at most {self.longest} characters",
                param=param,
            )
        if self.choices and raw not in self.choices:
            listed = ", ".join(sorted(self.choices))
            raise RefusedError(f"Invalid {param}: must be one of {listed}", param=param)
        return raw


@dataclass(frozen=True, kw_only=True)
class Url:
    """An absolute http(s) address."""

    required: bool = False

    def read(self, raw: Raw, param: str) -> str:
        """Return the address as it came, placeholder and all."""
        text = Text().read(raw, param)
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RefusedError("Not a valid URL", code="url_invalid", param=param)
        return text


@dataclass(frozen=True, kw_only=True)
class Email:
    """An e-mail address, checked as loosely as Stripe checks it."""

    required: bool = False
    unsettable: bool = False

    def read(self, raw: Raw, param: str) -> str:
        """Return the address."""
        text = Text(longest=512, unsettable=self.unsettable).read(raw, param)
        if text and not EMAIL.fullmatch(text):
            raise RefusedError(f"Invalid email address: {text}", code="email_invalid", param=param)
        return text


@dataclass(frozen=True, kw_only=True)
class Whole:
    """An integer within bounds."""

    least: int = 0
    most: int = 10**15
    required: bool = False

    def read(self, raw: Raw, param: str) -> int:
        """Return the integer; `10.5`, `1e3` and `NaN` are what a float in the client looks like here."""
        if not isinstance(raw, str) or not INTEGER.fullmatch(raw):
            raise RefusedError(f"Invalid integer: {raw}", code="parameter_invalid_integer", param=param)
        number = int(raw)
        if number < self.least:
            raise RefusedError(
                f"Invalid integer: {param} must be greater than or equal to {self.least}",
                code="parameter_invalid_integer",
                param=param,
            )
        if number > self.most:
            raise RefusedError(
                f"Invalid integer: {param} must be less than or equal to {self.most}",
                code="parameter_invalid_integer",
                param=param,
            )
        return number


@dataclass(frozen=True, kw_only=True)
class Flag:
    """`true` or `false`, and no other spelling."""

    required: bool = False

    def read(self, raw: Raw, param: str) -> bool:
        """Return the truth value."""
        if raw not in ("true", "false"):
            raise RefusedError(f"Invalid boolean: {raw}", param=param)
        return raw == "true"


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Up to 50 keys of 40 characters with values of 500."""

    required: bool = False

    def read(self, raw: Raw, param: str) -> dict[str, str]:
        """Return the pairs; an empty value unsets its key."""
        if raw == "":
            return {}
        if not isinstance(raw, dict):
            raise RefusedError("Invalid hash", param=param)
        if len(raw) > 50:  # noqa: PLR2004 - Stripe's limit, said in the docstring and the message
            raise RefusedError(f"You can only have 50 metadata keys, you passed {len(raw)}.", param=param)
        return {key: self._value(key, value, param) for key, value in raw.items()}

    @staticmethod
    def _value(key: str, value: Raw, param: str) -> str:
        here = f"{param}[{key}]"
        if len(key) > 40:  # noqa: PLR2004 - see above
            raise RefusedError(f"Metadata keys can have up to 40 characters: {key}", param=here)
        if not isinstance(value, str):
            raise RefusedError("Metadata values must be strings", param=here)
        if len(value) > 500:  # noqa: PLR2004 - see above
            raise RefusedError(
                f"Metadata values can have up to 500 characters, but you passed in {len(value)}.", param=here
            )
        return value


@dataclass(frozen=True, kw_only=True)
class Series:
    """An array, sent either as `a[]=..` or as `a[0]=..`."""

    of: Field
    longest: int = 100
    required: bool = False

    def read(self, raw: Raw, param: str) -> list[object]:
        """Return the items in the order of their indexes."""
        if not isinstance(raw, dict) or not all(key.isdecimal() for key in raw):
            raise RefusedError("Invalid array", param=param)
        if len(raw) > self.longest:
            raise RefusedError(f"Array {param} exceeded maximum {self.longest} allowed elements", param=param)
        return [self.of.read(raw[key], f"{param}[{key}]") for key in sorted(raw, key=int)]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A set of named parameters; anything else inside it is refused by name."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    required: bool = False

    def read(self, raw: Raw, param: str = "") -> dict[str, Any]:
        """Return the values of the parameters that were sent."""
        if not isinstance(raw, dict):
            raise RefusedError("Invalid object", param=param)
        unknown = [_inside(param, name) for name in raw if name not in self.fields]
        if unknown:
            raise _unknown(unknown)
        for name, allowed in self.fields.items():
            if allowed.required and name not in raw:
                raise _absent(_inside(param, name))
        return {name: self.fields[name].read(value, _inside(param, name)) for name, value in raw.items()}


@dataclass(frozen=True, kw_only=True)
class Span:
    """A moment or a range of moments, in unix seconds: `created=5` or `created[gte]=5`."""

    required: bool = False

    def read(self, raw: Raw, param: str) -> dict[str, int]:
        """Return the bounds by operator; a bare moment is `eq`."""
        if isinstance(raw, str):
            return {"eq": Whole().read(raw, param)}
        return Group(fields={name: Whole() for name in ("gt", "gte", "lt", "lte")}).read(raw, param)


def _inside(param: str, name: str) -> str:
    return f"{param}[{name}]" if param else name


def _unknown(params: list[str]) -> RefusedError:
    noun = "parameter" if len(params) == 1 else "parameters"
    return RefusedError(f"Received unknown {noun}: {', '.join(params)}", code="parameter_unknown", param=params[0])


def _absent(param: str) -> RefusedError:
    return RefusedError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def _empty(param: str) -> RefusedError:
    return RefusedError(
        f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a"
        f" parameter; however '{param}' cannot be unset.",
        code="parameter_invalid_empty",
        param=param,
    )
