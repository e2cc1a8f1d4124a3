"""A scratch copy of the ops repository: bare, partial, and without a checkout.

Only what a promotion needs is fetched, so the cost hardly grows with the number of applications.
The server's answer chooses how (`Rung`); nothing is ever fetched lazily. A pushed branch is
protected by a lease, and after a refusal only a look at the remote decides what happened.
Must not know what the files mean, nor any forge; what an answer means is `answers`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from gitops_ci.changeset import Changeset
from gitops_ci.credentials import Token
from gitops_ci.errors import GitError, GitopsCiError, LostRace
from gitops_ci.git import access, answers, fast_import
from gitops_ci.git.objects import SUBMODULE_MODE, Entry, MissingTree, Objects, Place
from gitops_ci.gitcall import Git, environment
from gitops_ci.process import Completed


class Rung(StrEnum):
    """What a fetch of a tip leaves out, most first refused last; OFF fetches all of one commit."""

    UPPER_TREES = "tree:2"
    NO_TREES = "tree:0"
    NO_BLOBS = "blob:none"
    OFF = ""


_ORIGIN = "refs/remotes/origin/"

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
\tfollowRedirects = false
\tlowSpeedLimit = 1000
\tlowSpeedTime = 45
[protocol]
\tversion = 2
[core]
\thooksPath = /dev/null
"""

# Only for fetching: with them git would try to fetch whatever it misses, and die of it.
_PARTIAL = (("remote.origin.promisor", "true"), ("remote.origin.partialclonefilter", "tree:0"))


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
        full = environment(env, {"GIT_ALLOW_PROTOCOL": access.protocol(url)})
        full = access.with_settings(full, *access.header(url, token))
        git = Git(scratch / "ops.git", full)
        git.out("init", "--quiet", "--bare", "--template=")
        with (git.git_dir / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG.format(url=url.replace("\\", "\\\\").replace('"', '\\"')))
        fetcher = Git(git.git_dir, access.with_settings(full, *_PARTIAL))
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
        branches = (self.default_branch, *patterns)
        specs = [f"+refs/heads/{branch}:{_ORIGIN}{branch}" for branch in branches]
        for rung in list(Rung)[list(Rung).index(self._rung) :]:
            args = self._fetch_args("--prune", rung=rung, depth=1)
            with self._fetcher.start(*args, *specs) as running:
                meanwhile()
                done = running.wait()
            if done.ok:
                self._rung = rung
                self._read_refs()
                return
            error = answers.known(done, url=self.url, branch=self.default_branch)
            if error or rung is Rung.OFF:
                raise error or answers.unknown(done, url=self.url)

    def _fetch_args(self, *more: str, rung: Rung, depth: int | None) -> tuple[str, ...]:
        args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
        if depth:
            args += [f"--depth={depth}", "--update-shallow"]
        args += [f"--filter={rung}" if rung else "--no-filter"]
        return (*args, *more, "--end-of-options", "origin")

    def _read_refs(self) -> None:
        listing = self.git.out(
            "for-each-ref", "--format=%(objectname) %(refname)", "--end-of-options", _ORIGIN
        )
        lines = (line.split(" ", 1) for line in listing.splitlines())
        found = {ref.removeprefix(_ORIGIN): oid for oid, ref in lines}
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
        except MissingTree as absent:
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
        args = self._fetch_args("--stdin", rung=rung, depth=depth)
        done = self._fetcher.run(*args, stdin="".join(f"{oid}\n" for oid in wanted).encode())
        if not done.ok:
            raise self._error(done)
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
        stream = b"".join(fast_import.stream(change, when))
        done = self.git.run("fast-import", "--quiet", "--force", stdin=stream)
        if not done.ok:
            raise answers.not_made(done)
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
        refused = answers.refusal(done, ref)
        if refused is None:
            raise self._error(done)
        if self.remote_tip(ref.removeprefix("refs/heads/")) != wanted:
            raise refused

    def remote_tip(self, branch: str) -> str | None:
        """Where a branch is on the remote now."""
        ref = f"refs/heads/{branch}"
        done = self.git.run("ls-remote", "--quiet", "--end-of-options", "origin", ref)
        if not done.ok:
            raise self._error(done)
        lines = (line.split("\t", 1) for line in done.text().splitlines())
        return next((oid for oid, name in lines if name == ref), None)

    def _error(self, done: Completed) -> GitopsCiError:
        error = answers.known(done, url=self.url, branch=self.default_branch)
        return error or answers.unknown(done, url=self.url)
