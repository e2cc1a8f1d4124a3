"""YAML as plain data that knows its lines: the one way configuration is read.

Pure. YAML 1.2 core scalars only; anchors, aliases, merge keys, tags, duplicate keys and numbers
that would lose digits are refused, so that what a reader sees in the file is what is meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_ci import yamltree
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.yamltree import Alias, Node, Path, Scalar, Sequence, dollar, shown

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None

MAX_FINDINGS = 50

_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_ZEROS = re.compile(r"[-+]?0[0-9]+")
_ESCAPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_QUOTE = "quote it, where text is meant"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a path, and what to do about it."""

    path: Path
    line: int
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its plain value, and where everything in it stands."""

    source: str
    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The 1-based line of a node, of the nearest ancestor that exists where it is missing."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def problem(self, path: Path, message: str) -> Problem:
        """A finding about the node at `path`."""
        return Problem(self.source, self.line(path), dollar(path), message)


def load(text: str | bytes, *, source: str) -> Document:
    """Read one document; `ConfigError` names file, line and path of every finding."""
    decoded = text if isinstance(text, str) else yamltree.decode(text, source=source)
    root = yamltree.parse(decoded, source=source)
    reader = _Reader()
    value = reader.value(root, ())
    if reader.findings:
        raise _refusal(reader.findings, source)
    return Document(source, value, reader.lines)


def _refusal(findings: list[Finding], source: str) -> ConfigError:
    kept = findings[:MAX_FINDINGS]
    problems = [Problem(source, f.line, dollar(f.path), f.message) for f in kept]
    if more := len(findings) - len(kept):
        problems.append(Problem(source, findings[-1].line, "$", f"and {more} findings more"))
    return ConfigError(*problems, hint="; ".join(dict.fromkeys(f.fix for f in kept)))


class _Reader:
    """Makes plain values of nodes, and collects their lines and what is wrong with them."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.findings: list[Finding] = []

    def value(self, node: Node, path: Path) -> Value:
        self.lines.setdefault(path, node.line)
        self._check_plain_node(node, path)
        match node:
            case Scalar():
                return self._scalar(node, path)
            case Sequence():
                return [self.value(item, (*path, n)) for n, item in enumerate(node.items)]
            case yamltree.Mapping():
                return self._mapping(node, path)
        return None

    def _mapping(self, node: yamltree.Mapping, path: Path) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, name, item in self._named(node, path):
            below = (*path, name)
            if name in found:
                first = self.lines[below]
                self._say(path, key, f"key `{shown(name)}` stands in line {first} already")
                continue
            self.lines[below] = key.line
            found[name] = self.value(item, below)
        return found

    def _named(self, node: yamltree.Mapping, path: Path) -> Iterator[tuple[Node, str, Node]]:
        for key, item in node.entries:
            self._check_plain_node(key, path)
            if isinstance(key, Scalar) and key.value == "<<" and not key.style:
                self._say(path, key, "merge keys are not read", "write the values out")
            elif isinstance(key, Scalar) and isinstance(self._scalar(key, path), str):
                yield key, key.value, item
            else:
                what = f"key `{shown(key.value)}`" if isinstance(key, Scalar) else "a key"
                self._say(path, key, f"{what} is not text", "quote the key")

    def _check_plain_node(self, node: Node, path: Path) -> None:
        if isinstance(node, Alias):
            self._say(path, node, "aliases are not read", "write the value out")
        elif node.anchor is not None:
            self._say(path, node, "anchors are not read", "remove the anchor")
        if node.tagged:
            self._say(path, node, "tags are not read", "remove the tag")

    def _scalar(self, node: Scalar, path: Path) -> Value:
        if not node.style:
            fault = _number_fault(node.value)
            if fault:
                self._say(path, node, f"`{shown(node.value)}` {fault}", _QUOTE)
                return node.value
            return _plain(node.value)
        found = _ESCAPED.search(node.value)
        if found:
            what = f"contains the forbidden character U+{ord(found[0]):04X}"
            self._say(path, node, what, "write the character itself, or leave it out")
        return node.value

    def _say(self, path: Path, node: Node, message: str, fix: str = "remove one of them") -> None:
        self.findings.append(Finding(path, node.line, message, fix))


def _plain(text: str) -> Value:
    """What a plain scalar means by the YAML 1.2 core schema, where `_number_fault` finds none."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
    return float(text) if _FLOAT.fullmatch(text) else text


def _number_fault(text: str) -> str | None:
    """Why a plain scalar that looks like a number would not be read as it stands."""
    if _NOT_FINITE.fullmatch(text):
        return "is not a finite number"
    if _ZEROS.fullmatch(text):
        return "is a number with leading zeros"
    if _INT.fullmatch(text):
        return "has more than 18 digits" if len(text.lstrip("+-")) > 18 else None
    if _FLOAT.fullmatch(text):
        long = len(text) > 40 or not math.isfinite(float(text))
        return "is beyond what a number can hold" if long else None
    return None
