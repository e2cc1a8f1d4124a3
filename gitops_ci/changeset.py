"""What one promotion changes in the ops repository, as data: edits, a message, a branch.

Pure. One value feeds the commit, the dry run and the texts, so these cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

ACCEPTED = "Gitops-Accepted"  # the trailer that keeps why an unclear order was accepted


@dataclass(frozen=True, slots=True)
class PutFile:
    """Write a regular file."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PutObject:
    """Place a tree or a blob that the repository has already."""

    path: str
    oid: str
    is_tree: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file or a directory, if it is there."""

    path: str


Edit = PutFile | PutObject | Remove


@dataclass(frozen=True, slots=True)
class Changeset:
    """One commit on a branch of ours. Dates are the parent's, so equal input is an equal commit."""

    branch: str
    parent: str
    edits: tuple[Edit, ...]
    message: str
    author: str  # `Name <email>`
    expect: str | None = None  # what the branch must be now; None: it must not exist


def message(subject: str, trailers: tuple[tuple[str, str], ...]) -> str:
    """A commit message with git trailers."""
    return f"{subject}\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers)


def trailers(text: str) -> dict[str, str]:
    """The trailers of a message's last paragraph."""
    _, gap, last = text.strip().rpartition("\n\n")
    if not gap:
        return {}
    pairs = (line.split(": ", 1) for line in last.splitlines() if ": " in line)
    return {key: value.strip() for key, value in pairs}
