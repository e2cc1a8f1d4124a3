"""git without a checkout: the ops repository is read and written in a bare, partial scratch copy.

Only what a promotion needs is fetched, so the cost hardly grows with the number of applications.
The server's answer chooses how (`Rung`); nothing is ever fetched lazily. A pushed branch is
protected by a lease, and after a refusal only a look at the remote decides what happened.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from gitops_ci import process
from gitops_ci.changeset import Changeset, Edit, PutFile, PutObject
from gitops_ci.credentials import Token
from gitops_ci.errors import (
    ConfigError,
    Forbidden,
    GitError,
    GitopsCiError,
    LostRace,
    NotFound,
    Rejected,
    Temporary,
    Unauthorized,
)
from gitops_ci.forge import Relation
from gitops_ci.gitcall import Git, environment

TREE_MODE = "40000"
FILE_MODE = "100644"
SUBMODULE_MODE = "160000"


class Rung(StrEnum):
    """What a fetch of a tip leaves out, most first refused last; OFF fetches all of one commit."""

    UPPER_TREES = "tree:2"
    NO_TREES = "tree:0"
    NO_BLOBS = "blob:none"
    OFF = ""


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


class _Missing(GitError):
    """A tree on the way is not here yet; caught inside this module."""

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
                raise _Missing(oid, level)
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


class Remote(Objects):
    """A scratch copy of one remote repository; `close` it, its directory is the caller's."""

    def __init__(self, git: Git, *, fetcher: Git, url: str, default_branch: str) -> None:
        super().__init__(git)
        self._fetcher = fetcher
        self.url, self.default_branch = url, default_branch
        self.tip = ""
        self.branches: Mapping[str, str] = {}
        self._rung = Rung.UPPER_TREES
        self._whole: set[str] = set()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        scratch: Path,
        default_branch: str,
        token: Token | None,
        env: Mapping[str, str],
    ) -> Remote:
        """Make the empty copy in `scratch`. Raises `ConfigError` for a URL that may not be used."""
        full = environment(env, {"GIT_ALLOW_PROTOCOL": _protocol(url)})
        full = _configured(full, *_header(url, token))
        git = Git(scratch / "ops.git", full)
        git.out("init", "--quiet", "--bare", "--template=")
        with (git.git_dir / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG.format(url=url.replace("\\", "\\\\").replace('"', '\\"')))
        fetcher = Git(git.git_dir, _configured(full, *_PARTIAL))
        return cls(git, fetcher=fetcher, url=url, default_branch=default_branch)

    # --- fetching ------------------------------------------------------------

    def fetch(
        self,
        *patterns: str,
        whole: bool = False,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Fetch the default branch's tip, and the branches that match (`promote/itg/shop/*`).

        `whole` leaves nothing out. `meanwhile` is called while the first answer is on its way.
        """
        if whole:
            self._rung = Rung.OFF
        specs = [f"+refs/heads/{self.default_branch}:refs/remotes/origin/{self.default_branch}"]
        specs += [f"+refs/heads/{pattern}:refs/remotes/origin/{pattern}" for pattern in patterns]
        for rung in list(Rung)[list(Rung).index(self._rung) :]:
            with self._fetcher.start(*self._fetch_args(rung, depth=1), *specs) as running:
                meanwhile()
                done = running.wait()
            if done.ok:
                self._rung = rung
                self._read_refs()
                return
            self._explain(done, may_be_filter=rung is not Rung.OFF)

    def _fetch_args(self, rung: Rung, *, depth: int | None) -> tuple[str, ...]:
        args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
        if depth:
            args += [f"--depth={depth}", "--update-shallow"]
        args += [f"--filter={rung}" if rung else "--no-filter"]
        return (*args, "--end-of-options", "origin")

    def _read_refs(self) -> None:
        prefix = "refs/remotes/origin/"
        listing = self.git.out("for-each-ref", "--format=%(objectname) %(refname)")
        lines = (line.split(" ", 1) for line in listing.splitlines())
        found = {ref.removeprefix(prefix): oid for oid, ref in lines}
        self.tip = found.pop(self.default_branch)
        self.branches = found

    def fetch_commits(self, *oids: str, depth: int = 1) -> None:
        """Fetch commits by id, with as much of their trees as the tip has."""
        wanted = [oid for oid in dict.fromkeys(oids) if depth > 1 or not self.has(oid)]
        if wanted:
            self._fetch_ids(wanted, self._rung, depth=depth)

    def need(self, *places: Place, ahead: Iterable[Place] = ()) -> None:
        """Fetch what is missing, so that every place can be read whole.

        Trees on the way to the places in `ahead` come along as far as that costs no request more.
        """
        everything = (*places, *ahead)
        while any(map(self._next, places)):
            self._fetch_ids(self._nearest(everything), Rung.NO_TREES)
        gaps = [oid for top in map(self.entry, places) if top for oid in self._gaps(top)]
        if gaps:
            self._fetch_ids(gaps, Rung.OFF)

    def _nearest(self, places: Iterable[Place]) -> list[str]:
        """The next objects of one level: a server leaves out one that lies inside another."""
        steps = [step for step in map(self._next, places) if step]
        level = min(level for level, _ in steps)
        return [oid for at, oid in steps if at == level]

    def _next(self, place: Place) -> tuple[int, str] | None:
        """The first object missing on the way to a place, the file at its end included."""
        try:
            entry = self.entry(place)
        except _Missing as absent:
            return absent.level, absent.oid
        if entry is None or entry.is_tree or self.has(entry.oid):
            return None
        return len(place.path.split("/")), entry.oid

    def _gaps(self, entry: Entry) -> list[str]:
        """What is missing of an entry; git fetches no tree that is here, so it is looked into."""
        if entry.oid in self._whole or entry.mode == SUBMODULE_MODE:
            return []
        if not self.has(entry.oid):
            return [entry.oid]
        inner = self._tree(entry.oid).values() if entry.is_tree else ()
        gaps = [oid for each in inner for oid in self._gaps(each)]
        if not gaps:
            self._whole.add(entry.oid)
        return gaps

    def _fetch_ids(self, oids: Iterable[str], rung: Rung, *, depth: int | None = None) -> None:
        wanted = list(dict.fromkeys(oids))
        args = self._fetch_args(rung, depth=depth)
        done = self._fetcher.run(
            *args[:-2], "--stdin", *args[-2:], stdin="".join(f"{oid}\n" for oid in wanted).encode()
        )
        if not done.ok:
            self._explain(done, may_be_filter=False)
        absent = [oid for oid in wanted if not self.has(oid)]
        if absent:
            raise GitError(f"the server did not send object `{absent[0]}`")

    def _load(self, trees: Iterable[Entry]) -> None:
        missing = {tree.oid for tree in trees if not self.has(tree.oid)}
        if missing:
            self._fetch_ids(sorted(missing), Rung.NO_TREES)

    # --- writing -------------------------------------------------------------

    def write(self, change: Changeset) -> str:
        """Make the commit here and return its id; the same input is the same id."""
        when = self.commit(change.parent).date
        stream = b"".join(_fast_import(change, when))
        done = self.git.run("fast-import", "--quiet", "--force", stdin=stream)
        if _FULL.search(done.stderr):
            raise _no_room()
        if not done.ok:
            raise GitError(f"the commit could not be made\n{done.last_words()}")
        return done.text().strip()

    def push(self, branch: str, commit: str, *, expect: str | None) -> None:
        """Push `commit` as `branch`, if that is at `expect` (None: must not exist) or at `commit`.

        Raises `LostRace` where somebody else was first, `Rejected` where a rule forbids it.
        """
        ref = f"refs/heads/{branch}"
        self._push(f"{commit}:{ref}", ref, expect or "", wanted=commit)

    def delete(self, branch: str, *, expect: str) -> None:
        """Delete a branch that is still at `expect`; one that is gone or has moved is left."""
        ref = f"refs/heads/{branch}"
        with suppress(LostRace):
            self._push(f":{ref}", ref, expect, wanted=None)

    def _push(self, spec: str, ref: str, lease: str, *, wanted: str | None) -> None:
        done = self.git.run(
            "push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{lease}",
            "--end-of-options", "origin", spec,
        )  # fmt: skip
        if done.ok:
            return
        said = done.text() + done.stderr
        branch = ref.removeprefix("refs/heads/")
        if _RACE.search(said):
            if self.remote_tip(branch) == wanted:
                return
            raise LostRace(f"somebody else moved `{branch}` first")
        if _REJECTED.search(said):
            raise Rejected(
                f"the ops repository refused `{branch}`\n{_remote_words(said)}",
                hint="ask the platform team: protection or a push rule stands against it",
            )
        self._explain(done, may_be_filter=False)

    def remote_tip(self, branch: str) -> str | None:
        """Where a branch is on the remote now."""
        ref = f"refs/heads/{branch}"
        done = self.git.run("ls-remote", "--quiet", "--end-of-options", "origin", ref)
        if not done.ok:
            self._explain(done, may_be_filter=False)
        lines = (line.split("\t", 1) for line in done.text().splitlines())
        return next((oid for oid, name in lines if name == ref), None)

    def _explain(self, done: process.Completed, *, may_be_filter: bool) -> None:
        """Raise what a failed call means; return where the next rung may help."""
        error = _meaning(done, self.url, self.default_branch)
        if error is None and may_be_filter:
            return
        raise error or GitError(f"git failed on `{self.url}`\n{done.last_words()}")


_CONFIG = """\
[remote "origin"]
\turl = "{url}"
[fetch]
\tnegotiationAlgorithm = noop
[gc]
\tauto = 0
[maintenance]
\tauto = false
[http]
\tlowSpeedLimit = 1000
\tlowSpeedTime = 45
[protocol]
\tversion = 2
[core]
\thooksPath = /dev/null
"""

# Only for fetching: with them git would try to fetch whatever it misses, and die of it.
_PARTIAL = (("remote.origin.promisor", "true"), ("remote.origin.partialclonefilter", "tree:0"))

_RACE = re.compile(
    r"non-fast-forward|fetch first|stale info|failed to update ref|cannot lock ref"
    r"|incorrect old value provided|reference already exists|remote ref does not exist"
)
_REJECTED = re.compile(
    r"protected branch|pre-receive hook declined|hook declined|GH006|GH013"
    r"|You are not allowed to push|\(prohibited|denyCurrent|deletion prohibited",
    re.IGNORECASE,
)
_FULL = re.compile(r"No space left on device|Out of diskspace")
_TEMPORARY = re.compile(
    r"Could not resolve|Connection (?:refused|reset)|timed out|early EOF|Empty reply"
    r"|transfer closed"
    r"|RPC failed|unexpected disconnect|remote end hung up|hung up unexpectedly"
    r"|returned error: (?:5\d\d|429)|Operation too slow|Failed to connect|Could not connect"
    r"|couldn't connect|SSL_ERROR|gnutls_handshake|Bad gateway|Service Unavailable",
    re.IGNORECASE,
)
_UNAUTHORIZED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 401"
    r"|Invalid username|Permission denied \(publickey",
    re.IGNORECASE,
)


def _meaning(done: process.Completed, url: str, branch: str) -> GitopsCiError | None:
    said = done.stderr
    words = done.last_words(3)
    if _FULL.search(said):
        return _no_room()
    if _UNAUTHORIZED.search(said):
        return Unauthorized(
            f"`{url}` does not accept the token", hint="check `GITOPS_CI_TOKEN` and its expiry"
        )
    if "returned error: 403" in said:
        return Forbidden(
            f"the token may not do this on `{url}`\n{words}",
            hint="`GITOPS_CI_TOKEN` needs the right to push branches there",
        )
    if "couldn't find remote ref" in said:
        return NotFound(
            f"`{url}` has no branch `{branch}` yet", hint="commit what `gitops-ci init ops` writes"
        )
    if re.search(r"not found|does not appear to be a git repository|does not exist", said):
        return NotFound(f"there is no repository at `{url}`, or the token cannot see it")
    if _TEMPORARY.search(said):
        return Temporary(f"`{url}` cannot be reached\n{words}", hint="run it again")
    return None


def _no_room() -> Temporary:
    return Temporary("the disk is full", hint="free some space and run again")


def _remote_words(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith(("remote:", "!"))]
    return "\n".join(line.replace("\t", " ") for line in lines[-4:])


# --- small parts -------------------------------------------------------------


def _protocol(url: str) -> str:
    """What git may speak to this URL; raises for one that is not safe to use."""
    parts = urlsplit(url)
    if parts.password or (parts.username and parts.scheme in {"http", "https"}):
        raise ConfigError(
            "the URL of the ops repository holds a credential",
            hint="pass the token in `GITOPS_CI_TOKEN`",
        )
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ConfigError(f"`{url}` is not encrypted", hint="use https")
    if parts.scheme in {"http", "https", "ssh", "file"}:
        return parts.scheme
    if re.fullmatch(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^-].*", url):
        return "ssh"
    raise ConfigError(f"`{url}` is no URL that git may use here", hint="use https or ssh")


def _configured(env: Mapping[str, str], *pairs: tuple[str, str]) -> dict[str, str]:
    """The environment with more git configuration, after what is there."""
    configured, there = dict(env), int(env.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(pairs, there):
        configured |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return configured | {"GIT_CONFIG_COUNT": str(there + len(pairs))}


def _header(url: str, token: Token | None) -> tuple[tuple[str, str], ...]:
    """The token as a header for this server; never an argument, never a file."""
    if token is None or not url.startswith("http"):
        return ()
    pair = base64.b64encode(f"{token.user}:{token.value}".encode()).decode()
    parts = urlsplit(url)
    key = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
    return ((key, f"Authorization: Basic {pair}"),)


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


def _fast_import(change: Changeset, when: int) -> Iterable[bytes]:
    yield b"commit refs/gitops-ci/new\nmark :1\n"
    yield f"author {change.author} {when} +0000\ncommitter {change.author} {when} +0000\n".encode()
    yield _data(change.message.encode())
    yield f"from {change.parent}^0\n".encode()
    for edit in change.edits:
        yield from _fast_import_edit(edit)
    yield b"\nget-mark :1\n"


def _fast_import_edit(edit: Edit) -> Iterable[bytes]:
    path = (
        b'"'
        + edit.path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode()
        + b'"'
    )
    if isinstance(edit, PutFile):
        yield b"M 100644 inline " + path + b"\n"
        yield _data(edit.content)
    elif isinstance(edit, PutObject):
        mode = b"040000" if edit.is_tree else b"100644"
        yield b"M " + mode + b" " + edit.oid.encode() + b" " + path + b"\n"
    else:
        yield b"D " + path + b"\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


# --- a work tree -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkTree:
    """The checkout a command runs in."""

    git: Git

    @classmethod
    def at(cls, folder: Path, env: Mapping[str, str]) -> WorkTree | None:
        """The checkout that holds `folder`, None where there is none."""
        with suppress(GitopsCiError):
            full = environment(env, {"GIT_ALLOW_PROTOCOL": ""})
            done = process.run(
                ("git", "-C", str(folder), "rev-parse", "--absolute-git-dir"), env=full
            )
            if done.ok:
                return cls(Git(Path(done.text().rstrip("\n")), full))
        return None

    def commit(self) -> str | None:
        """The commit that is checked out."""
        done = self.git.run("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
        return done.text().strip() if done.ok else None

    def fork(self, revision: str, head: str) -> str | None:
        """The newest commit that `revision` and `head` share; None where this clone has none."""
        done = self.git.run("merge-base", "--end-of-options", revision, head)
        return done.text().strip() if done.ok else None

    def relation(self, base: str, head: str) -> Relation:
        """How two commits stand; UNKNOWN where this clone is shallow or lacks one of them."""
        if self.git.out("rev-parse", "--is-shallow-repository").strip() != "false":
            return Relation.UNKNOWN
        if base == head:
            return Relation.SAME
        forward, back = self._ancestor(base, head), self._ancestor(head, base)
        if forward is None or back is None:
            return Relation.UNKNOWN
        if forward or back:
            return Relation.AHEAD if forward else Relation.BEHIND
        return Relation.DIVERGED

    def _ancestor(self, older: str, newer: str) -> bool | None:
        done = self.git.run("merge-base", "--is-ancestor", "--end-of-options", older, newer)
        return {0: True, 1: False}.get(done.code)
