"""The checkout that a command runs in: where it stands, and what in it is not committed.

Reads and never writes. Must not know remotes or the ops repository.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import process
from gitops_ci.errors import GitError, GitopsCiError
from gitops_ci.forge import Relation
from gitops_ci.gitcall import Git, environment

_STATUS = (
    "--no-optional-locks", "status", "--porcelain=v1", "-z", "--no-renames",
    "--ignore-submodules=all", "--untracked-files=all", "--ignored=traditional",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkTree:
    """The checkout a command runs in."""

    git: Git
    folder: Path
    prefix: str = ""  # from the top of the checkout to the folder: `deploy/`

    @classmethod
    def at(cls, folder: Path, env: Mapping[str, str]) -> WorkTree | None:
        """The checkout that holds `folder`, None where there is none."""
        with suppress(GitopsCiError):
            full = environment(env)
            ask = ("rev-parse", "--absolute-git-dir", "--show-prefix")
            done = process.run(("git", "-C", str(folder), *ask), env=full)
            if done.ok:
                git_dir, prefix = done.text().removesuffix("\n").rsplit("\n", 1)
                return cls(Git(Path(git_dir), full), folder, prefix)
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

    def changed(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Which of these paths, relative to the folder, are not as HEAD has them.

        What is untracked counts, ignored or not; a directory answers for all that is in it, but a
        repository in there (a submodule, a clone) is not looked into.
        """
        tops = {path: posixpath.normpath(self.prefix + path) for path in paths}
        differing = self._status(*tops) if tops else ()
        return tuple(path for path, top in tops.items() if any(_in(top, it) for it in differing))

    def _status(self, *paths: str) -> tuple[str, ...]:
        """What is not as in HEAD below these paths: files, and other repositories as one."""
        call = ("git", "-C", str(self.folder), "--literal-pathspecs", "-c", "core.fsmonitor=false")
        done = process.run((*call, *_STATUS, "--", *paths), env=self.git.env)
        if not done.ok:
            raise GitError(f"the state of the checkout cannot be read\n{done.last_words()}")
        return tuple(line[3:].rstrip("/") for line in done.text().split("\0")[:-1])

    def _ancestor(self, older: str, newer: str) -> bool | None:
        done = self.git.run("merge-base", "--is-ancestor", "--end-of-options", older, newer)
        return {0: True, 1: False}.get(done.code)


def _in(top: str, path: str) -> bool:
    return top == "." or path == top or path.startswith(f"{top}/")
