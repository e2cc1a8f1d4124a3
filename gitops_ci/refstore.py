"""Small JSON documents in the refs of a bare repository, written by compare-and-swap.

A document is a chain of commits: subject = what happened, body = the document after it, first
parent = the record before. Shared by the local forge and its cluster; knows neither of them.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from gitops_ci.errors import (
    ConfigError,
    ForgeError,
    GitError,
    LostRace,
    NotFound,
    ProcessError,
    Temporary,
)
from gitops_ci.gitcall import Git, environment
from gitops_ci.process import Completed

T = TypeVar("T")

PREFIX = "refs/gitops-ci/"
ABSENT = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_TRIES = 30
_FORMAT = "--format=%(refname)%00%(objectname)%00%(contents:body)%00"
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\[\]-]{0,99}")


def directory(root: Path, project: str) -> Path:
    """`ROOT/<project>.git`; `ConfigError` for a project that could lead elsewhere."""
    if fault := _project_fault(project):
        raise ConfigError(f"`{project}` cannot be a project: {fault}")
    base = root.resolve()
    path = (base / f"{project}.git").resolve()
    if not path.is_relative_to(base):
        raise ConfigError(f"`{project}` cannot be a project: it leads out of `{base}`")
    return path


def _project_fault(project: str) -> str | None:
    for segment in project.split("/"):
        if not _SEGMENT.fullmatch(segment):
            return "letters, digits, `.`, `_` and `-`, each part beginning with a letter or digit"
        if ".." in segment or segment.lower().endswith((".git", ".lock")):
            return "no part may hold `..` or end in `.git` or `.lock`"
    return None


def check_user(user: str) -> str:
    """`user` itself where it can stand in a commit, else `ConfigError`."""
    if not _USER.fullmatch(user):
        raise ConfigError(f"`{user}` cannot be a user: letters, digits and `._-[]`")
    return user


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare repository; its failures are the forge's failures."""

    project: str
    git: Git

    @classmethod
    def at(cls, root: Path, project: str) -> Repository:
        return cls(project, Git(directory(root, project), environment()))

    def run(self, *args: str, stdin: bytes | None = None) -> Completed:
        """Run git; `NotFound` where there is no such repository."""
        with self._faults():
            return self.git.run(*args, stdin=stdin)

    def out(
        self, *args: str, stdin: bytes | None = None, extra_env: Mapping[str, str] | None = None
    ) -> str:
        """Output of git; `ForgeError` where it fails."""
        with self._faults():
            return self.git.out(*args, stdin=stdin, extra_env=extra_env or {})

    def persist(self, attempt: Callable[[], T]) -> T:
        """Repeat an attempt that looks, decides and swaps until it wins; `Temporary` in the end.

        The swap alone is what makes it right. The queue only sees to it that those who have lost
        once do not starve; it lasts as long as the process at the most.
        """
        with suppress(LostRace):
            return attempt()
        with self._queue():
            return self._repeat(attempt)

    def _repeat(self, attempt: Callable[[], T]) -> T:
        words = ""
        for _ in range(_TRIES):
            try:
                return attempt()
            except LostRace as error:
                words = error.message
        raise Temporary(
            words, hint="run it again; where that does not help, look for a left-over `*.lock` file"
        )

    @contextmanager
    def _queue(self) -> Iterator[None]:
        path = self.git.git_dir / "gitops-ci-queue"
        try:
            turn = path.open("ab")
        except OSError as error:
            raise ForgeError(f"`{path}` cannot be written: {error.strerror}") from error
        with turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _faults(self) -> Iterator[None]:
        if not (self.git.git_dir / "HEAD").is_file():
            raise NotFound(
                f"there is no project `{self.project}` at `{self.git.git_dir}`",
                hint="check the project's path and the forge's URL",
            )
        try:
            yield
        except (GitError, ProcessError) as error:
            raise ForgeError(f"`{self.project}`: {error.message}", hint=error.hint) from error

    def make(self, settings: Mapping[str, str]) -> None:
        """Make the repository, or make sure that it has what it needs."""
        try:
            self.git.git_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"`{self.git.git_dir}` cannot be made: {error.strerror}") from error
        self.git.out("init", "--bare", "--quiet", "--initial-branch=main", "--template=")
        present = self.out("config", "--local", "--list").splitlines()
        for name, value in settings.items():
            if f"{name}={value}" not in present:
                self.out("config", "--local", "--end-of-options", name, value)
        empty = self.out("mktree", stdin=b"")  # every record's tree, kept by a ref of its own
        self.out("update-ref", "--end-of-options", PREFIX + "empty", empty)

    def tip(self, ref: str) -> str | None:
        """The commit that exactly this ref names."""
        if not ref.isprintable():  # no ref's name, and perhaps no argument either
            return None
        done = self.run("show-ref", "--verify", "--hash", "--end-of-options", ref)
        return done.text().strip() if done.ok else None

    def has_commit(self, commit: str) -> bool:
        return self.run("cat-file", "-e", "--end-of-options", f"{commit}^{{commit}}").ok

    def swap(self, *swaps: Swap) -> None:
        """All of them or none; `LostRace` where a ref is not what it was."""
        lines = ["start", *(swap.line() for swap in swaps), "prepare", "commit", ""]
        done = self.run("update-ref", "--stdin", stdin="\n".join(lines).encode())
        if not done.ok:
            raise LostRace(f"a ref of `{self.project}` could not be moved\n{done.last_words(2)}")


