"""Rendered manifests as resources, and the difference between two renders of them.

Pure. Helm's output is read, never written back; values of Secrets do not get out of here.
"""

from __future__ import annotations

import difflib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gitops_ci.errors import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node


class Change(StrEnum):
    """What becomes of a resource."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a resource is known by in a cluster; `namespace` is empty for the release's own."""

    kind: str
    namespace: str
    name: str
    group: str = ""
    again: int = 0  # a chart may render the same resource twice

    @property
    def is_secret(self) -> bool:
        """Whether it is a core Secret, whose values nobody may see."""
        return (self.group, self.kind) == ("", "Secret")


@dataclass(frozen=True, slots=True, repr=False)
class Resource:
    """One rendered resource, as Helm wrote it. Without a repr: it may be a Secret."""

    key: Key
    text: str


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that one render gives."""

    resources: tuple[Resource, ...] = ()

    def by_key(self) -> dict[Key, Resource]:
        return {resource.key: resource for resource in self.resources}


@dataclass(frozen=True, slots=True)
class ResourceDiff:
    """One resource that differs; `text` is a unified diff without its two header lines."""

    kind: str
    namespace: str
    name: str
    change: Change
    text: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class RenderedDiff:
    """What differs, by kind, namespace and name; and the Secrets that the new side renders."""

    resources: tuple[ResourceDiff, ...] = ()
    plain_secrets: tuple[str, ...] = ()


# --- reading -----------------------------------------------------------------


def parse(text: str, *, namespace: str = "") -> Manifests:
    """The resources of a multi-document text; one without a namespace is in `namespace`.

    A `List` counts as its items. `ConfigError` where a document is no resource.
    """
    seen: Counter[Key] = Counter()
    resources: list[Resource] = []
    for found, document in _keyed(text):
        key = replace(found, namespace="") if found.namespace == namespace else found
        resources.append(Resource(replace(key, again=seen[key]), document))
        seen[key] += 1
    return Manifests(tuple(resources))


def _keyed(text: str) -> Iterator[tuple[Key, str]]:
    for document in split(text):
        key = _scanned(document)
        if key:
            yield key, document
        else:
            yield from _parsed(document)


_SEPARATOR = re.compile(r"^---(?:[ \t\r]+|$)|^\.\.\.[ \t\r]*$", re.MULTILINE)
_SOURCE = re.compile(r"\A(?:# Source: [^\n]*\n)?")


def split(text: str) -> tuple[str, ...]:
    """The documents that are not empty, without separators and Helm's `# Source` comments."""
    parts = (part.lstrip("\r\n") for part in _SEPARATOR.split(text))
    bare = (_SOURCE.sub("", part).rstrip() + "\n" for part in parts)
    return tuple(part for part in bare if _has_content(part))


def _has_content(document: str) -> bool:
    lines = (line.strip() for line in document.split("\n"))
    return any(line and not line.startswith("#") for line in lines)


_TOP = re.compile(r"([A-Za-z][A-Za-z0-9]*):(?:[ ]+(.*?))?[ \t\r]*")
_SIMPLE = re.compile(
    r"""(?P<quote>["']?)(?P<value>[A-Za-z0-9](?:[A-Za-z0-9._/:-]*[A-Za-z0-9])?)(?P=quote)|""\s*"""
)
_OTHER_BREAKS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")  # where YAML 1.1 begins a line too


def _scanned(document: str) -> Key | None:
    """The key of a document written in Helm's everyday style, None where any line is unusual.

    Strict on purpose: a Secret must not pass as something else by an exotic way to write it.
    """
    lines = [line for line in document.split("\n") if line.strip() and line.lstrip()[0] != "#"]
    if lines[0][0] in " -" or _OTHER_BREAKS.search(document):
        return None
    top = _pairs(line for line in lines if line[0] not in " -")
    if top is None or top.get("metadata") != "" or "items" in top:
        return None
    metadata = _metadata(lines)
    if metadata is None:
        return None
    version, kind = _simple(top.get("apiVersion")), _simple(top.get("kind"))
    name, namespace = _simple(metadata.get("name")), _simple(metadata.get("namespace", '""'))
    if not (version and kind and name) or namespace is None:
        return None
    return Key(kind, namespace, name, _group(version))


def _pairs(lines: Iterable[str]) -> dict[str, str] | None:
    """Keys with the text beside them; None where one is twice or a line is something else."""
    pairs: dict[str, str] = {}
    for line in lines:
        match = _TOP.fullmatch(line)
        if not match or match[1] in pairs:
            return None
        pairs[match[1]] = match[2] or ""
    return pairs


def _metadata(lines: list[str]) -> dict[str, str] | None:
    """The direct children of `metadata:`."""
    start = next(i for i, line in enumerate(lines) if line.startswith("metadata:")) + 1
    block: list[str] = []
    for line in lines[start:]:
        if line[0] != " ":
            break
        block.append(line)
    if not block:
        return None
    indent = len(block[0]) - len(block[0].lstrip(" "))
    if any(len(line) - len(line.lstrip(" ")) < indent for line in block):
        return None
    return _pairs(line[indent:] for line in block if line[indent] not in " -")


def _simple(text: str | None) -> str | None:
    """A scalar on one line that can mean only itself."""
    match = _SIMPLE.fullmatch(text or "")
    return match["value"] or "" if match else None


def _group(version: str) -> str:
    group, slash, _ = version.partition("/")
    return group if slash else ""


# --- reading, the long way ---------------------------------------------------


