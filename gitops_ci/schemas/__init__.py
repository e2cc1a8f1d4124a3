"""The JSON Schemas of the four kinds of file, and the one check of a document's shape against them.

Pure; the schemas are package data. Rules that a schema cannot say belong to the kind's own module.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any

from gitops_ci.errors import ConfigError
from gitops_ci.yamldoc import MAX_FINDINGS, Document
from gitops_ci.yamltree import Path, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

KINDS = ("application", "ops-repository", "hold", "release")

_MAX_ERRORS = 1000
_NOT_ONE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "`true` or `false`",
}

Fault = tuple[Path, str]


@cache
def schema_text(kind: str) -> str:
    """The schema of one of `KINDS`, as the JSON text that editors read."""
    return resources.files(__name__).joinpath(f"{kind}.schema.json").read_text(encoding="utf-8")


def validate(kind: str, document: Document) -> None:
    """Check a document's shape; `ConfigError` names file, line and path of every finding."""
    refuse(kind, document, _faults(kind, document.value))


def refuse(kind: str, document: Document, faults: Iterable[Fault]) -> None:
    """Raise one `ConfigError` of all faults, in the order of their lines; nothing where none is."""
    problems = [document.problem(path, message) for path, message in dict.fromkeys(faults)]
    if not problems:
        return
    problems.sort(key=lambda problem: problem.line)
    kept = problems[:MAX_FINDINGS]
    if more := len(problems) - len(kept):
        kept.append(document.problem((), f"and {more} findings more"))
    raise ConfigError(*kept, hint=f"`gitops-ci schema {kind}` prints what is allowed")


def _faults(kind: str, value: Any) -> Iterator[Fault]:
    head = list(_wrong_kind(kind, value))
    yield from head
    if head:
        return
    blurred = dict(_control_characters(value, ()))
    yield from blurred.items()
    told = set(blurred)
    for error in islice(_validator(kind).iter_errors(value), _MAX_ERRORS):
        path = tuple(error.absolute_path)
        if path not in told:
            yield from _in_words(error, path)
        if not isinstance(error.instance, dict):
            told.add(path)


def _wrong_kind(kind: str, value: Any) -> Iterator[Fault]:
    """A file of another kind is one finding, not one per key."""
    if not isinstance(value, dict):
        yield (), f"expected a mapping, found {_kind_of(value)}"
        return
    properties = json.loads(schema_text(kind))["properties"]
    for key in ("apiVersion", "kind"):
        expected = properties[key]["const"]
        if key in value and value[key] != expected:
            yield (key,), f"expected `{expected}`, found {_quoted(value[key])}"


def _control_characters(value: Any, path: Path) -> Iterator[Fault]:
    if isinstance(value, str) and (found := _NOT_ONE_LINE.search(value)):
        yield path, f"expected one line of text, found the character U+{ord(found[0]):04X}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _control_characters(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _control_characters(item, (*path, index))


@cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    checker = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    )
    extend: Callable[..., type[Draft202012Validator]] = validators.extend
    strict = extend(Draft202012Validator, {"uniqueItems": _unique_items}, type_checker=checker)
    registry: Registry[Any] = Registry()  # an explicit empty one never fetches a `$ref`
    return strict(json.loads(schema_text(kind)), registry=registry)


def _unique_items(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[ValidationError]:
    """As the draft says, in one pass, and with the path of each repeated text."""
    from jsonschema import ValidationError

    seen: set[str] = set()
    texts = ((n, item) for n, item in enumerate(items) if isinstance(item, str))
    for index, item in texts if wanted and isinstance(items, list) else ():
        if item in seen:
            yield ValidationError("repeated", validator="uniqueItems", path=[index], instance=item)
        seen.add(item)


def _in_words(error: ValidationError, path: Path) -> Iterator[Fault]:
    schema: Any = error.schema
    found: Any = error.instance
    limit: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(found, schema["properties"], path)
        case "required":
            yield from ((path, f"`{key}` is missing") for key in limit if key not in found)
        case "anyOf":
            keys = ", ".join(f"`{option['required'][0]}`" for option in limit)
            yield path, f"needs at least one of {keys}"
        case "type":
            yield path, f"expected {_TYPES[str(limit)]}, found {_found(found, str(limit))}"
        case "enum":
            yield path, _not_one_of(found, limit)
        case "pattern":
            yield path, f"expected {schema['title']}, found {_quoted(found)}"
        case "uniqueItems":
            yield path, f"{_quoted(found)} stands in the list already"
        case _:
            yield path, _out_of_bounds(str(error.validator), found, limit)


def _unknown_keys(found: Iterable[str], known: Iterable[str], path: Path) -> Iterator[Fault]:
    names = list(known)
    for key in found:
        if key not in names:
            yield (*path, key), f"unknown key `{shown(key)}`{_nearest(key, names)}"


def _not_one_of(found: Any, allowed: list[str]) -> str:
    words = ", ".join(f"`{word}`" for word in allowed)
    nearest = _nearest(found, allowed) if isinstance(found, str) else ""
    return f"expected one of {words}, found {_quoted(found)}{nearest}"


def _nearest(word: str, words: list[str]) -> str:
    normal = word[:100].strip().lower()
    near = difflib.get_close_matches(normal, words, n=1)
    return f", did you mean `{near[0]}`?" if near else ""


def _out_of_bounds(rule: str, found: Any, limit: Any) -> str:
    match rule:
        case "minimum" | "maximum":
            word = "least" if rule == "minimum" else "most"
            return f"expected {limit} at the {word}, found {found}"
        case "minLength" | "minItems":
            return "is empty"
        case "maxLength":
            return f"has {len(found)} characters, {limit} are allowed"
        case "maxItems":
            return f"has {len(found)} entries, {limit} are allowed"
    return f"does not satisfy `{rule}`"


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return _TYPES["boolean"]
        case int() | float():
            return "a number"
        case str():
            return "text"
    return _TYPES["object" if isinstance(value, dict) else "array"]


def _found(value: Any, expected: str) -> str:
    scalar = isinstance(value, bool | int | float)
    advice = " (quote it)" if scalar and expected == "string" else ""
    return f"{_kind_of(value)}{advice}"


def _quoted(value: Any) -> str:
    if value == "":
        return "empty text"
    return f"`{shown(value)}`" if isinstance(value, str) else _kind_of(value)
