"""What of a document would break a client that was written against an earlier one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Schema = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_CONSTRAINTS = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_FLOORS = ("minLength", "minimum", "exclusiveMinimum", "minItems")


@dataclass(frozen=True, kw_only=True)
class Both:
    """The documents that are held against each other."""

    before: Document
    after: Document

    def breaks(self) -> Iterator[str]:
        """Name what a client of the earlier document would stumble over."""
        for path, operations in self.before["paths"].items():
            for method in _METHODS:
                if method in operations:
                    name = f"{method.upper()} {path}"
                    later = self.after["paths"].get(path, {}).get(method)
                    if later is None:
                        yield f"{name}: removed"
                    else:
                        yield from (f"{name}: {each}" for each in self._of_operation(operations[method], later))

    def _of_operation(self, before: Document, after: Document) -> Iterator[str]:
        yield from self._of_parameters(before, after)
        if "requestBody" in before or "requestBody" in after:
            yield from self._of_bodies(before.get("requestBody"), after.get("requestBody"))
        for status, answer in before["responses"].items():
            later = after["responses"].get(status)
            if later is not None:
                yield from self._of_contents(answer.get("content", {}), later.get("content", {}), status=status)
            elif status < "4":
                yield f"no longer answers {status}"

    def _of_contents(self, before: Document, after: Document, *, status: str) -> Iterator[str]:
        for media, content in before.items():
            if media not in after:
                yield f"{status}: no longer {media}"
            else:
                yield from self._of_answer(content.get("schema", {}), after[media].get("schema", {}), where=status)

    def _of_parameters(self, before: Document, after: Document) -> Iterator[str]:
        earlier, later = (
            {(each["in"], each["name"]): each for each in told.get("parameters", ())} for told in (before, after)
        )
        for key, parameter in earlier.items():
            where = " ".join(key)
            if key not in later:
                yield f"{where}: removed"
            else:
                yield from self._of_request(parameter["schema"], later[key]["schema"], where=where)
        for key, parameter in later.items():
            if parameter.get("required") and not earlier.get(key, {}).get("required"):
                yield f"{' '.join(key)}: newly required"

    def _of_bodies(self, before: Document | None, after: Document | None) -> Iterator[str]:
        if after is None:
            yield "takes no body any more"
            return
        if before is None:
            if after.get("required"):
                yield "newly needs a body"
            return
        for media, content in before["content"].items():
            if media not in after["content"]:
                yield f"no longer takes {media}"
            else:
                yield from self._of_request(content["schema"], after["content"][media]["schema"], where="body")

    def _of_request(self, before: Schema, after: Schema, *, where: str) -> Iterator[str]:
        """Name what was taken and is refused now: fields, kinds, words of a closed list, lengths; or newly needed."""
        earlier, later = _resolved(before, self.before), _resolved(after, self.after)
        if gone := _kinds(earlier, self.before) - _kinds(later, self.after):
            yield f"{where}: no longer takes {', '.join(sorted(gone))}"
        # A list that is open now takes every word.
        gone = _words(earlier, self.before) - _words(later, self.after)
        if gone and _words(later, self.after):
            yield f"{where}: no longer takes {', '.join(sorted(gone))}"
        yield from (f"{where}: {each}" for each in _tighter(earlier, later))
        known, fields = _fields(earlier, self.before), _fields(later, self.after)
        for name, schema in known.items():
            if name not in fields:
                yield f"{where}.{name}: removed"
            else:
                yield from self._of_request(schema, fields[name], where=f"{where}.{name}")
        for name in sorted(_needed(later, self.after) - _needed(earlier, self.before)):
            yield f"{where}.{name}: newly required"

    def _of_answer(self, before: Schema, after: Schema, *, where: str) -> Iterator[str]:
        """Name what was said and is not any more: fields, and their kinds."""
        earlier, later = _resolved(before, self.before), _resolved(after, self.after)
        if new := _kinds(later, self.after) - _kinds(earlier, self.before):
            yield f"{where}: may be {', '.join(sorted(new))} now"
        known, fields = _fields(earlier, self.before), _fields(later, self.after)
        for name, schema in known.items():
            if name not in fields:
                yield f"{where}.{name}: removed"
                continue
            yield from self._of_answer(schema, fields[name], where=f"{where}.{name}")
        if "items" in earlier and "items" in later:
            yield from self._of_answer(earlier["items"], later["items"], where=f"{where}[]")


def _resolved(schema: Schema, document: Document) -> Schema:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(schema: Schema, document: Document) -> list[Schema]:
    found = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return [_resolved(each, document) for each in found] if found else [schema]


def _kinds(schema: Schema, document: Document) -> set[str]:
    """Return the JSON types of a schema; what names none may be any."""
    kinds = set()
    for each in _alternatives(schema, document):
        named = each.get("type") or ("string" if "enum" in each or "const" in each else None)
        kinds |= set(named) if isinstance(named, list) else {named} if named else set()
    return kinds


def _words(schema: Schema, document: Document) -> set[str]:
    """Return the closed list that a text is one of; nothing where the list is open."""
    texts = [each for each in _alternatives(schema, document) if each.get("type") == "string" or "enum" in each]
    lists = [each.get("enum") or ([each["const"]] if "const" in each else None) for each in texts]
    return {str(word) for words in lists for word in words or ()} if all(lists) else set()


def _fields(schema: Schema, document: Document) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for each in _alternatives(schema, document):
        found |= each.get("properties", {})
    return found


def _needed(schema: Schema, document: Document) -> set[str]:
    return {name for each in _alternatives(schema, document) for name in each.get("required", ())}


def _tighter(before: Schema, after: Schema) -> Iterator[str]:
    for name in _CONSTRAINTS:
        if name in after and (name not in before or after[name] < before[name]):
            yield f"{name} is {after[name]} now"
    for name in _FLOORS:
        if name in after and (name not in before or after[name] > before[name]):
            yield f"{name} is {after[name]} now"
    if "pattern" in after and after["pattern"] != before.get("pattern"):
        yield "another pattern"
