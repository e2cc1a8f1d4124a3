"""A YAML text as a tree of positioned nodes, read from the parser's events.

Pure. Nothing is resolved: a scalar is its text, an alias stays an alias, so no input can grow.
Size, depth and number of nodes are bounded; what the parser stumbles over is a `ConfigError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gitops_ci.errors import ConfigError, Problem

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
MAX_NODES: Final = 50_000

BOM: Final = "\ufeff"

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_UNREADABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LONG_TAG = re.compile(r"(?<![^\s\[{,:?-])![^\s]{1000}")


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes have: a span of the text, 1-based lines, and what decorates the node."""

    start: int
    end: int
    line: int
    last_line: int
    anchor: str | None
    tagged: bool


@dataclass(frozen=True, slots=True)
class Alias(Node):
    """`*name`; `anchor` is that name."""


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A text; `style` is its opening character, empty for a plain one."""

    value: str
    style: str


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """A list, in flow style (`[…]`) or block style; its span is that of its beginning."""

    flow: bool
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """A mapping, in flow style (`{…}`) or block style; its span is that of its beginning."""

    flow: bool
    entries: tuple[tuple[Node, Node], ...]


def shown(text: str, limit: int = 80) -> str:
    """Foreign text for a message: one line, printable, short."""
    head = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in head).replace("`", "'")


def dollar(path: Path) -> str:
    """A path as people write it: `$.stages[0].merge`."""
    return "$" + "".join(map(_step, path))


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f'["{shown(key)}"]'


def decode(raw: bytes, *, source: str) -> str:
    """Bytes as text; `ConfigError` with the line where they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            Problem(source, line, "$", "is not UTF-8"), hint="save the file as UTF-8"
        ) from error


def parse(text: str, *, source: str) -> Node:
    """The root node of the one document in `text`; an empty scalar where there is none."""
    _check_text(text, source)
    offset = len(BOM) if text.startswith(BOM) else 0
    return _Builder(text[offset:], source=source, offset=offset).document()


def _check_text(text: str, source: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(
            Problem(source, 1, "$", f"is larger than {MAX_BYTES // 1024} KiB"),
            hint="split it, or keep what is no configuration elsewhere",
        )
    if found := _UNREADABLE.search(text, pos=text.startswith(BOM)):
        what = f"contains the forbidden character U+{ord(found[0]):04X}"
        raise ConfigError(
            Problem(source, _line_at(text, found.start()), "$", what), hint="remove the character"
        )
    if found := _LONG_TAG.search(text):  # the parser's time grows with the square of its length
        raise ConfigError(
            Problem(source, _line_at(text, found.start()), "$", "has a tag of 1000 characters"),
            hint="remove the tag",
        )


def _line_at(text: str, index: int) -> int:
    return len(re.findall(r"\r\n|\r|\n", text[:index])) + 1


class _Builder:
    """Turns events into nodes, by recursion that `MAX_DEPTH` bounds."""

    def __init__(self, text: str, *, source: str, offset: int) -> None:
        self._source, self._offset, self._nodes = source, offset, 0
        self._events = _events(text, source=source)

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            match type(event).__name__:
                case "DocumentStartEvent":
                    self._check_start(event, first=root is None)
                case "StreamStartEvent" | "StreamEndEvent" | "DocumentEndEvent":
                    pass
                case _:
                    root = self._node(event, ())
        return root or Scalar(self._offset, self._offset, 1, 1, None, False, "", "")

    def _check_start(self, event: Any, *, first: bool) -> None:
        line = event.start_mark.line + 1
        if not first:
            raise self._refusal(line, (), "a second document begins", "keep one document in a file")
        if event.version or event.tags:
            raise self._refusal(line, (), "`%` directives are not read", "remove the `%` lines")

    def _node(self, event: Any, path: Path) -> Node:
        self._count(event, path)
        kind = type(event).__name__
        span = self._span(event)
        if kind == "ScalarEvent":
            return Scalar(*span, event.value, event.style or "")
        if kind == "AliasEvent":
            return Alias(*span)
        if kind == "SequenceStartEvent":
            return Sequence(*span, bool(event.flow_style), tuple(self._items(path)))
        return Mapping(*span, bool(event.flow_style), tuple(self._entries(path)))

    def _count(self, event: Any, path: Path) -> None:
        self._nodes += 1
        line = event.start_mark.line + 1
        if len(path) >= MAX_DEPTH and hasattr(event, "flow_style"):
            what = f"is nested deeper than {MAX_DEPTH} levels"
            raise self._refusal(line, path[:3], what, "flatten it")
        if self._nodes > MAX_NODES:
            raise self._refusal(line, (), f"has more than {MAX_NODES} values", "split the file")

    def _span(self, event: Any) -> tuple[int, int, int, int, str | None, bool]:
        start, end = event.start_mark, event.end_mark
        return (
            start.index + self._offset,
            end.index + self._offset,
            start.line + 1,
            end.line + 1,
            event.anchor,
            getattr(event, "ctag", None) is not None,
        )

    def _items(self, path: Path) -> Iterator[Node]:
        for index, event in enumerate(self._events):
            if type(event).__name__ == "SequenceEndEvent":
                return
            yield self._node(event, (*path, index))

    def _entries(self, path: Path) -> Iterator[tuple[Node, Node]]:
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                return
            key = self._node(event, (*path, "?"))
            name = key.value if isinstance(key, Scalar) else "?"
            yield key, self._node(next(self._events), (*path, name))

    def _refusal(self, line: int, path: Path, message: str, hint: str) -> ConfigError:
        return ConfigError(Problem(self._source, line, dollar(path), message), hint=hint)


def _events(text: str, *, source: str) -> Iterator[Any]:
    """The parser's events; whatever it raises on hostile text is said about that text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    line = 1
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.end_mark.line + 1
            yield event
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _syntax(source, mark.line + 1 if mark else line, error.problem) from error
    except (
        YAMLError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        TypeError,
    ) as error:
        raise _syntax(source, line, None) from error


def _syntax(source: str, line: int, problem: str | None) -> ConfigError:
    words = " ".join((problem or "it cannot be read").split())
    return ConfigError(
        Problem(source, line, "$", f"is not valid YAML: {shown(words, 160)}"),
        hint="look at the indentation and quotes of this line and the one before",
    )
