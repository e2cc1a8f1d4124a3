"""Sets scalars in YAML that people own, by splicing: all other bytes stay as they are.

Pure. Nothing is created, moved or dumped; what cannot be changed without touching something else
is refused, with the place and the way out.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from gitops_ci import yamldoc, yamltree
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.yamltree import Alias, Node, Path, Scalar, Sequence, dollar, shown

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_TYPED = re.compile(  # by YAML 1.1 or 1.2: Helm's parser and ours need not agree
    r"(?i:y|n|yes|no|on|off|true|false|null)"
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?"
    r"|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"
    r"|[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"
)
_LINE_END = re.compile(r"[\r\n]|\Z")
_TELLING = ("tag", "image", "digest", "repository", "version")
_MAX_CANDIDATES = 2000
_MAX_HINTS = 8


@dataclass(frozen=True, slots=True)
class _Change:
    """One scalar's new text, and its entry: the text from its key to the end of its line."""

    path: Path
    line: int
    start: int
    end: int
    written: str
    entry: str
    expected: str | dict[str, str]


def set_scalars(text: str, edits: Mapping[str, str], *, source: str) -> str:
    """`text` with the scalar at each dotted key set; a number in a key counts in a list.

    `ConfigError` names every key that cannot be set. Quotes are kept; plain text that YAML would
    read as something else than text gets double quotes.
    """
    finder = _Finder(text, source=source)
    changes: list[_Change] = []
    problems: list[Problem] = []
    hints: list[str] = []
    for key, value in edits.items():
        try:
            changes.append(finder.change(key, value))
        except ConfigError as error:
            problems.extend(error.problems)
            hints.append(error.hint or "")
    if problems:
        raise ConfigError(*problems, hint="; ".join(list(dict.fromkeys(hints))[:_MAX_HINTS]))
    _prove(changes, source)
    return _spliced(text, changes)


def scalar_paths(text: str, *, source: str) -> tuple[str, ...]:
    """The dotted keys that `set_scalars` can set, in the order of the file."""
    return tuple(_settable(yamltree.parse(text, source=source), ()))


def _spliced(text: str, changes: list[_Change]) -> str:
    pieces, at = [], 0
    for change in sorted(changes, key=lambda change: change.start):
        pieces += [text[at : change.start], change.written]
        at = change.end
    return "".join([*pieces, text[at:]])


def _prove(changes: list[_Change], source: str) -> None:
    """Read every changed entry again: it must hold its key and the wanted text, nothing else."""
    if _reads_back(changes):
        return
    culprit = next((change for change in changes if not _reads_back([change])), changes[0])
    raise ConfigError(
        Problem(
            source,
            culprit.line,
            dollar(culprit.path),
            "cannot be set without touching its neighbours",
        ),
        hint="write the entry as `key: value` on a line of its own",
    )


def _reads_back(changes: list[_Change]) -> bool:
    listed = "".join(f"-\n{change.entry}\n" for change in changes)
    try:
        found = yamldoc.load(listed, source="")
    except ConfigError:
        return False
    return (found.value or []) == [change.expected for change in changes]