@dataclass(frozen=True, slots=True)
class Swap:
    """Move `ref` from `old` to `new`; without `new`, only make sure that it is `old`."""

    ref: str
    old: str
    new: str | None = None

    def line(self) -> str:
        if self.new is None:
            return f"verify {self.ref} {self.old}"
        return f"update {self.ref} {self.new} {self.old}"


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """What a ref holds, and the record (a commit) that says so."""

    ref: str
    record: str
    data: T


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """The next record of a document; `keep` names commits that must stay reachable."""

    sentence: str
    data: T
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one repository, written in the name of one user."""

    repository: Repository
    user: str
    now: Callable[[], datetime]

    def time(self) -> datetime:
        """Now, in UTC."""
        return self.now().astimezone(UTC)

    def all(self, prefix: str, kind: type[T]) -> tuple[Document[T], ...]:
        """Every document at or below `prefix`, in one call."""
        found = self.repository.out("for-each-ref", _FORMAT, "--end-of-options", PREFIX + prefix)
        parts = found.split("\0")
        triples = zip(parts[0::3], parts[1::3], parts[2::3], strict=False)
        return tuple(
            Document(ref.lstrip("\n"), record, parse(text, kind)) for ref, record, text in triples
        )

    def read(self, name: str, kind: type[T]) -> Document[T] | None:
        ref = PREFIX + name
        return next((found for found in self.all(name, kind) if found.ref == ref), None)

    def record(self, entry: Entry[T], *, after: str | None) -> str:
        """Write the commit of a record, not yet the ref."""
        subject = " ".join(entry.sentence.split())
        parents = (after, *entry.keep) if after else entry.keep
        return self.commit(f"{subject}\n\n{render(entry.data)}\n", parents=parents)

    def commit(self, message: str, *, parents: tuple[str, ...], tree: str = EMPTY_TREE) -> str:
        """Write a commit in the user's name."""
        options = [text for parent in parents for text in ("-p", parent)]
        return self.repository.out(
            "commit-tree",
            *options,
            "--end-of-options",
            tree,
            stdin=message.encode("utf-8", "replace"),
            extra_env=self._signature(),
        )

    def create(self, name: str, entry: Entry[T]) -> None:
        """Write the first record; `LostRace` where the document exists."""
        self.repository.swap(Swap(PREFIX + name, ABSENT, self.record(entry, after=None)))

    def change(
        self, name: str, kind: type[T], change: Callable[[T | None], Entry[T] | None]
    ) -> None:
        """Bring a document from what it is to what `change` makes of it; None leaves it."""
        self.repository.persist(lambda: self._change(name, kind, change))

    def _change(
        self, name: str, kind: type[T], change: Callable[[T | None], Entry[T] | None]
    ) -> None:
        found = self.read(name, kind)
        entry = change(found.data if found else None)
        if entry is None:
            return
        old = found.record if found else None
        self.repository.swap(Swap(PREFIX + name, old or ABSENT, self.record(entry, after=old)))

    def _signature(self) -> dict[str, str]:
        date = f"@{int(self.time().timestamp())} +0000"
        return {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (
                ("NAME", self.user),
                ("EMAIL", f"{self.user}@localhost"),
                ("DATE", date),
            )
        }


def render(data: object) -> str:
    """A dataclass as one line of ASCII JSON."""
    return json.dumps(data, default=_plain, sort_keys=True, ensure_ascii=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def parse(text: str, kind: type[T]) -> T:
    """The dataclass `kind` from its JSON form; unknown keys are left out."""
    try:
        data: T = _shape(kind, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ForgeError(f"a {kind.__name__} document cannot be read: {error}") from error
    return data


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _shape(kind: Any, value: Any) -> Any:
    """`value` as JSON gives it, as the annotation `kind` wants it."""
    inner = get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        known = {name: _shape(hints[name], item) for name, item in value.items() if name in hints}
        return kind(**known)
    if get_origin(kind) is UnionType:
        return None if value is None else _shape(inner[0], value)
    if get_origin(kind) in {tuple, frozenset}:
        return get_origin(kind)(_shape(inner[0], item) for item in value)
    if get_origin(kind) is dict:
        return {name: _shape(inner[1], item) for name, item in value.items()}
    if kind is datetime:
        return datetime.fromisoformat(value)
    return kind(value) if issubclass(kind, Enum) else value