def _parsed(document: str) -> Iterator[tuple[Key, str]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    yaml = YAML(pure=True)
    yaml.version = (1, 1)  # as Kubernetes reads it
    try:
        root = yaml.compose(_OTHER_BREAKS.sub("\n", document))
    except YAMLError as error:
        raise _unreadable(document, "is not YAML") from error
    if not isinstance(root, MappingNode):
        raise _unreadable(document, "is not a mapping")
    if isinstance(_child(root, "items"), SequenceNode):
        for item in _load(document)["items"]:
            yield from _keyed(_dump(item))
    else:
        yield _node_key(root, document), document


def _child(node: Node | None, name: str) -> Node | None:
    """The value of a key; of two the last counts, and `<<` is looked into, as Kubernetes does."""
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, SequenceNode):
        return next((found for each in node.value if (found := _child(each, name))), None)
    if not isinstance(node, MappingNode):
        return None
    own = [value for key, value in node.value if key.value == name]
    merged = [value for key, value in node.value if key.value == "<<"]
    return own[-1] if own else next((f for each in merged if (f := _child(each, name))), None)


def _node_key(root: MappingNode, document: str) -> Key:
    metadata = _child(root, "metadata")
    version, kind, name = (
        _scalar(_child(node, key))
        for node, key in ((root, "apiVersion"), (root, "kind"), (metadata, "name"))
    )
    if not (version and kind and name):
        raise _unreadable(document, "has no `apiVersion`, `kind` or `metadata.name`")
    return Key(kind, _scalar(_child(metadata, "namespace")), name, _group(version))


def _scalar(node: Node | None) -> str:
    from ruamel.yaml.nodes import ScalarNode

    return str(node.value) if isinstance(node, ScalarNode) else ""


def _unreadable(document: str, fault: str) -> ConfigError:
    first = next((line for line in document.split("\n") if line.strip()), "")
    return ConfigError(f"a rendered document {fault}; it begins with `{first[:60]}`")


def _load(document: str) -> dict[str, Any]:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    yaml.allow_duplicate_keys = True
    loaded = yaml.load(_OTHER_BREAKS.sub("\n", document))
    return loaded if isinstance(loaded, dict) else {}


def _dump(value: object) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 4096
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


# --- a file of a repository ---------------------------------------------------


def plain_secrets(text: str) -> tuple[str, ...]:
    """The names of the Secrets with values in any YAML text; whatever else it holds is passed over.

    Reads as Kubernetes does, `List`s too. A document that is no YAML holds none.
    """
    documents = split(_OTHER_BREAKS.sub("\n", text))
    read = (_tolerant(each) for each in documents if "Secret" in each or "\\" in each)
    secrets = (secret for document in read for secret in _secrets_in(document))
    return tuple(sorted({_name_of(secret) for secret in secrets if _has_data(secret)}))


def _tolerant(document: str) -> dict[str, Any]:
    from ruamel.yaml.error import YAMLError

    try:
        return _load(document)
    except (YAMLError, ValueError, RecursionError):
        return {}


def _secrets_in(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if value.get("kind") == "Secret" and not _group(str(value.get("apiVersion", "v1"))):
        yield value
    items = value.get("items")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield from _secrets_in(item)


def _name_of(resource: Mapping[str, Any]) -> str:
    metadata = resource.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


# --- the difference ----------------------------------------------------------


def diff(old: Manifests | None, new: Manifests) -> RenderedDiff:
    """What a sync changes; everything is added where there is no `old`."""
    before, after = (old or Manifests()).by_key(), new.by_key()
    found = (
        _resource_diff(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
    )
    return RenderedDiff(tuple(each for each in found if each), _plain_secrets(new))


def _resource_diff(key: Key, old: Resource | None, new: Resource | None) -> ResourceDiff | None:
    if old and new and old.text == new.text:
        return None
    before, after = (old.text if old else ""), (new.text if new else "")
    if key.is_secret:
        before, after = _masked(before, after)
    change = Change.CHANGED if old and new else Change.ADDED if new else Change.REMOVED
    text = _unified(before, after)
    if not text:  # only a comment in a Secret
        return None
    return ResourceDiff(key.kind, key.namespace, key.name, change, text, key.group)


def _unified(old: str, new: str) -> str:
    lines = difflib.unified_diff(_lines(old), _lines(new), lineterm="")
    return "\n".join(list(lines)[2:])


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _plain_secrets(manifests: Manifests) -> tuple[str, ...]:
    secrets = (each for each in manifests.resources if each.key.is_secret)
    return tuple(sorted({each.key.name for each in secrets if _has_data(_load(each.text))}))


def _has_data(secret: Mapping[str, Any]) -> bool:
    return bool(secret.get("data") or secret.get("stringData"))


# --- masking -----------------------------------------------------------------

_SAME, _OTHER = "+" * 8, "+" * 16
_SHOWN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # holds all values once more


def _masked(old: str, new: str) -> tuple[str, str]:
    """Both sides of a Secret, written anew without comments; a changed value has another length."""
    before, after = (_load(text) if text else {} for text in (old, new))
    sides = _without_values(before, {}), _without_values(after, before)
    return (_dump(sides[0]) if old else ""), (_dump(sides[1]) if new else "")


def _without_values(secret: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    masked = {
        key: value if key in _SHOWN else _pluses(value, other.get(key))
        for key, value in secret.items()
    }
    metadata = masked.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
        annotations: dict[str, Any] = metadata["annotations"]
        hidden = {_LAST_APPLIED: _SAME} if _LAST_APPLIED in annotations else {}
        masked["metadata"] = {**metadata, "annotations": {**annotations, **hidden}}
    return masked


def _pluses(values: object, others: object) -> object:
    if not isinstance(values, dict):
        return _SAME if others is None or values == others else _OTHER
    known = others if isinstance(others, dict) else {}
    return {
        key: _OTHER if key in known and known[key] != value else _SAME
        for key, value in values.items()
    }
