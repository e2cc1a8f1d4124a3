"""Objects of a repository that is here: what a commit, a tree and a file hold.

Owns the reading of raw objects. Must not know remotes, credentials or how an object came here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitops_ci import process
from gitops_ci.errors import GitError
from gitops_ci.gitcall import Git

TREE_MODE = "40000"
FILE_MODE = "100644"
SUBMODULE_MODE = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree; `mode` as git writes it (`100644`, `40000`, `120000`, `160000`)."""

    mode: str
    oid: str

    @property
    def is_tree(self) -> bool:
        return self.mode == TREE_MODE


_Pair = tuple[str, Entry | None, Entry | None]  # a prefix, and what two commits have there


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it is written; `date` is the committer's, in seconds since 1970."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: str
    committer: str
    date: int
    message: str


@dataclass(frozen=True, slots=True)
class Place:
    """A path in a commit."""

    commit: str
    path: str


class MissingTree(GitError):
    """A tree on the way is not here; a partial copy fetches it and asks again."""

    def __init__(self, oid: str, level: int = 0) -> None:
        super().__init__(f"tree `{oid}` is not there")
        self.oid, self.level = oid, level


class Objects:
    """Reads objects of one repository through one `cat-file`, as long as it lives."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self._dialogue: process.Dialogue | None = None
        self._trees: dict[str, dict[str, Entry]] = {}

    def close(self) -> None:
        """End the helper process."""
        if self._dialogue:
            self._dialogue.close()
            self._dialogue = None

    def commit(self, oid: str) -> Commit:
        """The commit `oid`."""
        raw = self._raw(oid)
        if raw is None:
            raise GitError(f"commit `{oid}` is not there")
        return _parse_commit(oid, raw)

    def entry(self, place: Place) -> Entry | None:
        """What lies at a place, None where there is nothing."""
        entry = Entry(TREE_MODE, self.commit(place.commit).tree)
        for level, name in enumerate(filter(None, place.path.split("/"))):
            found = self._tree(entry.oid, level).get(name) if entry.is_tree else None
            if found is None:
                return None
            entry = found
        return entry

    def read(self, place: Place) -> bytes | None:
        """The content of the file at a place; None where there is no regular file."""
        entry = self.entry(place)
        return self.blob(entry.oid) if entry and entry.mode.startswith("100") else None

    def blob(self, oid: str) -> bytes:
        """The content of a blob."""
        raw = self._raw(oid)
        if raw is None:
            raise GitError(f"object `{oid}` is not there")
        return raw

    def entries(self, place: Place) -> dict[str, Entry]:
        """Every entry below a directory that is no tree itself, by path; empty where nothing is."""
        top = self.entry(place)
        return dict(self._walk(top.oid, "")) if top and top.is_tree else {}

    def files(self, place: Place) -> dict[str, bytes]:
        """The regular files below a directory with their content, by path."""
        found = self.entries(place)
        return {path: self.blob(e.oid) for path, e in found.items() if e.mode.startswith("100")}

    def read_many(self, wanted: Iterable[tuple[str, str]]) -> Iterable[bytes | None]:
        """The files at (tree id, path), one by one in their order, None where there is none."""
        questions = "".join(f"{tree}:{path}\n" for tree, path in wanted)
        raw = self.git.run("cat-file", "--batch", "--buffer", stdin=questions.encode()).stdout
        at = 0
        while at < len(raw):
            end = raw.index(b"\n", at)
            kind, _, size = raw[at:end].rpartition(b" ")
            at = end + 1
            if size == b"missing":
                yield None
                continue
            content = raw[at : at + int(size)]
            at += len(content) + 1
            yield content if kind.endswith(b" blob") else None

    def names(self, place: Place) -> dict[str, Entry]:
        """The direct entries of a directory; empty where there is none."""
        top = self.entry(place)
        return dict(self._tree(top.oid)) if top and top.is_tree else {}

    def _walk(self, tree: str, prefix: str) -> Iterable[tuple[str, Entry]]:
        for name, entry in self._tree(tree).items():
            if entry.is_tree:
                yield from self._walk(entry.oid, f"{prefix}{name}/")
            else:
                yield prefix + name, entry

    def _tree(self, oid: str, level: int = 0) -> dict[str, Entry]:
        if oid not in self._trees:
            raw = self._raw(oid)
            if raw is None:
                raise MissingTree(oid, level)
            self._trees[oid] = dict(_parse_tree(raw))
        return self._trees[oid]

    def changed(self, old: str, new: str) -> tuple[str, ...]:
        """The paths that differ between two commits, sorted."""
        paths: list[str] = []
        level: list[_Pair] = [("", self._root(old), self._root(new))]
        while level:
            both = [entry for _, *pair in level for entry in pair]
            self._load(entry for entry in both if entry and entry.is_tree)
            level = [deeper for item in level for deeper in self._compare(*item, paths)]
        return tuple(sorted(paths))

    def _root(self, commit: str) -> Entry:
        return Entry(TREE_MODE, self.commit(commit).tree)

    def _load(self, trees: Iterable[Entry]) -> None:
        """Make these trees readable; here they are, a partial copy fetches them."""

    def _compare(
        self, prefix: str, old: Entry | None, new: Entry | None, paths: list[str]
    ) -> Iterable[_Pair]:
        before = self._tree(old.oid) if old and old.is_tree else {}
        after = self._tree(new.oid) if new and new.is_tree else {}
        for name in before.keys() | after.keys():
            a, b = before.get(name), after.get(name)
            if a == b:
                continue
            if any(entry and not entry.is_tree for entry in (a, b)):
                paths.append(prefix + name)
            if any(entry and entry.is_tree for entry in (a, b)):
                yield f"{prefix}{name}/", a, b

    def has(self, oid: str) -> bool:
        """Whether the object is here."""
        return not self._ask(f"info {oid}").endswith(b" missing")

    def _raw(self, oid: str) -> bytes | None:
        header = self._ask(f"contents {oid}")
        if header.endswith(b" missing"):
            return None
        talk = self._talk()
        content = talk.read(int(header.rsplit(b" ", 1)[1]))
        talk.read(1)
        return content

    def _ask(self, question: str) -> bytes:
        return self._talk().ask(question.encode())

    def _talk(self) -> process.Dialogue:
        if self._dialogue is None:
            self._dialogue = self.git.dialogue("cat-file", "--batch-command")
        return self._dialogue


_PERSON = re.compile(rb"(?:author|committer) (.*) (\d+) ([-+]\d+)")


def _parse_commit(oid: str, raw: bytes) -> Commit:
    head, _, message = raw.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)
    author = _PERSON.fullmatch(b"author " + fields[b"author"][0])
    committer = _PERSON.fullmatch(b"committer " + fields[b"committer"][0])
    if not author or not committer:
        raise GitError(f"commit `{oid}` has an author line that cannot be read")
    return Commit(
        oid=oid,
        tree=fields[b"tree"][0].decode(),
        parents=tuple(parent.decode() for parent in fields.get(b"parent", [])),
        author=author[1].decode("utf-8", "replace"),
        committer=committer[1].decode("utf-8", "replace"),
        date=int(committer[2]),
        message=message.decode("utf-8", "replace"),
    )


def _parse_tree(raw: bytes) -> Iterable[tuple[str, Entry]]:
    at = 0
    while at < len(raw):
        end = raw.index(b"\0", at)
        mode, _, name = raw[at:end].partition(b" ")
        at = end + 21
        yield name.decode("utf-8", "surrogateescape"), Entry(mode.decode(), raw[end + 1 : at].hex())