class _Finder:
    """Finds the scalars of one text, or says why they cannot be set."""

    def __init__(self, text: str, *, source: str) -> None:
        self._text, self._source = text, source
        self._root = yamltree.parse(text, source=source)
        self._named: dict[int, dict[str, list[tuple[Scalar, Node]]]] = {}

    def change(self, key: str, value: str) -> _Change:
        path: Path = ()
        node, name = self._root, None
        for part in key.split("."):
            self._check_open(node, path)
            node, name, step = self._child(node, part, path, key)
            path = (*path, step)
        scalar = self._settable_scalar(node, path, at=name or node)
        if "\n" in value or "\r" in value:
            raise self._refusal(node, path, "the new value has several lines", "give one line")
        written = _written(value, scalar.style)
        entry = self._entry(name or scalar, scalar, written)
        expected = {name.value: value} if name else value
        return _Change(path, scalar.line, scalar.start, scalar.end, written, entry, expected)

    def _entry(self, first: Scalar, scalar: Scalar, written: str) -> str:
        """The changed entry by itself, one column further right so that it can be listed."""
        text = self._text
        begin = max(text.rfind("\n", 0, first.start), text.rfind("\r", 0, first.start)) + 1
        end = _LINE_END.search(text, scalar.end)
        tail = text[scalar.end : end.start() if end else len(text)]
        between = text[first.start : scalar.start].replace("\n", "\n ")
        return " " * (first.start - begin + 1) + between + written + tail

    def _child(
        self, node: Node, part: str, path: Path, key: str
    ) -> tuple[Node, Scalar | None, str | int]:
        if isinstance(node, Sequence):
            if part.isascii() and part.isdigit() and part == str(int(part[:9])):
                index = int(part)
                if index < len(node.items):
                    return node.items[index], None, index
            raise self._missing(node, path, part, key)
        name, value = self._entry_of(node, part, path, key)
        return value, name, part

    def _entry_of(self, node: Node, part: str, path: Path, key: str) -> tuple[Scalar, Node]:
        entries = self._entries(node)
        found = entries.get(part, [])
        if len(found) == 1:
            return found[0]
        if found:
            what = f"key `{shown(part)}` stands here {len(found)} times"
            raise self._refusal(found[1][0], (*path, part), what, "remove one of them")
        if "<<" in entries:
            what = f"key `{shown(part)}` is missing, or known only through a merge key"
            raise self._refusal(node, (*path, part), what, "write the key out in this mapping")
        raise self._missing(node, path, part, key)

    def _entries(self, node: Node) -> dict[str, list[tuple[Scalar, Node]]]:
        """The entries of a mapping by their keys; made once, for many edits of a large file."""
        if id(node) not in self._named:
            named = self._named[id(node)] = {}
            for key, value in node.entries if isinstance(node, yamltree.Mapping) else ():
                if isinstance(key, Scalar):
                    named.setdefault(key.value, []).append((key, value))
        return self._named[id(node)]

    def _missing(self, node: Node, path: Path, part: str, key: str) -> ConfigError:
        near = ", ".join(f"`{shown(name)}`" for name in _likely(self._root, key))
        hint = f"keys that can be set: {near}" if near else "add the key to the file"
        return self._refusal(node, path, f"key `{shown(part)}` is missing", hint)

    def _check_open(self, node: Node, path: Path) -> None:
        fault = _decoration(node)
        if fault:
            raise self._refusal(node, path, *fault)
        if isinstance(node, Scalar):
            hint = "name a key that holds text, or make this a mapping"
            raise self._refusal(node, path, "expected a mapping or a list, found a scalar", hint)
        if isinstance(node, Sequence | yamltree.Mapping) and node.flow:
            what = "is written in flow style (`{…}` or `[…]`)"
            raise self._refusal(node, path, what, "write it in block style, a line per key")

    def _settable_scalar(self, node: Node, path: Path, *, at: Node) -> Scalar:
        """The scalar itself, or a refusal at its key: an empty value lies at the next token."""
        fault = _decoration(node) or _scalar_fault(node)
        if fault or not isinstance(node, Scalar):
            raise self._refusal(at, path, *(fault or ("is no scalar", "")))
        return node

    def _refusal(self, node: Node, path: Path, message: str, hint: str) -> ConfigError:
        return ConfigError(Problem(self._source, node.line, dollar(path), message), hint=hint)


_Fault = tuple[str, str]


def _decoration(node: Node) -> _Fault | None:
    if isinstance(node, Alias):
        return "is an alias: setting it would change another key", "write the value out"
    if node.anchor is not None:
        return "has an anchor: other keys may take its value", "remove the anchor"
    return ("has a tag", "remove the tag") if node.tagged else None


def _scalar_fault(node: Node) -> _Fault | None:
    if not isinstance(node, Scalar):
        kind = "list" if isinstance(node, Sequence) else "mapping"
        return f"expected a scalar, found a {kind}", "name one of the keys below it"
    if node.style in {"|", ">"}:
        return "is a block scalar", 'write it as `key: "value"`'
    if node.start == node.end:
        return "has no value", 'write `""` behind the key'
    if node.line != node.last_line:
        return "goes over several lines", "write it on one line"
    return None


def _settable(node: Node, path: tuple[str, ...]) -> Iterator[str]:
    if _decoration(node):
        return
    if isinstance(node, Scalar):
        if path and not _scalar_fault(node):
            yield ".".join(path)
    elif isinstance(node, Sequence) and not node.flow:
        for index, item in enumerate(node.items):
            yield from _settable(item, (*path, str(index)))
    elif isinstance(node, yamltree.Mapping) and not node.flow:
        names = Counter(key.value for key, _ in node.entries if isinstance(key, Scalar))
        for key, item in node.entries:
            if isinstance(key, Scalar) and "." not in key.value and names[key.value] == 1:
                yield from _settable(item, (*path, key.value))


def _likely(root: Node, key: str) -> list[str]:
    paths = list(islice(_settable(root, ()), _MAX_CANDIDATES))
    near = difflib.get_close_matches(key[:200], paths, n=3)
    telling = [path for path in paths if path.lower().endswith(_TELLING)]
    return list(dict.fromkeys([*near, *telling]))[:_MAX_HINTS]


def _written(value: str, style: str) -> str:
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    if not style and _PLAIN.fullmatch(value) and not _TYPED.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
